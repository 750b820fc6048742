"""The members of a zip archive, whoever made it.

The standard library reads it, and believes what the archive says of places and lengths. What it is misled to try and
cannot do is an error of the archive, and it reads no more at once than is sensible.
"""

from __future__ import annotations

import contextlib
import stat
import zipfile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STARTS = (b"PK\x03\x04", b"PK\x05\x06")
"""Of an archive with members, and of one without."""

DIRECTORY_BYTES = 16 << 20
"""Of the list of members, which is read at once."""

READ_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The ways of zip that unpack no more at once than is asked for."""

ENCRYPTED = 0x1

MISLED = (ValueError, OverflowError, IndexError, zipfile.LargeZipFile)
"""What the library raises when places are before the file or beyond all numbers, and names are not in UTF-8."""


def opened(file: IO[bytes], count: Callable[[int], None]) -> zipfile.ZipFile:
    """The archive; `count` is told of each piece that is read. Raises BadZipFile."""
    with _told_as_damage():
        return zipfile.ZipFile(cast("IO[bytes]", _SmallReads(file, count)))


@contextlib.contextmanager
def content_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[zipfile.ZipExtFile]:
    """Raises BadZipFile when there is none where the archive says, and what reading a damaged file raises."""
    with _told_as_damage():
        content = cast("zipfile.ZipExtFile", archive.open(member))
    with content:
        yield content


def files_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Every member but folders; a name may well be empty."""
    return [member for member in archive.infolist() if not member.filename.endswith("/")]


def why_not(member: zipfile.ZipInfo) -> str:
    """Why a member is not read; '' for a file that is."""
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link: it is not followed"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted: unpack it first"
    if member.compress_type not in READ_COMPRESSION:
        return "is packed in a way that is not read: unpack it first"
    return ""


@contextlib.contextmanager
def _told_as_damage() -> Iterator[None]:
    try:
        yield
    except MISLED as error:
        raise zipfile.BadZipFile(f"what it says of its members cannot be: {error}") from None


class _SmallReads:
    """The archive's own figures decide how much is read of it at once: no more than this."""

    def __init__(self, file: IO[bytes], count: Callable[[int], None]) -> None:
        self._file, self._count = file, count
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of members has {size:,} bytes; {DIRECTORY_BYTES:,} are read at most")
        octets = self._file.read(size)
        self._count(len(octets))
        return octets
