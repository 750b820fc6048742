"""Everything that one file holds, however it is packed: gzip, tar and zip, one within another.

An archive is a stranger's. Nothing is written where it says, nothing is followed, and nothing that it claims about
sizes is believed: bytes are counted as they come out, and too many of them end the file. What cannot be read is told
by its name, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import gzip
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol, cast

from ingest import zip_members
from ingest.file_content import messages
from ingest.tar_members import TarDamaged, is_tar, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.file_content import Messages
    from ingest.framing import Framing
    from ingest.tar_members import Readable

HEAD = 4096
"""Bytes that are looked at to see what a file is."""

PIECE = 8192
"""Bytes that are unpacked at once: as much may be lost before a damaged place."""

UNMEASURED = 64 << 20
"""Bytes that may come out of a file before their ratio to what was read of it counts."""

IN_MEMORY = 8 << 20
"""Of a zip that comes through a pipe or lies within an archive; a larger one is put into a temporary file."""

LONGEST_NAME = 500

BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, TarDamaged, RuntimeError)
"""What reading can raise: damaged, cut, encrypted, or packed in a way that is not known."""

GZIP = b"\x1f\x8b"
OTHER_PACKING = {
    b"BZh91AY&SY": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
}
SECRETS = ".lws"
"""What `audit secret export` writes."""

TEXT = bytes({7, 8, 9, 10, 11, 12, 13, 27, *range(0x20, 0x7F), *range(0x80, 0x100)})


class TooMuch(Exception):  # noqa: N818  (why a file is not read further)
    """More comes out of a file than it may hold."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may unpack to. `ratio`: bytes out for each byte read, once UNMEASURED bytes have come out."""

    bytes: int = 64 << 30
    ratio: int = 300
    members: int = 100_000
    depth: int = 5
    temporary_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Content:
    """One log. `name` is for people: the file's, or what its archive calls it."""

    name: str
    stream: Readable


@dataclass(frozen=True, slots=True)
class Said:
    """Why something was not read, or not to its end."""

    file: str
    why: str


@dataclass(slots=True)
class Notes:
    """`failed`: what should have been read and could not be. `left_out`: what is no log."""

    failed: list[Said] = field(default_factory=list)
    left_out: list[Said] = field(default_factory=list)


def _nobody(_octets: int) -> None:
    """Whoever does not count."""


class Stream:
    """Bytes in order, counted, with a look ahead."""

    def __init__(self, stream: Readable, count: Callable[[int], None] = _nobody) -> None:
        self._stream, self._count, self._ahead = stream, count, b""

    def read(self, size: int = -1, /) -> bytes:
        if self._ahead:
            octets = self._ahead if size < 0 else self._ahead[:size]
            self._ahead = self._ahead[len(octets) :]
            return octets
        octets = self._stream.read(size)
        self._count(len(octets))
        return octets

    def peek(self) -> bytes:
        """Up to HEAD bytes that are read next; a damaged place behind the first of them is met when it is read."""
        ahead = b""
        try:
            while len(ahead) < HEAD and (octets := self.read(HEAD - len(ahead))):
                ahead += octets
        except BROKEN:
            if not ahead:
                raise
        self._ahead = ahead
        return ahead


