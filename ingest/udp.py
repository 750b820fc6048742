"""A UDP listener: threads that take datagrams in bulk, and leave none in the sockets when they stop."""

from __future__ import annotations

import socket
import struct
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ingest.counters import Connections
from ingest.crowd import Crowd
from ingest.datagrams import Slots
from ingest.door import NOT_ALLOWED, Allowed
from ingest.portions import CUT, Portion, Source, gathered
from ingest.sockets import (
    DEFAULT_UDP_BUFFER,
    RMEM_MAX,
    KernelDrops,
    ListenerError,
    address_of,
    bound,
    take_no_more,
    widen,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ingest.intake import Intake
    from ingest.portions import Places
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
    """One address; `workers` sockets share it, and the kernel gives each sender to one of them (SO_REUSEPORT)."""

    def __init__(self, settings: ListenerSettings, intake: Intake) -> None:
        self.settings = settings
        self.connections, self.connections_open = Connections(), 0  # UDP has none
        self._workers: list[UdpWorker] = []
        shared = settings.workers > 1
        if shared:
            bound(settings).close()  # refused when somebody else has the port: sharing is for our own sockets
        try:
            for _ in range(settings.workers):
                self._workers.append(UdpWorker(settings, intake, bound(settings, shared=shared)))
                settings = replace(settings, port=self._workers[0].port)  # where any port was wanted
        except ListenerError:
            self.close()
            raise
        self.address = self._workers[0].address

    def work(self) -> list[tuple[str, Callable[[], None]]]:
        """What its threads do, each with a name."""
        return [(f"listener {self.settings.name} {number}", one.run) for number, one in enumerate(self._workers, 1)]

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def close(self) -> None:
        """Of a listener that did not come to its end."""
        for worker in self._workers:
            worker.close()

    def follow(self, settings: ListenerSettings) -> None:
        """Other limits and senders from the next datagrams on."""
        self.settings = settings
        for worker in self._workers:
            worker.follow(settings)

    def kernel_dropped(self) -> int:
        """Since it was opened."""
        return sum(worker.kernel_dropped() for worker in self._workers)


class UdpWorker:
    """One socket and the thread that empties it."""

    def __init__(self, settings: ListenerSettings, intake: Intake, receiving: socket.socket) -> None:
        self._settings, self._intake, self._socket = settings, intake, receiving
        self.address, self.port = address_of(receiving), int(receiving.getsockname()[1])
        self._widen(settings.receive_buffer or DEFAULT_UDP_BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, LONGEST_WAIT)
        self._drops = KernelDrops(self._socket)
        self._peers = Peers(settings, self._socket.family)
        self._crowd = Crowd(self._socket, settings.crowded_rate)
        self._slots = Slots(SLOTS, min(settings.max_message, LARGEST_DATAGRAM))
        self._moments = np.zeros(SLOTS, np.int64)
        self._filled, self._since = 0, 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until `stop`; then what the socket holds is taken too, and it is closed."""
        while not self._stopping.is_set():
            got = self.receive()
            if 0 < got < FEW:
                time.sleep(PAUSE)
        take_no_more(self._socket)
        while self.receive() or self._filled:
            pass
        self.close()

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        self._drops.count(final=True)
        self._socket.close()

    def follow(self, settings: ListenerSettings) -> None:
        self._settings, self._peers = settings, Peers(settings, self._socket.family)
        self._crowd.rate = settings.crowded_rate

    def kernel_dropped(self) -> int:
        return self._drops.count()

    def receive(self) -> int:
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
        empty = self._slots.lengths[:filled] == 0
        allowed = permitted[which]
        self._refuse(NOT_ALLOWED, ~allowed, sources, which)
        self._refuse("empty", allowed & empty, sources, which)
        self._crowd.hear(sources)
        self._deliver(np.flatnonzero(allowed & ~empty), sources, which)

    def _deliver(self, kept: Places, sources: tuple[Source, ...], which: Places) -> None:
        """Wait for room while the kernel has some itself; when it has not, take from each sender what is fair."""
        if not len(kept):
            return
        pending, portion = self._intake.pending, self._portion(kept, sources, which)
        if not self._crowd.presses():
            if pending.put(portion, patient=False, unless=self._crowd.presses):
                return
            if pending.blocked:
                self._intake.refuse(self._settings.name, pending.blocked, len(kept))
                return
        fair = self._crowd.within_rate(sources, which[kept])
        self._refuse("flooding", ~fair, sources, which[kept])
        if fair.any():
            portion = self._portion(kept[fair], sources, which)
            if not pending.put_at_once(portion):
                self._intake.deliver(portion, patient=False)

    def _portion(self, kept: Places, sources: tuple[Source, ...], which: Places) -> Portion:
        starts = kept * self._slots.size
        cut = np.flatnonzero(self._slots.cut(int(kept[-1]) + 1)[kept]).tolist()
        return Portion(
            raw=gathered(self._slots.block, starts, starts + self._slots.lengths[kept]),
            received_at=self._moments[kept],
            sources=sources,
            which=which[kept],
            troubles=tuple((line, CUT) for line in cut),
        )

    def _refuse(self, reason: str, refused: NDArray[np.bool_], sources: tuple[Source, ...], which: Places) -> None:
        """Count them, and say one of those who sent them."""
        if refused.any():
            peer = sources[which[int(refused.argmax())]].peer
            self._intake.refuse(self._settings.name, reason, int(np.count_nonzero(refused)), peer=peer)

    def _widen(self, wanted: int) -> None:
        granted = widen(self._socket, wanted)
        if granted < wanted:
            self._intake.notices.warn(
                "small_receive_buffer",
                self._settings.name,
                wanted=wanted,
                granted=granted,
                limit=str(RMEM_MAX),
                raise_it_with=f"sysctl -w net.core.rmem_max={wanted}",
            )


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
