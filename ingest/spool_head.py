"""The published state of a spool: one small file, rewritten in place after each durable commit."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"HSMTHD02"
LAYOUT = struct.Struct("<8sQQQQQ32s32s")
CHECK = struct.Struct("<I")
NAME = "head"


@dataclass(frozen=True, slots=True)
class Head:
    """Running numbers, without the receiver's; offsets in the file of the segment that begins with batch `segment`.

    `sha256` is the last batch's digest, `message` that of its bytes in the file.
    """

    segment: int
    committed: int
    last_offset: int
    last_batch: int
    next_record: int
    sha256: bytes
    message: bytes


def read_head(directory: Path) -> Head | None:
    """None when there is none, or none that can be believed."""
    for _ in range(3):  # a reader may meet a half-written one
        try:
            octets = (directory / NAME).read_bytes()
        except FileNotFoundError:
            return None
        head = _head(octets)
        if head is not None:
            return head
    return None


def _head(octets: bytes) -> Head | None:
    body = octets[: LAYOUT.size]
    if len(octets) != LAYOUT.size + CHECK.size or octets[LAYOUT.size :] != CHECK.pack(zlib.crc32(body)):
        return None
    magic, *fields = LAYOUT.unpack(body)
    return Head(*fields) if magic == MAGIC else None


class HeadFile:
    """Open for as long as the writer lives."""

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def publish(self, head: Head) -> None:
        body = LAYOUT.pack(MAGIC, *astuple(head))
        os.pwrite(self._file, body + CHECK.pack(zlib.crc32(body)), 0)

    def close(self) -> None:
        os.close(self._file)
