"""All batches of one spool as they were received, out of the archive and the spool: each proven, damage named.

A reader of history uses this; the loader follows the spool itself and comes here only for what was sealed already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest import counters
from ingest.archive import evidence_files, sealed_files
from ingest.archive_file import proven_sealed
from ingest.archive_manifest import listed
from ingest.spool_batch import NUMBER_BITS, SpooledBatch
from ingest.spool_head import read_head
from ingest.spool_recovery import committed_at
from ingest.spool_salvage import Unreadable, proven_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingest.archive import EvidenceFile
    from ingest.archive_manifest import Sealed
    from ingest.spool_segment import StoredBatch

RUNNING = (1 << NUMBER_BITS) - 1


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a file (below data_dir) that give no batch, and why; `end` is exclusive."""

    file: str
    start: int
    end: int
    why: str


def batches(data_dir: Path, name: str, after_batch: int = 0) -> Iterator[SpooledBatch | Damage]:
    """Behind one batch (running number), in order. A batch that is not there at all is missing in silence: count."""
    seen, sealed = after_batch, listed(data_dir)
    for file in evidence_files(data_dir, name):
        if file.next_batch is not None and file.next_batch - 1 <= seen:
            continue
        place = file.path.relative_to(data_dir).as_posix()
        for found in _of(data_dir, name, file, sealed.get(place), seen):
            if isinstance(found, Unreadable):
                yield Damage(place, found.start, found.end, found.why)
            elif (number := int(found.metadata["batch"]) & RUNNING) > seen:
                seen = number
                yield spooled(found, place)


def _of(
    data_dir: Path, name: str, file: EvidenceFile, sealed: Sealed | None, after: int
) -> Iterator[StoredBatch | Unreadable]:
    """What the file has; a segment that is sealed at this moment is read from the archive."""
    if file.sealed:
        yield from proven_sealed(file.path, sealed, after)
        return
    try:
        head = read_head(data_dir / "spool" / name)
        is_open = head is not None and head.segment == file.first_batch
        yield from proven_batches(file.path, head.committed if head is not None and is_open else None)
    except FileNotFoundError:
        path = sealed_files(data_dir, name).get(file.first_batch)
        if path is not None:
            yield from proven_sealed(path, listed(data_dir).get(path.relative_to(data_dir).as_posix()), after)


def spooled(found: StoredBatch, place: str) -> SpooledBatch:
    """The batch as readers get it."""
    words = found.metadata
    return SpooledBatch(
        batch=int(words["batch"]),
        first_record=int(words["first_record"]),
        rows=found.table.num_rows,
        sha256=words["sha256"],
        previous=words["previous"],
        committed_at=committed_at(found),
        counters=counters.read(words["counters"]),
        segment=place,
        table=found.table,
    )
