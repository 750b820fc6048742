"""One batch of the spool: its columns, its numbers, its digest, and its bytes in an Arrow IPC stream."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ingest.counters import Counted

SPOOL_SCHEMA = pa.schema(
    [
        ("received_at", pa.timestamp("us")),
        ("listener", pa.string()),
        ("transport", pa.string()),
        ("peer", pa.string()),
        ("peer_port", pa.uint16()),
        ("peer_identity", pa.string()),
        ("trouble", pa.string()),
        ("raw", pa.binary()),
    ]
)
NUMBER_BITS = 48
"""Numbers of batches and records carry the receiver's number above these bits."""

FIRST_PREVIOUS = bytes(32)
"""What the first batch of a spool is chained on."""

END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
WRITE_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A batch as readers get it; `batch` and `first_record` with the receiver's number in the high 16 bits."""

    batch: int
    first_record: int
    rows: int
    sha256: str
    previous: str
    committed_at: datetime
    counters: Mapping[str, Counted]
    segment: str
    table: pa.RecordBatch


def digest(previous: bytes, batch: int, first_record: int, table: pa.RecordBatch) -> bytes:
    r"""SHA-256 over the batch's values, chained on the batch before; it can be made again from any copy of the rows.

    Hashed are, all integers little-endian: the text "hsmtrail batch 1\n", `previous` (32 bytes), `batch`,
    `first_record` and the number of rows (unsigned, 8 bytes each); then for each column of SPOOL_SCHEMA but `raw`,
    in its order, the runs of equal values: their number and their lengths (8 bytes each), then the values: integers
    (8 bytes, times as microseconds since 1970, a missing port as -1) or texts; then `raw`. Texts and `raw` are
    hashed as the lengths of all values (4 bytes each) and then all their bytes.
    """
    rows = struct.pack("<QQQ", batch, first_record, table.num_rows)
    sha = hashlib.sha256(b"hsmtrail batch 1\n" + previous + rows)
    for name in SPOOL_SCHEMA.names[:-1]:
        runs = pc.run_end_encode(table.column(name), run_end_type=pa.int64())
        ends = runs.run_ends.to_numpy()
        sha.update(struct.pack("<Q", len(ends)))
        sha.update(np.diff(ends, prepend=0).astype("<i8"))
        _update(sha, runs.values)
    _update(sha, table.column("raw"))
    return sha.digest()


def _update(sha: Any, values: pa.Array) -> None:  # noqa: ANN401  (hashlib's objects have no public type)
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        sha.update(pc.fill_null(values.cast(pa.int64()), -1).to_numpy().astype("<i8"))
        return
    _, offsets, octets = values.buffers()
    places = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1] if len(values) else [0]
    sha.update(np.diff(places).astype("<u4"))
    if octets is not None:
        sha.update(memoryview(octets)[places[0] : places[-1]])


def message_digest(octets: memoryview, *, first: bool) -> bytes:
    """SHA-256 of a batch's bytes in its segment, with the schema before them where the batch is the first there.

    The next batch carries it as `message_before`, and the head has it for the last one: so not one byte of a segment
    can change unseen, not even one that no value depends on.
    """
    sha = hashlib.sha256(SCHEMA_MESSAGE if first else b"")
    sha.update(octets)
    return sha.digest()


def encoded(table: pa.RecordBatch, metadata: Mapping[str, str]) -> memoryview:
    """One encapsulated record batch message, as it follows others in a stream of SPOOL_SCHEMA."""
    stream = _stream(table, metadata)
    return memoryview(stream)[len(SCHEMA_MESSAGE) : len(stream) - len(END_OF_STREAM)]


def _stream(table: pa.RecordBatch | None, metadata: Mapping[str, str]) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SPOOL_SCHEMA, options=WRITE_OPTIONS) as writer:
        if table is not None:
            writer.write_batch(table, custom_metadata=metadata)
    return sink.getvalue()


SCHEMA_MESSAGE = bytes(_stream(None, {}))[: -len(END_OF_STREAM)]
"""What every segment begins with."""
