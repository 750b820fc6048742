"""Lines as datagrams, for little of a core: the kernel cuts lines of one length apart (udp(7), UDP_SEGMENT).

Each line is a datagram of its own: it has its own header, is received alone, and is dropped and counted alone. What is
saved is the way through the kernel's network stack, which up to 64 go together; loopback cuts them apart before the
receiver's socket. A kernel that cannot takes them one by one (sendmmsg(2)).

Lines of one length must stand together for it. `grouped` moves a line among 8,192 (41 ms at 200,000 a second), which
makes stretches of about 40; text and number of the lines stay as they are.

One difference is in the receiver's favour: a datagram of 220 bytes takes 1,052 bytes of its buffer, one that was sent
singly 1,280. Whoever is measured gets the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from numpy.typing import NDArray
    from send_lines import Lines

    Vectors = NDArray[np.uint64]
    """A row for each line: its address and its length (struct iovec)."""

LIBC = ctypes.CDLL(None, use_errno=True)
SOL_UDP, UDP_SEGMENT = 17, 103
HEADER_WORDS = 8
"""struct mmsghdr on 64-bit Linux; words 2 and 3 are the vector's place and the number of vectors."""

VECTOR_BYTES = 16

DATAGRAMS_AT_ONCE = 64
WINDOW = 8192
FULL_PAUSE = 0.0003


def grouped(lines: Lines) -> Lines:
    """The same lines, within each window the shortest first."""
    order = np.lexsort((lines.ends - lines.starts, np.arange(len(lines.starts)) // WINDOW))
    return replace(lines, starts=lines.starts[order], ends=lines.ends[order])


def sends(sender: socket.socket, lines: Lines, *, singly: bool = False) -> Callable[[int, int], None]:
    """A function that sends the lines from its first argument to before its second; `sender` is connected."""
    vectors = np.zeros((len(lines.starts), 2), np.uint64)
    vectors[:, 0], vectors[:, 1] = lines.octets.ctypes.data + lines.starts, lines.ends - lines.starts
    way = Singly if singly or not can_segment(sender) else Segmented
    return way(sender, vectors).send


def can_segment(sender: socket.socket) -> bool:
    try:
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
    except OSError:
        return False
    return True


class Segmented:
    """One call of the kernel for each stretch of lines of one length."""

    def __init__(self, sender: socket.socket, vectors: Vectors) -> None:
        self._sender, self._vectors, self._segment = sender, vectors, 0
        self._lengths = vectors[:, 1].astype(np.int64)
        changes = np.flatnonzero(np.diff(self._lengths)) + 1
        which = np.searchsorted(changes, np.arange(len(vectors)), side="right")
        self._ends = np.append(changes, len(vectors))[which]

    def send(self, first: int, end: int) -> None:
        while first < end:
            self._cut_at(int(self._lengths[first]))
            stop = min(end, int(self._ends[first]), first + DATAGRAMS_AT_ONCE)
            place = ctypes.c_void_p(self._vectors.ctypes.data + VECTOR_BYTES * first)
            first = stop if _sent(LIBC.writev(self._sender.fileno(), place, stop - first)) else first

    def _cut_at(self, length: int) -> None:
        if length != self._segment:
            self._sender.setsockopt(SOL_UDP, UDP_SEGMENT, length)
            self._segment = length


class Singly:
    """A header for each line, sendmmsg(2) for many headers."""

    def __init__(self, sender: socket.socket, vectors: Vectors) -> None:
        self._sender, self._vectors = sender, vectors  # the headers point at them
        self._headers = np.zeros((len(vectors), HEADER_WORDS), np.uint64)
        self._headers[:, 2] = vectors.ctypes.data + np.arange(len(vectors)) * VECTOR_BYTES
        self._headers[:, 3] = 1

    def send(self, first: int, end: int) -> None:
        while first < end:
            place = ctypes.c_void_p(self._headers.ctypes.data + self._headers.strides[0] * first)
            first += _sent(LIBC.sendmmsg(self._sender.fileno(), place, end - first, 0))


def _sent(result: int) -> int:
    """What the call said; 0 when it must be made again."""
    if result >= 0:
        return result
    number = ctypes.get_errno()
    if number not in (errno.EAGAIN, errno.ENOBUFS):
        raise OSError(number, os.strerror(number))
    time.sleep(FULL_PAUSE)
    return 0
