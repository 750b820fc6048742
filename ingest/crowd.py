"""A UDP listener whose buffer is nearly full: who floods is held back, so that the others lose nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from ingest.sockets import fullness

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ingest.portions import Source

NEARLY_FULL = 0.75
LOOK_EVERY = 0.001
"""Seconds between two questions to the kernel."""

MOST_ADDRESSES = 4096
REMEMBERED = 60.0
"""Seconds for which a sender counts as one of several."""


class Crowd:
    """One socket's senders. One alone is never held back: the kernel may still have room for its burst."""

    def __init__(self, receiving: socket.socket, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._socket, self._clock = receiving, clock
        self._looked, self._full = 0.0, False
        self._heard: dict[str, float] = {}
        self._left: dict[str, tuple[float, float]] = {}  # datagrams that an address may still bring, and since when

    def hear(self, sources: Sequence[Source]) -> None:
        now = self._clock()
        if len(self._heard) > MOST_ADDRESSES:
            self._heard.clear()
        for source in sources:
            self._heard[source.peer] = now

    def presses(self) -> bool:
        """Whether the kernel will soon drop what several senders send."""
        now = self._clock()
        if now - self._looked >= LOOK_EVERY:
            self._looked, self._full = now, fullness(self._socket) >= NEARLY_FULL
        return self._full and sum(now - heard < REMEMBERED for heard in self._heard.values()) > 1

    def within_rate(self, sources: Sequence[Source], which: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which datagrams are among the first `rate` of a second from their address; which[i] sent datagram i."""
        kept = np.ones(len(which), bool)
        by_address: dict[str, list[int]] = {}
        for number, source in enumerate(sources):
            by_address.setdefault(source.peer, []).append(number)
        for address, numbers in by_address.items():
            places = np.flatnonzero(np.isin(which, numbers))
            kept[places[self._take(address, len(places)) :]] = False
        return kept

    def _take(self, address: str, wanted: int) -> int:
        now = self._clock()
        if len(self._left) > MOST_ADDRESSES:
            self._left.clear()
        left, since = self._left.get(address, (float(self.rate), now))
        left = min(float(self.rate), left + (now - since) * self.rate)
        taken = min(wanted, int(left))
        self._left[address] = left - taken, now
        return taken
