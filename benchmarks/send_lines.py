"""Send a file of lines, paced, and print what was sent as JSON.

    python benchmarks/send_lines.py FILE udp|tcp|tls HOST PORT [--rate LINES_A_SECOND] [--authority CERTIFICATE]

A line leaves when its time has come or a little later, never before. What is due within 0.3 ms leaves together, and at
most 64 datagrams (send_datagrams.py) or 1,500 lines of a stream; a sender that was held up makes up for it at once.
`late` says how late the latest line left. Times are CLOCK_MONOTONIC, in seconds.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from send_datagrams import DATAGRAMS_AT_ONCE, grouped, sends

if TYPE_CHECKING:
    from collections.abc import Callable

LINES_AT_ONCE = 1500
PIECE_SECONDS = 0.0003


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
    late: float


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
    """Call send(first, end) so that line i leaves at i / rate or a little later; rate 0 is as fast as it goes.

    A call has what is due, at most `at_once` lines, and waits until a piece of PIECE_SECONDS is: whoever asks for each
    line spends a core on asking.
    """
    begun, processor, sent, late = time.monotonic(), time.process_time(), 0, 0.0
    piece = max(1, min(at_once, int(rate * PIECE_SECONDS)))
    while sent < count:
        passed = time.monotonic() - begun
        due = min(count, int(passed * rate) + 1) if rate else count
        if due - sent >= min(piece, count - sent):
            late = max(late, passed - sent / rate) if rate else 0.0
            end = min(due, sent + at_once)
            send(sent, end)
            sent = end
        else:
            time.sleep(max(0.0, (sent + piece - 1) / rate - passed))
    ended = time.monotonic()
    rate_reached = round(count / (ended - begun))
    return Sent(count, begun, ended, rate_reached, time.process_time() - processor, round(late, 4))


def over_udp(lines: Lines, address: tuple[str, int], rate: float, *, singly: bool) -> Sent:
    with _connected(address, socket.SOCK_DGRAM) as sender:
        lines = grouped(lines)
        return paced(len(lines.starts), rate, DATAGRAMS_AT_ONCE, sends(sender, lines, singly=singly))


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
    options.add_argument("--singly", action="store_true", help="UDP without segmentation by the kernel")
    options.add_argument("--authority", type=Path, help="of TLS: who signed the receiver's certificate, PEM")
    chosen = options.parse_args()
    lines = read(chosen.file, chosen.count)
    if chosen.framing == "octet-counted":
        lines = octet_counted(lines)
    address = (chosen.host, chosen.port)
    if chosen.protocol == "udp":
        sent = over_udp(lines, address, chosen.rate, singly=chosen.singly)
    elif chosen.protocol == "tcp":
        sent = over_tcp(lines, address, chosen.rate)
    else:
        sent = over_tls(lines, address, chosen.rate, chosen.authority)
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
