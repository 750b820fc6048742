"""recvmmsg(2) into preallocated slots: many datagrams a call, and no Python object for any of them."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBC = ctypes.CDLL(None, use_errno=True)
MSG_WAITFORONE = 0x10000
NAME_BYTES = 32
"""Room for one sender's address (sockaddr_in6 has 28 bytes)."""

HEADER_WORDS = 8
"""struct mmsghdr on 64-bit Linux: name, name length, vector, its length, control, its length, flags, bytes received."""

FLAGS_WORD, LENGTH_WORD = 12, 14
"""The last two, counted in 32-bit words."""

AGAIN = (errno.EAGAIN, errno.EINTR)


class Slots:
    """Slots for `count` datagrams of at most `size` bytes; what is longer is cut by the kernel."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        memory = mmap.mmap(-1, count * size)  # pages come with the datagrams; numpy would ask for huge ones
        self.block = memoryview(memory)
        self._octets = np.frombuffer(memory, np.uint8).reshape(count, size)
        self.names = np.zeros((count, NAME_BYTES), np.uint8)
        self._vectors = np.zeros((count, 2), np.uint64)
        self._vectors[:, 0] = _addresses(self._octets)
        self._vectors[:, 1] = size
        self._headers = np.zeros((count, HEADER_WORDS), np.uint64)
        self._headers[:, 0] = _addresses(self.names)
        self._headers[:, 1] = NAME_BYTES
        self._headers[:, 2] = _addresses(self._vectors)
        self._headers[:, 3] = 1
        words = self._headers.view(np.uint32)
        self.lengths: NDArray[np.uint32] = words[:, LENGTH_WORD]
        self._flags: NDArray[np.uint32] = words[:, FLAGS_WORD]

    def receive(self, file: int, first: int, *, wait: bool) -> int:
        """Fill slots from `first` on; how many came. Waits for one at most as long as the socket's timeout."""
        flags = MSG_WAITFORONE if wait else socket.MSG_DONTWAIT
        headers = ctypes.c_void_p(self._headers.ctypes.data + first * HEADER_WORDS * 8)
        got = LIBC.recvmmsg(file, headers, self.count - first, flags, None)
        if got >= 0:
            return int(got)
        number = ctypes.get_errno()
        if number in AGAIN:
            return 0
        raise OSError(number, os.strerror(number))

    def cut(self, filled: int) -> NDArray[np.bool_]:
        too_long: NDArray[np.bool_] = np.not_equal(self._flags[:filled] & np.uint32(socket.MSG_TRUNC), 0)
        return too_long


def _addresses(rows: NDArray[np.generic]) -> NDArray[np.uint64]:
    return np.uint64(rows.ctypes.data) + np.arange(len(rows), dtype=np.uint64) * np.uint64(rows.strides[0])