class _Unpacked(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _AsFarAsItGoes:
    """What unpacks, in small pieces: an error at the end of them does not take along what came before it."""

    def __init__(self, unpacked: _Unpacked) -> None:
        self._unpacked = unpacked
        self._error: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        if self._error is not None:
            raise self._error
        found = bytearray()
        try:
            while len(found) != size and (octets := self._piece(size - len(found))):
                found += octets
        except BROKEN as error:
            self._error = error
            if not found:
                raise
        return bytes(found)

    def _piece(self, left: int) -> bytes:
        return self._unpacked.read1(PIECE if left < 0 else min(PIECE, left))


class Unpacking:
    """One file. `read`: told how many bytes were read of it, for a progress bar."""

    def __init__(
        self, limits: Limits | None = None, notes: Notes | None = None, read: Callable[[int], None] = _nobody
    ) -> None:
        self.notes = Notes() if notes is None else notes
        self._limits, self._read = limits or Limits(), read
        self._packed = self._unpacked = self._members = 0
        self._names: dict[str, int] = {}

    def contents(self, file: IO[bytes], name: str) -> Iterator[Content]:
        """Every log in the file. Raises TooMuch; what else goes wrong is noted."""
        yield from self._opened(file, name, 0)

    def _opened(self, file: Readable, name: str, depth: int) -> Iterator[Content]:
        try:
            yield from self._within(file, name, depth)
        except BROKEN as error:
            self._fail(name, error)

    def readable(self, content: Content, framing: Framing = "lf") -> Iterator[Messages]:
        """Portions of a log's messages, as far as it can be read."""
        try:
            yield from messages(content.stream, framing)
        except BROKEN as error:
            self._fail(content.name, error)

    def _fail(self, name: str, error: BaseException) -> None:
        self.notes.failed.append(Said(name, f"cannot be read to its end: {_in_words(error)}"))

    def _within(self, file: Readable, name: str, depth: int) -> Iterator[Content]:
        stream = Stream(file, self._taken) if depth == 0 else Stream(file)
        head = stream.peek()
        if depth > self._limits.depth:
            self.notes.failed.append(Said(name, f"is packed more than {self._limits.depth} times over"))
        elif head.startswith(GZIP):
            unzipped = gzip.GzipFile(fileobj=cast("IO[bytes]", stream))
            yield from self._opened(Stream(_AsFarAsItGoes(unzipped), self._out), name, depth + 1)
        elif head.startswith(zip_members.STARTS):
            yield from self._zip(file, stream, name, depth)
        elif is_tar(head):
            yield from self._tar(stream, name, depth)
        elif packing := next((word for magic, word in OTHER_PACKING.items() if head.startswith(magic)), ""):
            self.notes.failed.append(Said(name, f"is packed with {packing}: unpack it first"))
        elif why := _no_log(name, head, within=depth > 0):
            self.notes.left_out.append(Said(name, why))
        else:
            yield Content(name, stream)

    def _tar(self, stream: Stream, name: str, depth: int) -> Iterator[Content]:
        for member in members(stream):
            inner = self._named(name, member.name)
            if member.why_not:
                self.notes.left_out.append(Said(inner, member.why_not))
            else:
                yield from self._opened(member.part, inner, depth + 1)

    def _zip(self, file: Readable, stream: Stream, name: str, depth: int) -> Iterator[Content]:
        with self._seekable(file, stream, depth) as whole:
            count = self._taken if whole is file else _nobody
            archive = zip_members.opened(whole, count)
            for member in zip_members.files_in(archive):
                inner = self._named(name, member.filename)
                if why := zip_members.why_not(member):
                    self.notes.left_out.append(Said(inner, why))
                else:
                    yield from self._member_of_zip(archive, member, inner, depth)

    def _member_of_zip(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, depth: int
    ) -> Iterator[Content]:
        try:
            with zip_members.content_of(archive, member) as content:
                yield from self._opened(Stream(_AsFarAsItGoes(content), self._out), name, depth + 1)
        except BROKEN as error:
            self._fail(name, error)

    @contextlib.contextmanager
    def _seekable(self, file: Readable, stream: Stream, depth: int) -> Iterator[IO[bytes]]:
        """The file itself, or a copy of a stream; its end is where a zip begins to be read."""
        whole = cast("IO[bytes]", file)
        if depth == 0 and whole.seekable():
            yield whole
            return
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
            shutil.copyfileobj(_AtMost(stream, self._limits.temporary_bytes), copy)
            yield cast("IO[bytes]", copy)

    def _named(self, archive: str, member: str) -> str:
        """A path of its own for every member, whatever the archive calls it."""
        self._members += 1
        if self._members > self._limits.members:
            raise TooMuch(f"has more than {self._limits.members:,} members; what came before is kept")
        name = f"{archive}!{member[:LONGEST_NAME]}"
        self._names[name] = turn = self._names.get(name, 0) + 1
        return name if turn == 1 else f"{name}#{turn}"

    def _taken(self, octets: int) -> None:
        self._packed += octets
        self._read(octets)

    def _out(self, octets: int) -> None:
        self._unpacked += octets
        if self._unpacked > self._limits.bytes:
            raise TooMuch(f"unpacks to more than {self._limits.bytes:,} bytes; what came before is kept")
        if self._unpacked > UNMEASURED and self._unpacked > self._limits.ratio * self._packed:
            raise TooMuch(f"unpacks to more than {self._limits.ratio} times its size; what came before is kept")


class _AtMost:
    def __init__(self, stream: Readable, size: int) -> None:
        self._stream, self._left, self._size = stream, size, size

    def read(self, size: int = -1, /) -> bytes:
        octets = self._stream.read(size)
        self._left -= len(octets)
        if self._left < 0:
            raise TooMuch(f"holds a zip of more than {self._size:,} bytes; unpack it first")
        return octets


def _no_log(name: str, head: bytes, *, within: bool) -> str:
    """Why this is left out. A file that somebody chose is read whatever is in it; members were chosen by nobody."""
    if name.lower().endswith(SECRETS):
        return "holds an audit secret and no log"
    if within and len(head.translate(None, TEXT)) > len(head) * 0.3:
        return "is no text"
    return ""


def _in_words(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__
