"""The members of a tar archive as they pass by, one after another, whoever made the archive.

Nothing is unpacked to disk, so names are only words. Headers are read by the standard library, which does not get to
decide how much is read: the sizes that an archive claims are never memory, and a member that ends early is an error.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = tarfile.BLOCKSIZE
MAGIC, MAGIC_PLACE = b"ustar", 257
LONGEST_HEADER = 1 << 20
"""Bytes of an extended header: a name of 4 KiB is the longest that a file can have."""

SKIPPED_AT_ONCE = 1 << 20

LONG_NAME, LONG_LINK, OF_ALL, OF_ONE = b"L", b"K", b"g", b"x"
REGULAR = frozenset((tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE))
WITHOUT_CONTENT = frozenset(
    (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
)
OTHERS = {
    tarfile.LNKTYPE: "is a link: its file is read where it is itself",
    tarfile.SYMTYPE: "is a link: it is not followed",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a pipe",
    tarfile.GNUTYPE_SPARSE: "is a sparse file: unpack it first",
}
UNKNOWN = "is of a kind that is no file"


class Readable(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int = ..., /) -> bytes: ...


class TarDamaged(Exception):  # noqa: N818  (what is said of the archive)
    """Where the archive stops making sense, and how."""


class Part:
    """The bytes of one member; EOFError when the archive ends within them."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream, self.left = stream, size

    def read(self, size: int = -1, /) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        octets = self._stream.read(wanted) if wanted else b""
        if wanted and not octets:
            raise EOFError(f"the archive ends {self.left:,} bytes before this member does")
        self.left -= len(octets)
        return octets


@dataclass(frozen=True, slots=True)
class Member:
    """`why_not` is '' for a file, else why it is not read."""

    name: str
    part: Part
    why_not: str = ""


@dataclass(slots=True)
class _Said:
    """What extended headers say of the next member."""

    name: str = ""
    size: int | None = None
    sparse: bool = False


def is_tar(head: bytes) -> bool:
    """Whether a file begins with a whole header: a line of text may well have the magic word in its place."""
    if head[MAGIC_PLACE : MAGIC_PLACE + len(MAGIC)] != MAGIC:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:BLOCK], "utf-8", "backslashreplace")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def members(stream: Readable) -> Iterator[Member]:
    """Every member but folders, in order. What is not read of one is skipped before the next."""
    said = _Said()
    while (header := _header(stream)) is not None:
        if header.type in (LONG_NAME, LONG_LINK, OF_ALL, OF_ONE):
            _extend(said, header.type, _whole(stream, header.size))
            continue
        size = 0 if header.type in WITHOUT_CONTENT else header.size if said.size is None else said.size
        part = Part(stream, size)
        if header.type != tarfile.DIRTYPE:
            yield Member(said.name or header.name, part, _why_not(header.type, sparse=said.sparse))
        while part.left:
            part.read(SKIPPED_AT_ONCE)
        _padding(stream, size)
        said = _Said()


def _why_not(kind: bytes, *, sparse: bool) -> str:
    if kind in REGULAR:
        return OTHERS[tarfile.GNUTYPE_SPARSE] if sparse else ""
    return OTHERS.get(kind, UNKNOWN)


def _header(stream: Readable) -> tarfile.TarInfo | None:
    """The next header; None at the end of the archive, which is a block of zeros or the end of the file."""
    block = _exactly(stream, BLOCK, or_none=True)
    if not block or not block.strip(b"\0"):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "backslashreplace")
    except (tarfile.HeaderError, ValueError) as error:
        raise TarDamaged(f"is no tar archive from here on: {error}") from None
    if header.size < 0:
        raise TarDamaged("has a member of a negative size")
    return header


def _whole(stream: Readable, size: int) -> bytes:
    if size > LONGEST_HEADER:
        raise TarDamaged(f"has a header of {size:,} bytes; {LONGEST_HEADER:,} are read at most")
    octets = _exactly(stream, size)
    _padding(stream, size)
    return octets


def _extend(said: _Said, kind: bytes, octets: bytes) -> None:
    if kind == LONG_NAME:
        said.name = octets.rstrip(b"\0").decode("utf-8", "backslashreplace")
    elif kind == OF_ONE:
        for key, value in _pairs(octets):
            if key == b"path":
                said.name = value.decode("utf-8", "backslashreplace")
            elif key == b"size":
                said.size = _number(value)
            said.sparse |= key.startswith(b"GNU.sparse")


def _pairs(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Lines of `LENGTH KEY=VALUE`, the length counting itself and the line feed."""
    place = 0
    while place < len(octets) and octets[place]:
        digits, blank, _ = octets[place : place + 12].partition(b" ")
        length = _number(digits)
        if not blank or length <= len(digits) + 1:
            raise TarDamaged("has an extended header that cannot be read")
        key, _, value = octets[place + len(digits) + 1 : place + length].partition(b"=")
        yield key, value.removesuffix(b"\n")
        place += length


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 19:
        raise TarDamaged("has an extended header that cannot be read")
    return int(digits)


def _padding(stream: Readable, size: int) -> None:
    """Contents end at a whole block."""
    _exactly(stream, -size % BLOCK, or_none=True)


def _exactly(stream: Readable, size: int, *, or_none: bool = False) -> bytes:
    found = bytearray()
    while len(found) < size:
        octets = stream.read(size - len(found))
        if not octets:
            if or_none and not found:
                return b""
            raise EOFError("the archive ends within a header")
        found += octets
    return bytes(found)
