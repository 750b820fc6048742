"""The store against the evidence, a few seconds at a time: whoever asks until it is done has all of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl
from pydantic import Field

from hsmtrail.errands import Errand, Role
from ingest.history import MAX_BYTES, portions
from ingest.parsed import numbered, stored_batch
from parsers.decoding import text_of
from store.compare import COMPARED, Unreadable, compare, last_batches, orphans, read_others

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hsmtrail.desk import Desk
    from ingest.history import Portion
    from ingest.spool import SpooledBatch

MOST = 100
"""Differences that one answer names."""


class StoreReach(Errand):
    """The last batch that the store has of each receiver, and records that belong to none."""

    role: ClassVar[Role] = "admin"

    def answer(self, desk: Desk) -> dict[str, Any]:
        try:
            with desk.db.reader() as cursor:
                read_others(cursor)
                return {"receivers": list(last_batches(cursor).values()), "orphans": orphans(cursor)}
        except Unreadable as trouble:
            return {"receivers": [], "orphans": 0, "unreadable": str(trouble)}


class CompareStore(Errand):
    """Go on behind one batch for so many seconds; `last_batch` is how far the store reached at the start."""

    role: ClassVar[Role] = "admin"
    after_batch: int
    last_batch: int
    seconds: float = Field(default=2.0, gt=0, le=60)

    def answer(self, desk: Desk) -> dict[str, Any]:
        work = _Work(desk, self.after_batch)
        until = time.monotonic() + self.seconds
        history = portions(desk.configuration.below(), self.after_batch, self.last_batch, MAX_BYTES)
        for portion in history:
            work.take(portion)
            if time.monotonic() >= until or work.unreadable:
                break
        history.close()
        return {
            "after_batch": work.after,
            "batches": work.batches,
            "records": work.records,
            "differences": work.differences[:MOST],
            "missing": work.missing[:MOST],
            **({"unreadable": work.unreadable} if work.unreadable else {}),
        }


class _Work:
    """Adds up what portions gave."""

    def __init__(self, desk: Desk, after_batch: int) -> None:
        self._desk, self.after = desk, after_batch
        self.batches = self.records = 0
        self.differences: list[str] = []
        self.missing: list[list[int]] = []
        self.unreadable = ""

    def take(self, portion: Portion) -> None:
        """A portion without batches is one that the evidence does not give any more."""
        if not portion.batches:
            self.missing.append([portion.after_batch + 1, portion.last_batch])
        else:
            self._compare(portion.batches)
        self.after = portion.last_batch

    def _compare(self, batches: Sequence[SpooledBatch]) -> None:
        try:
            with self._desk.db.reader() as cursor:
                found = compare(cursor, [stored_batch(batch) for batch in batches], _lines(batches))
        except Unreadable as trouble:
            self.unreadable = str(trouble)
            return
        self.batches += found.batches
        self.records += found.records
        self.differences += found.differences


def _lines(batches: Sequence[SpooledBatch]) -> pl.DataFrame:
    lines = numbered(batches)
    raw = pl.Series("raw", [text_of(line) for line in lines["raw"]], pl.String)
    return lines.with_columns(raw).select(pl.col(name).cast(kind) for name, kind in COMPARED.items())
