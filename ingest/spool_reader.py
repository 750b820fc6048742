"""Follow a spool from another process: every published batch once, in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ingest.archive import sealed_files
from ingest.evidence import Damage, batches, spooled
from ingest.spool_head import read_head
from ingest.spool_recovery import RUNNING
from ingest.spool_segment import segment_path, segments, stored_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.spool_batch import SpooledBatch
    from ingest.spool_head import Head

LEAST_CHUNK = 1 << 20


class SpoolDamaged(Exception):  # noqa: N818  (what it says of the spool)
    """A published batch cannot be read. `resume_after`: the batch before the next one that can be, if one can."""

    def __init__(self, segment: str, place: int, missing: int, resume_after: int | None) -> None:
        super().__init__(f"{segment}: batch {missing} cannot be read at byte {place}; `hsmtrail verify` says more")
        self.segment, self.place, self.missing, self.resume_after = segment, place, missing, resume_after


class SpoolReader:
    """Starts behind `after_batch` (a full number; None: at the start). Polling an idle spool reads one small file.

    What was sealed already comes from the archive. `careful`: go around damage in the segment that it begins in.
    """

    def __init__(self, directory: Path, after_batch: int | None = None, *, careful: bool = False) -> None:
        self._directory = directory
        self._receiver = (after_batch or 0) & ~RUNNING
        self._next = ((after_batch or 0) & RUNNING) + 1
        self._segment, self._place, self._file = 0, 0, -1
        self._data_dir = directory.parents[1]
        self._archived = ""
        self._proven: Iterator[SpooledBatch | Damage] | None = None
        if careful:
            self._proven = batches(self._data_dir, directory.name, self._next - 1)

    def next_batches(self, max_bytes: int = 28 << 20) -> list[SpooledBatch]:
        """Up to about `max_bytes` of rows, at least one batch if there is one, never past the published head.

        SpoolDamaged when a published batch cannot be read; what came before it was returned by an earlier call.
        """
        head = read_head(self._directory)
        found: list[SpooledBatch] = []
        size = 0
        while head is not None and self._next <= head.last_batch and size < max_bytes:
            more = self._from_archive(max_bytes - size) or self._from_segment(head, max_bytes - size)
            found += more
            size += sum(batch.table.nbytes for batch in more)
            if not more and not self._turn_page():
                if found:
                    break
                raise self._damage()
        return found

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._segment, self._place, self._file = 0, 0, -1
        self._archived, self._proven = "", None

    def _from_archive(self, max_bytes: int) -> list[SpooledBatch]:
        """What was sealed, or lies behind damage; each batch is proven. What follows is read from the spool again."""
        found: list[SpooledBatch] = []
        size = 0
        while self._proven is not None and size < max_bytes:
            batch = next(self._proven, None)
            if isinstance(batch, Damage):
                self._archived, self._place = batch.file, batch.start
            if batch is None or isinstance(batch, Damage) or batch.batch & RUNNING != self._next:
                self._proven = None
                break
            found.append(batch)
            size += batch.table.nbytes
            self._next += 1
            self._receiver = batch.batch & ~RUNNING
        return found

    def _from_segment(self, head: Head, max_bytes: int) -> list[SpooledBatch]:
        if self._file < 0:
            return []
        limit = head.committed if self._segment == head.segment else os.fstat(self._file).st_size
        found: list[SpooledBatch] = []
        size = 0
        for stored in stored_batches(self._file, self._place, limit, max(LEAST_CHUNK, max_bytes // 4)):
            number = int(stored.metadata.get("batch", 0))
            if number & RUNNING > self._next:
                break
            self._place = stored.end
            if number & RUNNING == self._next:
                found.append(spooled(stored, self._name(self._segment)))
                self._receiver = number & ~RUNNING
                size += stored.table.nbytes
                self._next += 1
            if size >= max_bytes or self._next > head.last_batch:
                break
        return found

    def _turn_page(self) -> bool:
        """Open the segment that should have the next batch; False when that one was read already, or is not there."""
        there = (*segments(self._directory), *sealed_files(self._data_dir, self._directory.name))
        first = max((number for number in there if number <= self._next), default=0)
        if first in {0, self._segment}:
            return False
        self.close()
        self._segment = first
        try:
            self._file = os.open(segment_path(self._directory, first), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._proven = batches(self._data_dir, self._directory.name, self._next - 1)
        return True

    def _damage(self) -> SpoolDamaged:
        name = self._archived or self._name(self._segment or self._next)
        return SpoolDamaged(name, self._place, self._receiver | self._next, self._resume_after())

    def _resume_after(self) -> int | None:
        """The batch before the next one that can be proven."""
        later = (found for found in batches(self._data_dir, self._directory.name, self._next - 1))
        intact = next((found for found in later if not isinstance(found, Damage)), None)
        return None if intact is None else intact.batch - 1

    def _name(self, segment: int) -> str:
        """Below data_dir."""
        return "/".join(segment_path(self._directory, segment).parts[-3:])
