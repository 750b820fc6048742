"""Stored batches once more, out of the archive and the spool: what `hsmtrail reparse` and `hsmtrail recover` read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.archive import names
from ingest.evidence import Damage, batches
from ingest.follow import receiver_of
from ingest.spool_batch import NUMBER_BITS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ingest.spool import SpooledBatch

RUNNING = (1 << NUMBER_BITS) - 1
MAX_BYTES = 12 << 20
"""Of lines in one portion: some 50,000, so that what arrives meanwhile waits for a second or two at most."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive batches after one, up to another; empty when nothing has them in one piece any more."""

    after_batch: int
    last_batch: int
    batches: tuple[SpooledBatch, ...]


def portions(data_dir: Path, after_batch: int, last_batch: int, max_bytes: int) -> Generator[Portion, None, None]:
    """All batches of one receiver after one, up to another (full numbers), whatever of them can be proven."""
    name = spool_of(data_dir, after_batch >> NUMBER_BITS)
    held: list[SpooledBatch] = []
    after, size = after_batch, 0
    for batch in () if name is None else _intact(data_dir, name, after_batch):
        if batch.batch > last_batch:
            break
        expected = held[-1].batch + 1 if held else after + 1
        if held and (batch.batch != expected or size >= max_bytes):
            yield Portion(after, held[-1].batch, tuple(held))
            after, size, held = held[-1].batch, 0, []
        if not held and batch.batch != after + 1:
            yield Portion(after, batch.batch - 1, ())
            after = batch.batch - 1
        held.append(batch)
        size += batch.table.nbytes
    if held:
        yield Portion(after, held[-1].batch, tuple(held))
        after = held[-1].batch
    if after < last_batch:
        yield Portion(after, last_batch, ())


def _intact(data_dir: Path, name: str, after_batch: int) -> Generator[SpooledBatch, None, None]:
    for found in batches(data_dir, name, after_batch & RUNNING):
        if not isinstance(found, Damage):
            yield found


def spool_of(data_dir: Path, receiver: int) -> str | None:
    """The name of a receiver's spool, by the number that its batches carry."""
    return next((name for name in names(data_dir) if receiver_number(data_dir, name) == receiver), None)


def receiver_number(data_dir: Path, name: str) -> int | None:
    """As the first batches in the spool carry it, or those in the archive; None when there are none."""
    known = receiver_of(data_dir / "spool" / name)
    if known is not None:
        return known
    first = next(_intact(data_dir, name, 0), None)
    return None if first is None else first.batch >> NUMBER_BITS
