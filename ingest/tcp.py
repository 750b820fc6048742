"""A TCP listener: one thread for all its connections; a sender is slowed by not reading when the spool is behind."""

from __future__ import annotations

import fcntl
import select
import socket
import sys
import termios
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.framing import Framer
from ingest.portions import CUT, INCOMPLETE, Portion, Source, gathered
from ingest.sockets import Allowed, address_of, bound

if TYPE_CHECKING:
    from ingest.counters import Connections
    from ingest.framing import Frames
    from ingest.intake import Intake
    from ingest.sockets import ListenerSettings

BUFFER = 1 << 20
BACKLOG = 1024
FEW = 1 << 16
"""After fewer bytes than these the thread sleeps a millisecond, so that small pieces come together."""

PAUSE = 0.001
WAIT = 0.2
SWEEP = 1.0


@dataclass(slots=True)
class Connection:
    socket: socket.socket
    source: Source
    framer: Framer
    heard: float
    messages: int = 0


class TcpListener:
    def __init__(self, settings: ListenerSettings, intake: Intake, connections: Connections) -> None:
        self.settings, self._intake, self.connections = settings, intake, connections
        self._socket = bound(settings)
        if settings.receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer)
        self._socket.listen(BACKLOG)
        self._socket.setblocking(False)
        self.address = address_of(self._socket)
        self._allowed = Allowed(settings.allow)
        self._open: dict[int, Connection] = {}
        self._per_peer: Counter[str] = Counter()
        self._buffer = memoryview(bytearray(BUFFER))
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until `stop`; then what the sockets hold is taken too, and they are closed."""
        swept = time.monotonic()
        with select.epoll() as self._poll:
            self._poll.register(self._socket, select.EPOLLIN)
            while not self._stopping.is_set():
                got = sum(self._serve(file) for file, _ in self._poll.poll(WAIT))
                if 0 < got < FEW:
                    time.sleep(PAUSE)
                if time.monotonic() - swept > SWEEP:
                    swept = time.monotonic()
                    self._close_idle(swept)
            self._drain()

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        """Of a listener that did not come to its end."""
        self._socket.close()
        for connection in self._open.values():
            connection.socket.close()

    def kernel_dropped(self) -> int:
        """TCP loses nothing."""
        return 0

    def _serve(self, file: int) -> int:
        if file == self._socket.fileno():
            self._accept()
            return 0
        return self._read(self._open[file]) or 0

    def _accept(self) -> None:
        """Everybody who waits at the door."""
        while True:
            try:
                accepted, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptors or memory left: the others wait in the backlog
                self._intake.notices.warn("cannot_accept", self.settings.name, error=error.strerror)
                time.sleep(PAUSE)
                return
            reason = self._reason_against(address[0])
            if reason:
                self.connections.refused += 1
                self._intake.notices.warn("connection_refused", self.settings.name, reason=reason, peer=address[0])
                accepted.close()
            else:
                self._admit(accepted, address[0], address[1])

    def _reason_against(self, peer: str) -> str:
        if peer not in self._allowed:
            return "not_allowed"
        if len(self._open) >= self.settings.max_connections:
            return "too_many_connections"
        if self._per_peer[peer] >= self.settings.max_connections_per_peer:
            return "too_many_connections_of_peer"
        return ""

    def _admit(self, accepted: socket.socket, peer: str, port: int) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        framer = Framer(self.settings.framing, self.settings.max_message)
        source = Source(self.settings.name, self.settings.protocol, peer, port)
        self._open[accepted.fileno()] = Connection(accepted, source, framer, time.monotonic())
        self._per_peer[peer] += 1
        self.connections.accepted += 1
        self._poll.register(accepted, select.EPOLLIN)

    def _read(self, connection: Connection) -> int | None:
        """Bytes that came; None when there are none now, 0 when there will be no more."""
        try:
            got = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return None
        except OSError:  # reset: what was read before is kept
            got = 0
        if got:
            connection.heard = time.monotonic()
            self._hand_over(connection, connection.framer.feed(self._buffer[:got]))
        if not got or connection.framer.refused:
            self._end(connection)
        return got

    def _end(self, connection: Connection) -> None:
        """Keep what is left, count, close."""
        if connection.framer.refused:
            self._intake.ledger.refuse(self.settings.name, connection.framer.refused)
            self._intake.notices.warn("refused", self.settings.name, reason=connection.framer.refused)
        self._hand_over(connection, connection.framer.close())
        if not connection.messages:
            self.connections.without_message += 1
        del self._open[connection.socket.fileno()]
        peer = connection.source.peer
        self._per_peer[peer] -= 1
        if not self._per_peer[peer]:
            del self._per_peer[peer]
        connection.socket.close()

    def _hand_over(self, connection: Connection, frames: Frames) -> None:
        if not len(frames):
            return
        connection.messages += len(frames)
        troubles = [(line, CUT) for line in frames.cut]
        if frames.incomplete:
            troubles.append((0, INCOMPLETE))
        portion = Portion(
            raw=gathered(frames.block, frames.starts, frames.ends),
            received_at=self._intake.clock(),
            sources=(connection.source,),
            troubles=tuple(troubles),
        )
        self._intake.deliver(portion, patient=True)

    def _close_idle(self, now: float) -> None:
        for connection in list(self._open.values()):
            if now - connection.heard > self.settings.idle_seconds:
                self._intake.notices.warn("idle_connection_closed", self.settings.name, peer=connection.source.peer)
                self._end(connection)

    def _drain(self) -> None:
        """Senders were told that these bytes arrived: take them, and not what comes while we do."""
        self._accept()
        self._socket.close()
        for connection in list(self._open.values()):
            left = waiting_bytes(connection.socket)
            while left > 0 and (got := self._read(connection)):
                left -= got
            if connection.socket.fileno() >= 0:
                self._end(connection)


def waiting_bytes(connection: socket.socket) -> int:
    """What the kernel holds for us (FIONREAD, tcp(7))."""
    answer = fcntl.ioctl(connection, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
