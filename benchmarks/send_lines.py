"""Send a file of lines, paced, and print what was sent as JSON.

    python benchmarks/send_lines.py FILE udp|tcp|tls HOST PORT [--rate LINES_A_SECOND] [--authority CERTIFICATE]

UDP leaves by sendmmsg(2) on prebuilt vectors, so that the sender costs as little as it can. Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
HEADER_BYTES = 64
DATAGRAMS_AT_ONCE, LINES_AT_ONCE = 64, 1500
SHORTEST_SLEEP = 0.0003


@dataclass(frozen=True, slots=True)
class Lines:
    """Places in `octets`: line i is octets[starts[i]:ends[i]], without its line feed."""

    octets: np.ndarray[Any, np.dtype[np.uint8]]
    starts: np.ndarray[Any, np.dtype[np.int64]]
    ends: np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Sent:
    lines: int
    begun: float
    ended: float
    rate: float
    processor_seconds: float


def read(path: Path, count: int) -> Lines:
    octets = np.fromfile(path, np.uint8)
    ends = np.flatnonzero(octets == ord("\n"))
    ends = ends[:count] if count else ends
    return Lines(octets, np.concatenate(([0], ends[:-1] + 1)), ends)


def octet_counted(lines: Lines) -> Lines:
    """The same lines with a count before each and nothing between them."""
    pieces = []
    for start, end in zip(lines.starts.tolist(), lines.ends.tolist(), strict=True):
        pieces.append(b"%d %b" % (end - start, lines.octets[start:end].tobytes()))
    ends = np.cumsum([len(piece) for piece in pieces]) - 1
    starts = np.concatenate(([0], ends[:-1] + 1))
    return Lines(np.frombuffer(b"".join(pieces), np.uint8), starts, ends)


def paced(count: int, rate: float, at_once: int, send: Callable[[int, int], None]) -> Sent:
    """Call send(first, end) so that line i leaves at about i / rate; rate 0 is as fast as it goes."""
    begun, processor, sent = time.monotonic(), time.process_time(), 0
    while sent < count:
        due = min(count, int((time.monotonic() - begun) * rate) + 1) if rate else count
        if due > sent:
            end = min(due, sent + at_once)
            send(sent, end)
            sent = end
        else:
            time.sleep(SHORTEST_SLEEP)
    ended = time.monotonic()
    return Sent(count, begun, ended, round(count / (ended - begun)), time.process_time() - processor)


def over_udp(lines: Lines, address: tuple[str, int], rate: float) -> Sent:
    count = len(lines.starts)
    vectors = np.zeros((count, 2), np.uint64)
    vectors[:, 0], vectors[:, 1] = lines.octets.ctypes.data + lines.starts, lines.ends - lines.starts
    headers = np.zeros((count, HEADER_BYTES // 8), np.uint64)  # struct mmsghdr; words 2 and 3 are the vector
    headers[:, 2] = vectors.ctypes.data + np.arange(count) * 16
    headers[:, 3] = 1
    with _connected(address, socket.SOCK_DGRAM) as sender:

        def send(first: int, end: int) -> None:
            while first < end:
                place = ctypes.c_void_p(headers.ctypes.data + HEADER_BYTES * first)
                first += _sent(LIBC.sendmmsg(sender.fileno(), place, end - first, 0))

        return paced(count, rate, DATAGRAMS_AT_ONCE, send)


def _sent(result: int) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    if number not in (errno.EAGAIN, errno.ENOBUFS):
        raise OSError(number, os.strerror(number))
    time.sleep(SHORTEST_SLEEP)
    return 0


def over_tcp(lines: Lines, address: tuple[str, int], rate: float) -> Sent:
    """Returns when the receiver has read everything and closed."""
    with _connected(address, socket.SOCK_STREAM) as sender:
        sent = _streamed(lines, sender, rate)
        sender.shutdown(socket.SHUT_WR)
        while sender.recv(4096):
            pass
        return sent


def over_tls(lines: Lines, address: tuple[str, int], rate: float, authority: Path) -> Sent:
    """Returns when the receiver has read everything and closed; `begun` is after the handshake."""
    context = ssl.create_default_context(cafile=str(authority))
    plain = _connected(address, socket.SOCK_STREAM)
    with context.wrap_socket(plain, server_hostname=address[0]) as sender:
        sent = _streamed(lines, sender, rate)
        with suppress(ssl.SSLError, ConnectionError):  # a receiver may close without a word
            sender.unwrap()
        return sent


def _streamed(lines: Lines, sender: socket.socket, rate: float) -> Sent:
    octets = lines.octets.data
    bounds = np.append(lines.starts, lines.ends[-1] + 1).tolist()
    return paced(len(lines.starts), rate, LINES_AT_ONCE, lambda i, j: sender.sendall(octets[bounds[i] : bounds[j]]))


def _connected(address: tuple[str, int], kind: int) -> socket.socket:
    family, _, _, _, resolved = socket.getaddrinfo(*address, type=kind)[0]
    sender = socket.socket(family, kind)
    sender.connect(resolved)
    return sender


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("file", type=Path)
    options.add_argument("protocol", choices=("udp", "tcp", "tls"))
    options.add_argument("host")
    options.add_argument("port", type=int)
    options.add_argument("--rate", type=float, default=0.0, help="lines a second; 0 is as fast as it goes")
    options.add_argument("--count", type=int, default=0, help="lines to send; 0 is all")
    options.add_argument("--framing", choices=("lf", "octet-counted"), default="lf", help="of TCP and TLS")
    options.add_argument("--authority", type=Path, help="of TLS: who signed the receiver's certificate, PEM")
    chosen = options.parse_args()
    lines = read(chosen.file, chosen.count)
    if chosen.framing == "octet-counted":
        lines = octet_counted(lines)
    address = (chosen.host, chosen.port)
    if chosen.protocol == "udp":
        sent = over_udp(lines, address, chosen.rate)
    elif chosen.protocol == "tcp":
        sent = over_tcp(lines, address, chosen.rate)
    else:
        sent = over_tls(lines, address, chosen.rate, chosen.authority)
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
