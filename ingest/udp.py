"""A UDP listener: one thread that takes datagrams in bulk, and leaves none in the socket when it stops."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from ingest.counters import Connections
from ingest.datagrams import Slots
from ingest.portions import CUT, Portion, Source, gathered
from ingest.sockets import DEFAULT_UDP_BUFFER, RMEM_MAX, Allowed, KernelDrops, address_of, bound, take_no_more, widen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ingest.intake import Intake
    from ingest.sockets import ListenerSettings

SLOTS = 1024
LARGEST_DATAGRAM = 1 << 16
FEW = 256
"""After fewer datagrams than these the thread sleeps a millisecond: batches cost a fifth of single wake-ups."""

PAUSE = 0.001
LONGEST_HOLD = 0.01
"""Seconds that a line may wait here for others."""

LONGEST_WAIT = struct.pack("@ll", 0, 200_000)
MOST_PEERS = 4096


class UdpListener:
    def __init__(self, settings: ListenerSettings, intake: Intake) -> None:
        self.settings, self._intake = settings, intake
        self.connections = Connections()  # UDP has none
        self._socket = bound(settings)
        self.address = address_of(self._socket)
        self._widen(settings.receive_buffer or DEFAULT_UDP_BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, LONGEST_WAIT)
        self._drops = KernelDrops(self._socket)
        self._peers = Peers(settings, self._socket.family)
        self._slots = Slots(SLOTS, min(settings.max_message, LARGEST_DATAGRAM))
        self._moments = np.zeros(SLOTS, np.int64)
        self._filled, self._since = 0, 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until `stop`; then what the socket holds is taken too, and it is closed."""
        while not self._stopping.is_set():
            got = self._receive()
            if 0 < got < FEW:
                time.sleep(PAUSE)
        take_no_more(self._socket)
        while self._receive() or self._filled:
            pass
        self._drops.count(final=True)
        self._socket.close()

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        """Of a listener that did not come to its end."""
        self._drops.count(final=True)
        self._socket.close()

    def kernel_dropped(self) -> int:
        """Since it was opened."""
        return self._drops.count()

    def _receive(self) -> int:
        """One call of recvmmsg; hand over what is there when no more comes, or it is much, or it has waited."""
        wait = not self._filled and not self._stopping.is_set()
        got = self._slots.receive(self._socket.fileno(), self._filled, wait=wait)
        if got:
            if not self._filled:
                self._since = time.monotonic()
            self._moments[self._filled : self._filled + got] = self._intake.clock()
            self._filled += got
        waited = time.monotonic() - self._since
        if self._filled and (not got or self._filled == SLOTS or waited > LONGEST_HOLD):
            self._hand_over()
        return got

    def _hand_over(self) -> None:
        filled, self._filled = self._filled, 0
        sources, permitted, which = self._peers.of(self._slots.names[:filled])
        lengths = self._slots.lengths[:filled]
        keep = permitted[which] & (lengths > 0)
        self._refuse("not_allowed", int(np.count_nonzero(~permitted[which])))
        self._refuse("empty", int(np.count_nonzero(permitted[which] & (lengths == 0))))
        kept = np.flatnonzero(keep)
        if not len(kept):
            return
        starts = kept * self._slots.size
        cut = np.flatnonzero(self._slots.cut(filled)[kept]).tolist()
        portion = Portion(
            raw=gathered(self._slots.block, starts, starts + lengths[kept]),
            received_at=self._moments[kept],
            sources=sources,
            which=which[kept],
            troubles=tuple((line, CUT) for line in cut),
        )
        self._intake.deliver(portion, patient=False)

    def _refuse(self, reason: str, messages: int) -> None:
        if messages:
            self._intake.ledger.refuse(self.settings.name, reason, messages)
            self._intake.notices.warn("refused", self.settings.name, reason=reason)

    def _widen(self, wanted: int) -> None:
        granted = widen(self._socket, wanted)
        if granted < wanted:
            command = f"sysctl -w net.core.rmem_max={wanted}"
            facts = {"wanted": wanted, "granted": granted, "limit": str(RMEM_MAX), "raise_it_with": command}
            self._intake.notices.warn("small_receive_buffer", self.settings.name, **facts)


class Peers:
    """Senders by their socket addresses; each is resolved once while it is remembered."""

    def __init__(self, settings: ListenerSettings, family: socket.AddressFamily) -> None:
        self._name, self._family = settings.name, family
        self._allowed = Allowed(settings.allow)
        self._known: dict[bytes, tuple[Source, bool]] = {}

    def of(self, names: NDArray[np.uint8]) -> tuple[tuple[Source, ...], NDArray[np.bool_], NDArray[np.int64]]:
        """The distinct senders, whether each may send, and the sender of each datagram."""
        keys = names.view("V32").ravel() if self._family == socket.AF_INET6 else names.view(np.uint64)[:, 0]
        if (keys == keys[0]).all():
            firsts, which = np.zeros(1, np.int64), np.zeros(len(keys), np.int64)
        else:
            _, firsts, which = np.unique(keys, return_index=True, return_inverse=True)
        if len(self._known) > MOST_PEERS:
            self._known.clear()
        known = [self._resolved(names[first].tobytes()) for first in firsts.tolist()]
        return tuple(source for source, _ in known), np.array([permitted for _, permitted in known]), which

    def _resolved(self, name: bytes) -> tuple[Source, bool]:
        known = self._known.get(name)
        if known is None:
            address, port = peer_in(name, self._family)
            known = Source(self._name, "udp", address, port), address in self._allowed
            self._known[name] = known
        return known


def peer_in(name: bytes, family: socket.AddressFamily) -> tuple[str, int]:
    """Address and port of a struct sockaddr_in or sockaddr_in6; link-local addresses with their zone."""
    port = int.from_bytes(name[2:4], "big")
    if family == socket.AF_INET:
        return socket.inet_ntop(family, name[4:8]), port
    (scope,) = struct.unpack("@I", name[24:28])
    return socket.inet_ntop(family, name[8:24]) + (f"%{scope}" if scope else ""), port
