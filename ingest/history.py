"""Stored batches once more, out of the spool: what `hsmtrail reparse` reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.follow import receiver_of
from ingest.spool import SpoolDamaged, SpoolReader

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ingest.spool import SpooledBatch

MAX_BYTES = 12 << 20
"""Of lines in one portion: some 50,000, so that what arrives meanwhile waits for a second or two at most."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive batches after one, up to another; empty when the spool has none of them any more."""

    after_batch: int
    last_batch: int
    batches: tuple[SpooledBatch, ...]


def portions(data_dir: Path, after_batch: int, last_batch: int, max_bytes: int) -> Generator[Portion, None, None]:
    """All batches of one receiver after one, up to another, whatever of them can be read."""
    folder = _folder(data_dir / "spool", after_batch >> 48)
    after = after_batch
    reader = None if folder is None else SpoolReader(folder, after)
    while folder is not None and reader is not None and after < last_batch:
        try:
            found = reader.next_batches(max_bytes)
        except SpoolDamaged as damage:
            reader.close()
            if damage.resume_after is None:
                break
            until = min(damage.resume_after, last_batch)
            yield Portion(after, until, ())
            after, reader = until, SpoolReader(folder, until)
            continue
        batches = tuple(batch for batch in found if batch.batch <= last_batch)
        if not batches:
            break
        yield Portion(after, batches[-1].batch, batches)
        after = batches[-1].batch
    if reader is not None:
        reader.close()
    if after < last_batch:
        yield Portion(after, last_batch, ())


def _folder(spools: Path, receiver: int) -> Path | None:
    """The spool of a receiver, by the number that its batches carry."""
    folders = sorted(entry for entry in spools.iterdir() if entry.is_dir()) if spools.is_dir() else []
    return next((folder for folder in folders if receiver_of(folder) == receiver), None)
