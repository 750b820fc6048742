"""Sockets that listen: their settings, bound or refused with one sentence, and what their buffers hold and lost."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ingest.framing import Framing

SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
MEMINFO = struct.Struct("@9I")
"""struct sk_meminfo: bytes in the receive buffer, its size, …, datagrams dropped since the socket was opened."""

BPF_RETURN = 0x06
RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
DEFAULT_UDP_BUFFER = 128 << 20


class ListenerError(Exception):
    """One sentence: which listener, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """PEM files; `client_ca`: client certificates must be signed by it, None: none is asked for."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    revocation_list: Path | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    handshake_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """One socket. `receive_buffer` None: 128 MiB for UDP, the kernel's choice for TCP; `allow` empty: everybody.

    While several senders have something waiting, `turn_bytes` is what each may bring in one turn of a TCP listener;
    while a UDP listener's buffer is nearly full, `crowded_rate` is the datagrams a second that each may still bring.
    """

    name: str
    protocol: Literal["udp", "tcp", "tls"]
    host: str
    port: int
    framing: Framing = "auto"
    max_message: int = 65536
    receive_buffer: int | None = None
    workers: int = 1
    max_connections: int = 4096
    max_connections_per_peer: int = 2048
    max_unfinished: int = 64 << 20
    idle_seconds: float = 3600.0
    drain_seconds: float = 2.0
    turn_bytes: int = 1 << 20
    crowded_rate: int = 1000
    allow: tuple[str, ...] = ()
    tls: TlsSettings | None = None


def bound(settings: ListenerSettings, *, shared: bool = False) -> socket.socket:
    """A bound socket; IPv6 ones take IPv6 only, so that 0.0.0.0 and [::] can stand beside each other.

    `shared`: other sockets of this user may have the same port, and the kernel deals senders out among them.
    """
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
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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


def fullness(receiving: socket.socket) -> float:
    """How much of the receive buffer is taken: 0.0 to 1.0."""
    held, size = meminfo(receiving)[:2]
    return held / size


def meminfo(receiving: socket.socket) -> tuple[int, ...]:
    return MEMINFO.unpack(receiving.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))


class KernelDrops:
    """Datagrams that one socket's full buffer cost, as the kernel counts them for the socket (SO_MEMINFO)."""

    def __init__(self, receiving: socket.socket) -> None:
        self._socket = receiving
        self._last = self._sum = 0
        self._lock = threading.Lock()
        self._final = False

    def count(self, *, final: bool = False) -> int:
        """Since the socket was opened. After the final count it may be closed."""
        with self._lock:
            if not self._final:
                now = meminfo(self._socket)[-1]
                self._sum += (now - self._last) % (1 << 32)  # the kernel counts in 32 bits
                self._last = now
            self._final |= final
            return self._sum


def take_no_more(receiving: socket.socket) -> None:
    """From now on the kernel drops, and counts, what arrives; what it holds already can be read (a filter: bpf(4))."""
    filters = ctypes.create_string_buffer(struct.pack("=HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(filters))
    receiving.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
