"""Sockets that listen: bound or refused with one sentence, who may send, and what the kernel dropped."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.framing import Framing

SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
BPF_RETURN = 0x06
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
DEFAULT_UDP_BUFFER = 128 << 20


class ListenerError(Exception):
    """One sentence: which listener, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One socket. `receive_buffer` None: 128 MiB for UDP, the kernel's choice for TCP; `allow` empty: everybody."""

    name: str
    protocol: Literal["udp", "tcp"]
    host: str
    port: int
    framing: Framing = "auto"
    max_message: int = 65536
    receive_buffer: int | None = None
    max_connections: int = 1000
    max_connections_per_peer: int = 100
    idle_seconds: float = 3600.0
    allow: tuple[str, ...] = ()


class Allowed:
    """The networks that may send; all when none is named."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found.version == network.version and found in network for network in self._networks)


def bound(settings: ListenerSettings) -> socket.socket:
    """A bound socket; IPv6 ones take IPv6 only, so that 0.0.0.0 and [::] can stand beside each other."""
    kind = socket.SOCK_DGRAM if settings.protocol == "udp" else socket.SOCK_STREAM
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=kind, flags=socket.AI_PASSIVE)[
            0
        ]
    except OSError as error:
        raise _refusal(settings, error) from None
    opened = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
    except OSError as error:
        opened.close()
        raise _refusal(settings, error) from None
    return opened


def _refusal(settings: ListenerSettings, error: OSError) -> ListenerError:
    advice = {
        errno.EADDRINUSE: "it is in use: stop what listens there, or choose another port",
        errno.EACCES: "this user may not: ports below 1024 need root or CAP_NET_BIND_SERVICE",
        errno.EPERM: "this user may not: ports below 1024 need root or CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: "this machine has no such address: choose one of its own, or 0.0.0.0 or [::]",
    }.get(error.errno or 0, f"{error.strerror}: correct its address")
    place = shown((settings.host, settings.port))
    return ListenerError(f'listener "{settings.name}": {settings.protocol} {place} cannot be bound; {advice}')


def shown(address: tuple[str, int]) -> str:
    """192.0.2.1:514 or [2001:db8::1]:514."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_of(listening: socket.socket) -> str:
    name = listening.getsockname()
    return shown((name[0], name[1]))


def widen(receiving: socket.socket, wanted: int) -> int:
    """Ask for a receive buffer; the bytes that were granted. More than rmem_max needs CAP_NET_ADMIN (socket(7))."""
    try:
        receiving.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, wanted)
    except PermissionError:
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    return receiving.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it for its own needs


class KernelDrops:
    """Datagrams that one socket's full buffer cost, from the last field of /proc/net/udp (proc(5))."""

    def __init__(self, receiving: socket.socket) -> None:
        self._table = Path("/proc/net/udp6" if receiving.family == socket.AF_INET6 else "/proc/net/udp")
        self._inode = str(os.fstat(receiving.fileno()).st_ino).encode()
        self._last = self._sum = 0
        self._lock = threading.Lock()
        self._final = False

    def count(self, *, final: bool = False) -> int:
        """Since the socket was opened. After the final count it may be closed, and its inode be another socket's."""
        with self._lock:
            if not self._final:
                self._look()
            self._final |= final
            return self._sum

    def _look(self) -> None:
        for line in self._table.read_bytes().splitlines()[1:]:
            fields = line.split()
            if fields[9] == self._inode:
                self._sum += (int(fields[-1]) - self._last) % (1 << 32)  # the kernel counts in 32 bits
                self._last = int(fields[-1])


def take_no_more(receiving: socket.socket) -> None:
    """From now on the kernel drops, and counts, what arrives; what it holds already can be read (a filter: bpf(4))."""
    filters = ctypes.create_string_buffer(struct.pack("=HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(filters))
    receiving.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
