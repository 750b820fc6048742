"""An import leaves its segment open, for the next one may follow at once; when none did, the segment is ended here.

A receiver ends its own segments: it spools at least a batch a minute. Nobody writes the spool of imports between two.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa

from ingest.file_import import NAME, NUMBER
from ingest.spool_batch import SPOOL_SCHEMA
from ingest.spool_head import read_head
from ingest.spool_segment import batches_of, segment_path
from ingest.spool_writer import SpoolError, SpoolWriter

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.spool_writer import SpoolSettings


def end_idle_import(data_dir: Path, settings: SpoolSettings) -> bool:
    """Begin a new segment with a batch without lines when the last import is older than a segment may become."""
    folder = data_dir / "spool" / NAME
    head = read_head(folder)
    if head is None or not head.last_batch:
        return False
    path = segment_path(folder, head.segment)
    if not path.exists() or time.time() - path.stat().st_mtime < settings.seal_seconds:
        return False
    last = next(batches_of(path, head.last_offset, head.committed), None)
    if last is None or not last.table.num_rows:
        return False  # damaged, or ended already
    try:
        writer = SpoolWriter.open(folder, NUMBER, settings)
    except SpoolError:  # an import runs
        return False
    try:
        writer.commit(pa.RecordBatch.from_pylist([], schema=SPOOL_SCHEMA), writer.counters)
    finally:
        writer.close()
    return True
