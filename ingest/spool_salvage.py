"""Every batch of a segment that can be proven, and the ranges between: a damaged place costs only what it hit."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ingest.spool_batch import END_OF_STREAM, SCHEMA_MESSAGE, digest
from ingest.spool_segment import StoredBatch, schema_in, stored_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTINUATION = b"\xff\xff\xff\xff"
LARGEST_METADATA = 64 << 20
STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no batch of ours, and why; `end` is exclusive."""

    start: int
    end: int
    why: str


def proven_batches(path: Path, limit: int | None = None) -> Iterator[StoredBatch | Unreadable]:
    """In the file's order. Each batch has the digest that it states, over its own rows and the digest it is chained on.

    `limit`: where published batches end. What is behind the last batch of a closed segment is its end mark, or none.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield from _walk(file, os.fstat(file).st_size if limit is None else limit, closed=limit is None)
    finally:
        os.close(file)


def _walk(file: int, limit: int, *, closed: bool) -> Iterator[StoredBatch | Unreadable]:
    schema = schema_in(file)
    place = len(schema or SCHEMA_MESSAGE)
    if not schema and limit:
        yield Unreadable(0, min(place, limit), "the schema that it begins with is not ours")
    while place < limit:
        trouble = "no batch can be read here"
        for batch in stored_batches(file, place, limit, schema=schema or SCHEMA_MESSAGE):
            trouble = batch_trouble(batch)
            if trouble:
                break
            yield batch
            place = batch.end
        if place >= limit or (closed and _is_end(file, place, limit)):
            return
        further = _next_proven(file, place + 8, limit)
        yield Unreadable(place, further, trouble)
        place = further


def batch_trouble(batch: StoredBatch) -> str:
    """Why a batch is not what it states of itself; '' when it is."""
    words = batch.metadata
    try:
        batch.table.validate(full=True)
        made = digest(bytes.fromhex(words["previous"]), int(words["batch"]), int(words["first_record"]), batch.table)
    except (KeyError, ValueError, pa.ArrowException, struct.error) as error:
        return f"a batch that cannot be read ({type(error).__name__})"
    return "" if words.get("sha256") == made.hex() else f"the rows of batch {words['batch']} have another SHA-256"


def _is_end(file: int, place: int, limit: int) -> bool:
    rest = os.pread(file, len(END_OF_STREAM) + 1, place)[: limit - place]
    return END_OF_STREAM.startswith(rest)


def _next_proven(file: int, place: int, limit: int) -> int:
    """Where the next batch that can be proven begins; the limit when none does."""
    while place < limit:
        octets = os.pread(file, min(STEP + 8, limit - place), place)
        at = octets.find(CONTINUATION)
        while 0 <= at < STEP:
            if _begins_batch(file, place + at, octets[at + 4 : at + 8], limit):
                return place + at
            at = octets.find(CONTINUATION, at + 1)
        place += STEP
    return limit


def _begins_batch(file: int, place: int, size: bytes, limit: int) -> bool:
    """Messages are told from data that looks like one by their place and size, and then by their digest."""
    if place % 8 or len(size) < 4 or not 0 < int.from_bytes(size, "little") <= min(LARGEST_METADATA, limit - place):
        return False
    batch = next(stored_batches(file, place, limit, schema=SCHEMA_MESSAGE), None)
    return batch is not None and not batch_trouble(batch)
