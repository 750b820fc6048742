"""Follow a spool from another process: every published batch once, in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ingest import counters
from ingest.spool_batch import SpooledBatch
from ingest.spool_head import read_head
from ingest.spool_recovery import RUNNING, committed_at
from ingest.spool_segment import segment_path, segments, stored_batches

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.spool_head import Head
    from ingest.spool_segment import StoredBatch

LEAST_CHUNK = 1 << 20


class SpoolDamaged(Exception):  # noqa: N818  (what it says of the spool)
    """A published batch cannot be read. `resume_after`: the batch to go on after, when a later segment is there."""

    def __init__(self, segment: str, place: int, missing: int, resume_after: int | None) -> None:
        super().__init__(f"{segment}: batch {missing} cannot be read at byte {place}; `hsmtrail verify` says more")
        self.segment, self.place, self.missing, self.resume_after = segment, place, missing, resume_after


class SpoolReader:
    """Starts behind `after_batch` (a full number; None: at the start). Polling an idle spool reads one small file."""

    def __init__(self, directory: Path, after_batch: int | None = None) -> None:
        self._directory = directory
        self._receiver = (after_batch or 0) & ~RUNNING
        self._next = ((after_batch or 0) & RUNNING) + 1
        self._segment, self._place, self._file = 0, 0, -1

    def next_batches(self, max_bytes: int = 28 << 20) -> list[SpooledBatch]:
        """Up to about `max_bytes` of rows, at least one batch if there is one, never past the published head.

        SpoolDamaged when a published batch cannot be read; what came before it was returned by an earlier call.
        """
        head = read_head(self._directory)
        found: list[SpooledBatch] = []
        size = 0
        while head is not None and self._next <= head.last_batch and size < max_bytes:
            more = self._from_segment(head, max_bytes - size)
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
                found.append(self._spooled(number, stored))
                size += stored.table.nbytes
                self._next += 1
            if size >= max_bytes or self._next > head.last_batch:
                break
        return found

    def _turn_page(self) -> bool:
        """Open the segment that should have the next batch; False when that one was read already, or is not there."""
        first = max((number for number in segments(self._directory) if number <= self._next), default=0)
        if first in (0, self._segment):
            return False
        self.close()
        self._file = os.open(segment_path(self._directory, first), os.O_RDONLY | os.O_CLOEXEC)
        self._segment = first
        return True

    def _spooled(self, number: int, stored: StoredBatch) -> SpooledBatch:
        words = stored.metadata
        self._receiver = number & ~RUNNING
        return SpooledBatch(
            batch=number,
            first_record=int(words["first_record"]),
            rows=stored.table.num_rows,
            sha256=words["sha256"],
            previous=words["previous"],
            committed_at=committed_at(stored),
            counters=counters.read(words["counters"]),
            segment=self._name(self._segment),
            table=stored.table,
        )

    def _damage(self) -> SpoolDamaged:
        later = min((number for number in segments(self._directory) if number > self._next), default=None)
        resume_after = None if later is None else self._receiver | (later - 1)
        name = self._name(self._segment or self._next)
        return SpoolDamaged(name, self._place, self._receiver | self._next, resume_after)

    def _name(self, segment: int) -> str:
        """Below data_dir."""
        return "/".join(segment_path(self._directory, segment).parts[-3:])
