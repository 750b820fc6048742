"""What is in a file of logs: unpacked, and cut into messages. Exports of Luna Cloud HSM come as JSON, often packed."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol, cast

from ingest.framing import Framer
from ingest.json_objects import JsonObjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.framing import Framing

CHUNK = 4 << 20
MAX_MESSAGE = 65536
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
IN_MEMORY = 8 << 20
"""Of a packed file that comes through a pipe; a larger one is put into a temporary file."""

BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)
"""What reading a packed file can raise: damaged, cut, encrypted, or packed in a way that is not known."""

_OBJECTS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*(?:\{|\]\s*\Z)|\{\s*\n)")
"""An array of objects, or one that is printed over several lines; an object a line is lines like any other."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages in order; `cut` has the numbers of those that lost their end."""

    raw: list[bytes]
    cut: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.raw)


class _Reader(Protocol):
    def feed(self, received: bytes) -> Messages: ...

    def close(self) -> Messages: ...


class _Lines:
    """Messages by their framing."""

    def __init__(self, framing: Framing) -> None:
        self._framer = Framer(framing, MAX_MESSAGE)

    def feed(self, received: bytes) -> Messages:
        frames = self._framer.feed(received)
        return Messages(frames.messages(), frames.cut)

    def close(self) -> Messages:
        """A file's last line may lack its line feed: it is whole all the same."""
        return Messages(self._framer.close().messages())


class _Objects:
    """Messages that are JSON objects."""

    def __init__(self) -> None:
        self._objects = JsonObjects(MAX_MESSAGE)

    def feed(self, received: bytes) -> Messages:
        return Messages(*self._objects.feed(received))

    def close(self) -> Messages:
        return Messages(self._objects.close())


def contents(file: BinaryIO) -> Iterator[IO[bytes]]:
    """What a file holds: itself, or what is packed in it, whatever it is called."""
    file = file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file))
    magic = file.peek(len(ZIP))[: len(ZIP)]
    if magic.startswith(GZIP):
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    elif magic == ZIP:
        with _seekable(file) as whole, zipfile.ZipFile(whole) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    with archive.open(member) as content:
                        yield content
    else:
        yield file


@contextlib.contextmanager
def _seekable(file: IO[bytes]) -> Iterator[IO[bytes]]:
    if file.seekable():
        yield file
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
        shutil.copyfileobj(file, copy)
        yield copy


def messages(content: IO[bytes], framing: Framing = "lf") -> Iterator[Messages]:
    """A portion for each piece that is read, empty ones too."""
    chunk = content.read(CHUNK)
    reader: _Reader = _Objects() if framing == "lf" and _OBJECTS.match(chunk) else _Lines(framing)
    while chunk:
        yield reader.feed(chunk)
        chunk = content.read(CHUNK)
    yield reader.close()
