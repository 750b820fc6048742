"""A sealed segment as Parquet: a row for each batch, with its lines as a list, so that the file alone proves the chain.

Columns: the numbers, digests, moment, counters and MAC of the batch as the spool had them, and `lines`, a list of rows
of SPOOL_SCHEMA. Any program reads it: `SELECT batch, unnest(lines, recursive := true) FROM 'FILE'` in DuckDB.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ingest.spool_batch import NUMBER_BITS, SPOOL_SCHEMA
from ingest.spool_salvage import Unreadable, batch_trouble
from ingest.spool_segment import StoredBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

WORDS = ("batch", "first_record", "rows", "sha256", "previous", "committed_at", "counters", "mac")
NUMBERS = ("batch", "first_record", "rows")
RUNNING = (1 << NUMBER_BITS) - 1
LINE = pa.struct(list(SPOOL_SCHEMA))
SEALED_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.uint64() if name in NUMBERS else pa.string(), nullable=False) for name in WORDS),
        pa.field("lines", pa.list_(pa.field("element", LINE, nullable=False)), nullable=False),
    ]
)
GROUP_BYTES = 2 << 20
"""Of lines in one row group: what is in memory at a time, and what a damaged place costs at most."""

GROUP_BATCHES = 1024


def write_sealed(file: Any, batches: Iterable[StoredBatch]) -> None:  # noqa: ANN401  (an open binary file)
    """Write the batches of one segment, a row group at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(
        file,
        SEALED_SCHEMA,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=[*WORDS[5:7], *(f"lines.list.element.{name}" for name in SPOOL_SCHEMA.names[1:-1])],
        write_statistics=list(NUMBERS),
        store_schema=False,
    ) as writer:
        for group in _groups(batches):
            writer.write_table(pa.table(_columns(group), schema=SEALED_SCHEMA), row_group_size=len(group))


def _groups(batches: Iterable[StoredBatch]) -> Iterator[list[StoredBatch]]:
    group: list[StoredBatch] = []
    size = 0
    for batch in batches:
        if group and (size + batch.table.nbytes > GROUP_BYTES or len(group) >= GROUP_BATCHES):
            yield group
            group, size = [], 0
        group.append(batch)
        size += batch.table.nbytes
    if group:
        yield group


def _columns(group: list[StoredBatch]) -> list[pa.Array]:
    words: list[pa.Array] = [
        pa.array([int(batch.metadata[name]) for batch in group], pa.uint64())
        if name in NUMBERS
        else pa.array([batch.metadata.get(name, "") for batch in group], pa.string())
        for name in WORDS
    ]
    lines = pa.Table.from_batches([batch.table for batch in group]).combine_chunks()
    columns = [lines.column(name).combine_chunks() for name in SPOOL_SCHEMA.names]
    structs = pa.StructArray.from_arrays(columns, fields=list(SPOOL_SCHEMA))
    places = pa.array([0, *itertools.accumulate(batch.table.num_rows for batch in group)], pa.int32())
    return [*words, pa.ListArray.from_arrays(places, structs, type=SEALED_SCHEMA.field("lines").type)]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A part of a sealed file that is read at once; bytes in the file, and the batches in it as its footer says."""

    number: int
    start: int
    end: int
    last_batch: int


def proven_sealed(path: Path, after_batch: int = 0) -> Iterator[StoredBatch | Unreadable]:
    """Every batch behind one (running number) that can be proven, and the ranges of bytes that cannot be read.

    Places of batches are those of their row group.
    """
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True, memory_map=False)
        groups = _row_groups(file.metadata)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        yield Unreadable(0, path.stat().st_size, "the footer cannot be read")
        return
    with file:
        for group in groups:
            if group.last_batch & RUNNING > after_batch:
                yield from _proven_group(file, group, after_batch)


def _row_groups(metadata: Any) -> list[RowGroup]:  # noqa: ANN401  (pyarrow.parquet has no types)
    found = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        starts = [_start(column) for column in columns]
        ends = [start + column.total_compressed_size for start, column in zip(starts, columns, strict=True)]
        statistics = columns[0].statistics
        last = statistics.max if statistics is not None and statistics.has_min_max else 2**64 - 1
        found.append(RowGroup(number, min(starts), max(ends), last))
    return found


def _start(column: Any) -> int:  # noqa: ANN401
    first = column.dictionary_page_offset if column.has_dictionary_page else None
    return int(column.data_page_offset if first is None else first)


def _proven_group(file: Any, group: RowGroup, after_batch: int) -> Iterator[StoredBatch | Unreadable]:  # noqa: ANN401
    try:
        table = file.read_row_group(group.number).cast(SEALED_SCHEMA).combine_chunks()
        batches = list(_batches(table, group))
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        start, end = _bad_columns(file, group)
        yield Unreadable(start, end, "a page cannot be read")
        return
    for batch in batches:
        if int(batch.metadata["batch"]) & RUNNING > after_batch:
            trouble = batch_trouble(batch)
            yield Unreadable(group.start, group.end, trouble) if trouble else batch


def _batches(table: pa.Table, group: RowGroup) -> Iterator[StoredBatch]:
    words = {name: table.column(name).to_pylist() for name in WORDS}
    lists = table.column("lines").combine_chunks()
    lines = pa.RecordBatch.from_arrays(lists.flatten().flatten(), schema=SPOOL_SCHEMA)
    place = 0
    for row in range(table.num_rows):
        said = {name: str(values[row]) for name, values in words.items()}
        rows = int(said["rows"])
        yield StoredBatch(group.start, group.end, said, lines.slice(place, rows))
        place += rows
    if place != lines.num_rows:
        raise ValueError("lines that belong to no batch")


def _bad_columns(file: Any, group: RowGroup) -> tuple[int, int]:  # noqa: ANN401
    """From the first column that cannot be read to the last."""
    metadata = file.metadata.row_group(group.number)
    bad = []
    for place in range(metadata.num_columns):
        column = metadata.column(place)
        try:
            file.reader.read_row_group(group.number, [place])
        except (pa.ArrowException, OSError, ValueError):
            bad.append((_start(column), _start(column) + column.total_compressed_size))
    if not bad:
        return group.start, group.end
    return min(start for start, _ in bad), max(end for _, end in bad)
