"""A segment of the spool as a file: its name, and its batches with their places."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ingest.spool_batch import END_OF_STREAM, SPOOL_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".arrow"
LARGEST_SCHEMA = 1 << 16
CHUNK = 4 << 20
READ_OPTIONS = pa.ipc.IpcReadOptions(use_threads=False)
"""Threads are ten times slower where a batch is small, and no faster where it is large."""


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """One batch and where its bytes are in the file."""

    start: int
    end: int
    metadata: dict[str, str]
    table: pa.RecordBatch


def segment_path(directory: Path, first_batch: int) -> Path:
    return directory / f"{first_batch:012d}{SUFFIX}"


def segments(directory: Path) -> list[int]:
    """The first batch of each segment, in order."""
    names = (path.stem for path in directory.glob(f"*{SUFFIX}"))
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def read_at(file: int, start: int, size: int, into: bytearray, place: int) -> int:
    """Read up to `size` bytes into `into[place:]`; fewer where the file ends."""
    view, done = memoryview(into)[place : place + size], 0
    while done < size and (got := os.preadv(file, [view[done:]], start + done)):
        done += got
    return done


def schema_in(file: int) -> bytes:
    """The schema message that this file begins with; b"" when it has none of ours."""
    start = bytearray(LARGEST_SCHEMA)
    source = pa.BufferReader(pa.py_buffer(bytes(start[: read_at(file, 0, LARGEST_SCHEMA, start, 0)])))
    try:
        schema = pa.ipc.read_schema(pa.ipc.read_message(source))
    except (pa.ArrowException, OSError, EOFError):
        return b""
    return bytes(start[: source.tell()]) if schema.equals(SPOOL_SCHEMA) else b""


def stored_batches(file: int, start: int, limit: int, chunk: int = CHUNK, schema: bytes = b"") -> Iterator[StoredBatch]:
    """The whole batches from `start` on, up to `limit` or to the first bytes that are none.

    `start` is 0 or the end of another batch. Nothing is believed but the Arrow format: compare digests. `schema`: of
    the file, when the caller knows it, or has to do without.
    """
    schema = schema or schema_in(file)
    if not schema:
        return
    place = start or len(schema)
    while place < limit:
        size = min(chunk, limit - place)
        stream = bytearray(len(schema) + size)
        stream[: len(schema)] = schema
        got = read_at(file, place, size, stream, len(schema))
        end = place
        for batch in _whole_batches(memoryview(stream)[: len(schema) + got], place - len(schema)):
            end = batch.end
            yield batch
        if end == place and size == limit - place:
            return
        chunk = chunk if end > place else chunk * 2
        place = end


def _whole_batches(stream: memoryview, shift: int) -> Iterator[StoredBatch]:
    source = pa.BufferReader(pa.py_buffer(stream))
    reader = pa.ipc.open_stream(source, options=READ_OPTIONS)
    start = source.tell()
    while stream[start : start + len(END_OF_STREAM)] != END_OF_STREAM:
        try:
            table, metadata = reader.read_next_batch_with_custom_metadata()
            words = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
        except (StopIteration, pa.ArrowException, OSError, UnicodeDecodeError):
            return
        yield StoredBatch(start + shift, source.tell() + shift, words, table)
        start = source.tell()


def message_in(path: Path, batch: StoredBatch) -> bytes:
    """The digest of a batch's bytes, as the batch after it should say."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return message_at(file, batch, len(schema_in(file)))
    finally:
        os.close(file)


def message_at(file: int, batch: StoredBatch, schema_size: int) -> bytes:
    start = 0 if batch.start == schema_size else batch.start
    octets = bytearray(batch.end - start)
    read_at(file, start, len(octets), octets, 0)
    return hashlib.sha256(octets).digest()


def batches_of(path: Path, start: int = 0, limit: int | None = None) -> Iterator[StoredBatch]:
    """The same for a file by its name; nothing when it is not there."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        yield from stored_batches(file, start, os.fstat(file).st_size if limit is None else limit)
    finally:
        os.close(file)
