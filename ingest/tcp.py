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

from ingest.door import NOT_ALLOWED, Door
from ingest.framing import Framer
from ingest.portions import CUT, INCOMPLETE, Portion, Source, gathered
from ingest.sockets import address_of, bound
from ingest.strangers import protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable

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
    octets: int = 0
    messages: int = 0


class TcpListener:
    def __init__(self, settings: ListenerSettings, intake: Intake, connections: Connections) -> None:
        self.settings, self._intake, self.connections = settings, intake, connections
        self.door = Door(settings)
        self._socket = bound(settings)
        if settings.receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer)
        self._socket.listen(BACKLOG)
        self._socket.setblocking(False)
        self.address = address_of(self._socket)
        self._open: dict[int, Connection] = {}
        self._unfinished = 0  # bytes of messages that are not whole yet, of all connections
        self._poll = select.epoll()
        self._buffer = memoryview(bytearray(BUFFER))
        self._stopping = threading.Event()
        self._new_settings = threading.Event()

    def work(self) -> list[tuple[str, Callable[[], None]]]:
        """What its threads do, each with a name."""
        return [(f"listener {self.settings.name}", self.run)]

    def run(self) -> None:
        """Until `stop`; then what the sockets hold is taken too, and they are closed."""
        swept = time.monotonic()
        self._poll.register(self._socket, select.EPOLLIN)
        while not self._stopping.is_set():
            got = self._turn()
            if 0 < got < FEW:
                time.sleep(PAUSE)
            if time.monotonic() - swept > SWEEP or self._new_settings.is_set():
                swept = time.monotonic()
                self._sweep(swept)
        self._drain()
        self._poll.close()

    def stop(self) -> None:
        self._stopping.set()

    def follow(self, settings: ListenerSettings) -> None:
        """Other limits and senders from now on; connections that are still allowed stay open."""
        self.settings = settings
        self.door.follow(settings)
        self._new_settings.set()

    def close(self) -> None:
        """Of a listener that did not come to its end."""
        self._socket.close()
        self._poll.close()
        for connection in self._open.values():
            connection.socket.close()

    @property
    def connections_open(self) -> int:
        return self.door.inside

    def kernel_dropped(self) -> int:
        """TCP loses nothing."""
        return 0

    def _turn(self, wait: float = WAIT) -> int:
        """One read for each connection that has something; bytes that came."""
        files = [file for file, _ in self._poll.poll(wait)]
        if self._socket.fileno() in files:
            self._accept()
        return self._read_fairly([self._open[file] for file in files if file in self._open])

    def _read_fairly(self, ready: list[Connection]) -> int:
        """While several senders wait, one that has had its bytes of this turn waits for the next."""
        several = len({connection.source.peer for connection in ready}) > 1
        taken: Counter[str] = Counter()
        for connection in sorted(ready, key=lambda one: one.heard) if several else ready:
            peer = connection.source.peer
            if is_open(connection) and (not several or taken[peer] < self.settings.turn_bytes):
                taken[peer] += self._read(connection)
        return taken.total()

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
            reason = self.door.enter(address[0])
            if reason:
                self.connections.refusals[reason] += 1
                self._say("connection_refused", address[0], reason=reason)
                accepted.close()
            else:
                self.connections.accepted += 1
                accepted.setblocking(False)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                self._welcome(accepted, address[0], address[1])

    def _welcome(self, accepted: socket.socket, peer: str, port: int) -> None:
        self._admit(accepted, peer, port)

    def _admit(self, accepted: socket.socket, peer: str, port: int, identity: str = "") -> None:
        framer = Framer(self.settings.framing, self.settings.max_message)
        source = Source(self.settings.name, self.settings.protocol, peer, port, identity)
        self._open[accepted.fileno()] = Connection(accepted, source, framer, time.monotonic())
        self._poll.register(accepted, select.EPOLLIN)

    def _receive(self, connection: Connection) -> tuple[int, bool]:
        """Bytes that are in the buffer now, and whether there will be no more."""
        try:
            got = connection.socket.recv_into(self._buffer)
        except BlockingIOError:
            return 0, False
        except OSError:  # reset: what was read before is kept
            return 0, True
        return got, not got

    def _read(self, connection: Connection) -> int:
        """Bytes that came."""
        got, ended = self._receive(connection)
        if got:
            if not connection.octets:
                self._look_at(connection, bytes(self._buffer[: min(got, 16)]))
            connection.heard = time.monotonic()
            connection.octets += got
            before = connection.framer.unfinished
            self._hand_over(connection, connection.framer.feed(self._buffer[:got]))
            self._unfinished += connection.framer.unfinished - before
        if ended or connection.framer.refused:
            self._end(connection)
        while self._unfinished > self.settings.max_unfinished:
            self._close(max(self._open.values(), key=lambda one: one.framer.unfinished), "unfinished")
        return got

    def _look_at(self, connection: Connection, beginning: bytes) -> None:
        """What is not syslog is kept like everything else, and said: somebody configured a wrong port."""
        stranger = protocol_of(beginning)
        if stranger:
            self._say("not_syslog", connection.source.peer, looks_like=stranger)

    def _end(self, connection: Connection) -> None:
        """Keep what is left, count, close."""
        if connection.framer.refused:
            self._intake.refuse(self.settings.name, connection.framer.refused, 1, connection.source.peer)
        self._unfinished -= connection.framer.unfinished
        self._hand_over(connection, connection.framer.close())
        if not connection.messages:
            self.connections.without_message += 1
        del self._open[connection.socket.fileno()]
        self.door.leave(connection.source.peer)
        self._hang_up(connection.socket)

    def _say(self, event: str, peer: str, **facts: str) -> None:
        """In our log, once a minute for each sender."""
        self._intake.notices.warn(event, self.settings.name, about=peer, peer=peer, **facts)

    def _hang_up(self, ended: socket.socket) -> None:
        ended.close()

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

    def _sweep(self, now: float) -> None:
        """Close who was silent for too long, and who may not send any more."""
        self._new_settings.clear()
        for connection in list(self._open.values()):
            if not self.door.admits(connection.source.peer):
                self._close(connection, NOT_ALLOWED)
            elif now - connection.heard > self.settings.idle_seconds:
                self._close(connection, "idle")

    def _close(self, connection: Connection, reason: str) -> None:
        """By our own will: counted and said."""
        self.connections.closings[reason] += 1
        self._say("connection_closed", connection.source.peer, reason=reason)
        self._end(connection)

    def _drain(self) -> None:
        """Senders were told that these bytes arrived: take them, and not what comes while we do."""
        self._accept()
        self._socket.close()
        self._take_the_rest()
        for connection in list(self._open.values()):
            self._end(connection)

    def _take_the_rest(self) -> None:
        """As many bytes as the kernel holds when we look."""
        for connection in list(self._open.values()):
            left = waiting_bytes(connection.socket) if is_open(connection) else 0
            while left > 0 and is_open(connection) and (got := self._read(connection)):
                left -= got


def is_open(connection: Connection) -> bool:
    return connection.socket.fileno() >= 0


def waiting_bytes(connection: socket.socket) -> int:
    """What the kernel holds for us (FIONREAD, tcp(7))."""
    answer = fcntl.ioctl(connection, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)
