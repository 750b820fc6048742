"""The end of a segment file, where batches are added: written and on disk, or not there at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ingest.spool_batch import END_OF_STREAM, SCHEMA_MESSAGE
from ingest.spool_segment import segment_path

if TYPE_CHECKING:
    from pathlib import Path

ASIDE = ".torn"


class OpenSegment:
    """One segment that takes batches; `committed` is the end of the last one."""

    def __init__(self, path: Path, first_batch: int, committed: int) -> None:
        self.first_batch, self.committed, self._path = first_batch, committed, path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def begin(cls, directory: Path, first_batch: int) -> OpenSegment:
        """A new one; a file that is in its place holds no batch that was ever published, and is set aside."""
        path = segment_path(directory, first_batch)
        if path.exists() and path.stat().st_size:
            path.rename(free_name(path))
        segment = cls(path, first_batch, 0)
        try:
            segment.cut()
            _sync_folder(directory)
        except OSError:
            segment.discard()
            raise
        return segment

    @classmethod
    def reopen(cls, directory: Path, first_batch: int, committed: int, *, keep_tail: bool) -> OpenSegment:
        """Cut what follows the last batch; `keep_tail` writes it into a file beside the segment first."""
        segment = cls(segment_path(directory, first_batch), first_batch, committed)
        if keep_tail:
            segment._set_tail_aside()
        segment.cut()
        return segment

    def append(self, octets: memoryview) -> int:
        """Where the batch begins, once it is on disk; after an OSError the file is as before."""
        start = self.committed or len(SCHEMA_MESSAGE)
        try:
            if not self.committed:
                _write_all(self._file, memoryview(SCHEMA_MESSAGE), 0)
            _write_all(self._file, octets, start)
            os.fdatasync(self._file)
        except OSError:
            self.cut()
            raise
        self.committed = start + len(octets)
        return start

    def cut(self, committed: int | None = None) -> None:
        """Take everything away behind `committed`."""
        self.committed = self.committed if committed is None else committed
        os.ftruncate(self._file, self.committed)

    def finish(self) -> None:
        """End the Arrow stream and close. Readers can do without the end, should the disk be full."""
        with suppress(OSError):
            _write_all(self._file, memoryview(END_OF_STREAM), self.committed)
            os.fdatasync(self._file)
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def discard(self) -> None:
        """Close a segment that never got a batch, and remove its file."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _set_tail_aside(self) -> None:
        size = os.fstat(self._file).st_size - self.committed
        if size <= 0 or os.pread(self._file, size, self.committed) == END_OF_STREAM:
            return
        copy = os.open(free_name(self._path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.copy_file_range(self._file, copy, size, self.committed)
            os.fsync(copy)
        finally:
            os.close(copy)


def free_name(path: Path) -> Path:
    """PATH.torn, PATH.torn2, …"""
    number = 1
    while (aside := path.with_name(f"{path.name}{ASIDE}{number if number > 1 else ''}")).exists():
        number += 1
    return aside


def _write_all(file: int, octets: memoryview, place: int) -> None:
    while octets:
        written = os.pwrite(file, octets, place)
        octets, place = octets[written:], place + written


def _sync_folder(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
