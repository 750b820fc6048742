"""The spool: what was received, on disk and chained, before anything else happens to it.

One folder per receiver, `data_dir/spool/NAME/`. A segment is an Arrow IPC stream of SPOOL_SCHEMA, named by its first
batch; each record batch carries its numbers, its digest, the digest before it and the counters as metadata. The file
`head` says how far readers may look: what lies behind it is not known to be on disk.
"""

from ingest.spool_batch import FIRST_PREVIOUS, NUMBER_BITS, SPOOL_SCHEMA, SpooledBatch, digest
from ingest.spool_head import Head, read_head
from ingest.spool_reader import SpoolDamaged, SpoolReader
from ingest.spool_segment import StoredBatch, batches_of, segment_path, segments
from ingest.spool_writer import Committed, SpoolError, SpoolSettings, SpoolWriter

__all__ = [
    "FIRST_PREVIOUS",
    "NUMBER_BITS",
    "SPOOL_SCHEMA",
    "Committed",
    "Head",
    "SpoolDamaged",
    "SpoolError",
    "SpoolReader",
    "SpoolSettings",
    "SpoolWriter",
    "SpooledBatch",
    "StoredBatch",
    "batches_of",
    "digest",
    "read_head",
    "segment_path",
    "segments",
]
