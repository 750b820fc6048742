"""Sample messages over real sockets: UDP paced so that nothing is lost, TCP with both framings."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from hsmtrail.samples import SampleLine, Sender

BURST, PAUSE = 25, 0.002
"""Datagrams that go without a pause (a small receive buffer holds so many), and the pause in seconds after them."""


class Wires:
    """One socket per device, each from a loopback address of its own, from `with` to its end."""

    def __init__(
        self,
        senders: Iterable[Sender],
        sources: Mapping[str, str],
        ports: Mapping[str, int],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._senders = {sender.device: sender for sender in senders}
        self._sources, self._ports, self._pause = sources, ports, pause
        self._sockets: dict[str, socket.socket] = {}
        self._open = ExitStack()
        self._datagrams = 0

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            for device, sender in self._senders.items():
                kind = socket.SOCK_DGRAM if sender.transport == "udp" else socket.SOCK_STREAM
                wire = opening.enter_context(socket.socket(socket.AF_INET, kind))
                wire.bind((self._sources[device], 0))
                wire.connect(("127.0.0.1", self._ports[sender.transport]))
                self._sockets[device] = wire
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def send(self, lines: Iterable[SampleLine]) -> int:
        """In the order given; how many were sent."""
        count = 0
        for line in lines:
            self._sockets[line.device].sendall(framed(line.raw, self._senders[line.device].framing))
            count += 1
            if line.transport == "udp":
                self._breathe()
        return count

    def _breathe(self) -> None:
        self._datagrams += 1
        if self._datagrams % BURST == 0:
            self._pause(PAUSE)


def framed(raw: bytes, framing: str) -> bytes:
    """RFC 6587: a line feed behind it, or its length before it; a datagram is its own frame."""
    if framing == "lf":
        return raw + b"\n"
    return b"%d %s" % (len(raw), raw) if framing == "octet-counted" else raw
