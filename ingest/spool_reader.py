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
    """A published batch cannot be read. `resume_after` is a batch number to go on after, if a later segment is there."""

    def __init__(self, segment: str, place: int, missing: int, resume_after: int | None) -> None:
        super().__init__(f"{segment}: batch {missing} cannot be read, at byte {place}; `hsmtrail verify` says more")
        self.segment, self.place, self.missing, self.resume_after = segment, place, missing, resume_after


class SpoolReader:
    """Starts behind `after_batch` (a full number; None: at the start). Polling an idle spool reads one small file."""

    def __init__(self, directory: Path, after_batch: int | None = None) -> None:
        self._directory = directory
        self._next = (after_batch or 0) & RUNNING
        self._next += 1
        self._segment, self._place, self._file = 0, 0, -1

    def next_batches(self, max_bytes: int = 28 << 20) -> list[SpooledBatch]:
        """Up to about `max_bytes` of rows, at least one batch when there is one; never past the published head."""
        head = read_head(self._directory)
        found: list[SpooledBatch] = []
        size = 0
        while head is not None and self._next <= head.last_batch and size < max_bytes:
            for stored in self._stored(head, max_bytes - size):
                if stored is not None:
                    found.append(stored)
                    size += stored.table.nbytes
        return found
