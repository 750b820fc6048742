"""A sealed segment as Parquet: a row for each batch, with its lines as a list, so that the file alone proves the chain.

Columns: the numbers, digests, moment, counters and MAC of the batch as the spool had them, and `lines`, a list of rows
of SPOOL_SCHEMA. Any program reads it: `SELECT batch, unnest(lines, recursive := true) FROM 'FILE'` in DuckDB.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from ingest.spool_batch import NUMBER_BITS, SPOOL_SCHEMA
from ingest.spool_salvage import Unreadable, batch_trouble
from ingest.spool_segment import StoredBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ingest.archive_manifest import Sealed

WORDS = ("batch", "first_record", "rows", "sha256", "previous", "committed_at", "counters", "mac", "message_before")
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
TRIAL = """
import sys
from pathlib import Path
from ingest.archive_file import proven_fresh
for batch in proven_fresh(Path(sys.argv[1])):
    pass
"""


def write_sealed(file: BinaryIO, batches: Iterable[StoredBatch], group_bytes: int = GROUP_BYTES) -> None:
    """Write the batches of one segment, a row group at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetWriter(
        file,
        SEALED_SCHEMA,
        compression="zstd",
        use_dictionary=["counters", *(f"lines.list.element.{name}" for name in SPOOL_SCHEMA.names[1:-1])],
        write_statistics=list(NUMBERS),
        store_schema=False,
    ) as writer:
        for group in _groups(batches, group_bytes):
            writer.write_table(pa.table(_columns(group), schema=SEALED_SCHEMA), row_group_size=len(group))


def _groups(batches: Iterable[StoredBatch], group_bytes: int) -> Iterator[list[StoredBatch]]:
    group: list[StoredBatch] = []
    size = 0
    for batch in batches:
        if group and (size + batch.table.nbytes > group_bytes or len(group) >= GROUP_BATCHES):
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
    """A part of a sealed file that is read at once; bytes in the file, and the last batch in it."""

    number: int
    start: int
    end: int
    last_batch: int


def parts_of(path: Path) -> tuple[list[int], list[str]]:
    """Where the row groups end, and the footer; and the digest of each part (the first 16 digits).

    For a file that was just written: what the library makes of damaged bytes may end the process.
    """
    import pyarrow.parquet as pq

    ends = [group.end for group in _row_groups(pq.read_metadata(path))] + [path.stat().st_size]
    return ends, part_digests(path, ends)


def part_digests(path: Path, ends: list[int]) -> list[str]:
    """Of the parts that end there, and of what is behind the last one, if anything is."""
    with path.open("rb") as file:
        found = [_digest(file.read(end - start)) for start, end in itertools.pairwise([0, *ends])]
        rest = file.read()
    return [*found, _digest(rest)] if rest else found


def _digest(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()[:16]


def proven_sealed(path: Path, sealed: Sealed | None, after_batch: int = 0) -> Iterator[StoredBatch | Unreadable]:
    """Every batch behind one (running number) that can be proven, and the ranges of bytes that cannot be read.

    `sealed` is what the manifest says of the file: no part of it is read before its digest is right. Without it another
    process has to read the file first. Places of batches are those of their row group.
    """
    import pyarrow.parquet as pq

    size = path.stat().st_size
    if sealed is None and not _can_be_read(path):
        yield Unreadable(0, size, "it cannot be read, and no line of the manifest says which part of it is damaged")
        return
    with path.open("rb") as octets:
        if sealed is not None and not (size == sealed.bytes and _is_sound(octets, sealed, len(sealed.ends) - 1)):
            yield Unreadable(0, max(size, sealed.bytes), "its footer is damaged: nothing of it can be read")
            return
        with pq.ParquetFile(path, memory_map=False) as file:
            for group in _row_groups(file.metadata):
                if group.last_batch & RUNNING <= after_batch:
                    continue
                if sealed is not None and not _is_sound(octets, sealed, group.number):
                    yield Unreadable(group.start, group.end, "a row group is damaged")
                else:
                    yield from _proven_group(file, group, after_batch)


def proven_fresh(path: Path) -> Iterator[StoredBatch | Unreadable]:
    """All batches of a file that was just written."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=False) as file:
        for group in _row_groups(file.metadata):
            yield from _proven_group(file, group, 0)


def _is_sound(file: BinaryIO, sealed: Sealed, part: int) -> bool:
    start, end = (sealed.ends[part - 1] if part else 0), sealed.ends[part]
    file.seek(start)
    return _digest(file.read(end - start)) == sealed.digests[part]


def _can_be_read(path: Path) -> bool:
    """Tried by another process, which damaged bytes may end."""
    done = subprocess.run([sys.executable, "-c", TRIAL, os.fspath(path)], capture_output=True, check=False)  # noqa: S603
    return done.returncode == 0


def _row_groups(metadata: Any) -> list[RowGroup]:  # noqa: ANN401  (pyarrow.parquet has no types)
    """They follow one another from the start of the file."""
    found: list[RowGroup] = []
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        end = max(_start(column) + column.total_compressed_size for column in columns)
        found.append(RowGroup(number, found[-1].end if found else 0, end, columns[0].statistics.max))
    return found


def _start(column: Any) -> int:  # noqa: ANN401
    return int(column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset)


def _proven_group(file: Any, group: RowGroup, after_batch: int) -> Iterator[StoredBatch | Unreadable]:  # noqa: ANN401
    try:
        batches = list(_batches(file.read_row_group(group.number).cast(SEALED_SCHEMA).combine_chunks(), group))
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Unreadable(group.start, group.end, f"a row group cannot be read ({type(error).__name__})")
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
