"""Stored records derived again: what differs is written, and what that means for copies, findings and the summary.

A portion is the rows of consecutive batches of one receiver. It is one transaction with the mark of how far history
was read, so it can be stopped at any moment. Only columns that differ are written, of records in which they differ:
measured at 50,000 records a transaction, UPDATE takes as long as DELETE and INSERT, and the store stays half as large.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from parsers.columns import PARSED
from store.copies import spans
from store.copies_again import COPY_KEY, judge_copies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from store.database import Database

NUMBER_BITS = 48
BEFORE = {
    "family": "family_before",
    "pattern": "pattern_before",
    "pattern_version": "version_before",
    "status": "status_before",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What the store has of one receiver, and how far that was read again. Batches with the receiver's number."""

    receiver: int
    after_batch: int
    last_batch: int
    records: int
    done: int


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of one portion: records looked at, changed, changed in their pattern's version alone."""

    records: int
    changed: int
    renewed: int


@dataclass(frozen=True, slots=True)
class Change:
    """Records that were read one way and are now read another (or the same) way."""

    family_before: str
    pattern_before: str
    version_before: str
    status_before: str
    family: str
    pattern: str
    pattern_version: str
    status: str
    records: int
    changed: int
    renewed: int


REACH = """
SELECT batches.batch >> 48 AS receiver,
       any_value(coalesce(reparsed.last_batch, 0)) AS after_batch, max(batches.batch) AS last_batch,
       sum(rows)::UBIGINT AS records,
       coalesce(sum(rows) FILTER (WHERE batches.batch <= reparsed.last_batch), 0)::UBIGINT AS done
FROM batches LEFT JOIN reparsed ON batches.batch >> 48 = reparsed.receiver AND reparsed.reading = $reading
GROUP BY ALL ORDER BY receiver
"""
CHANGES = """
SELECT family_before, pattern_before, version_before, status_before, family, pattern, pattern_version, status,
       sum(records)::UBIGINT, sum(changed)::UBIGINT, sum(renewed)::UBIGINT
FROM reparse_changes WHERE reading = $reading
GROUP BY ALL ORDER BY ALL
"""


def reach(cursor: duckdb.DuckDBPyConnection, reading: str) -> list[Reach]:
    """How far history was read by `reading`, for each receiver."""
    rows = cursor.execute(REACH, {"reading": reading}).fetchall()
    return [Reach(receiver, after or receiver << NUMBER_BITS, *rest) for receiver, after, *rest in rows]


def changes(cursor: duckdb.DuckDBPyConnection, reading: str) -> list[Change]:
    """What reading history so has changed, all runs together."""
    return [Change(*row) for row in cursor.execute(CHANGES, {"reading": reading}).fetchall()]


class Rewriter:
    """Writes portions for one reading."""

    def __init__(self, db: Database, reading: str) -> None:
        self._db, self._reading = db, reading

    def rewrite(self, after_batch: int, last_batch: int, rows: pl.DataFrame) -> Rewritten | None:
        """All columns of `records` but `copy_of`, of batches after one up to another. None: somebody else did it."""
        with self._db.transaction() as cursor:
            if not self._is_next(cursor, after_batch):
                return None
            old = _stored(cursor, rows["record_id"])
            new = rows.filter(rows["record_id"].is_in(old["record_id"].implode())).sort("record_id")
            compared = _Compared(old, new)
            self._write(cursor, compared)
            self._remember(cursor, last_batch, compared)
        return Rewritten(new.height, int(compared.changed.sum()), int(compared.renewed.sum()))

    def skip(self, after_batch: int, last_batch: int) -> int:
        """Nothing is to be had of these batches: go on behind them. Gives the number of their records."""
        with self._db.transaction() as cursor:
            if not self._is_next(cursor, after_batch):
                return 0
            self._mark(cursor, last_batch, _now())
            ((records,),) = cursor.execute(
                "SELECT coalesce(sum(rows), 0)::UBIGINT FROM batches WHERE batch > ? AND batch <= ?",
                [after_batch, last_batch],
            ).fetchall()
            return int(records)

    def _is_next(self, cursor: duckdb.DuckDBPyConnection, after_batch: int) -> bool:
        receiver = after_batch >> NUMBER_BITS
        found = cursor.execute(
            "SELECT max(last_batch) FROM reparsed WHERE receiver = ? AND reading = ?", [receiver, self._reading]
        ).fetchall()
        return (found[0][0] or receiver << NUMBER_BITS) == after_batch

    def _write(self, cursor: duckdb.DuckDBPyConnection, compared: _Compared) -> None:
        moved = compared.moved()
        if moved.any():
            rejudged = judge_copies(cursor, self._db, compared.new.filter(moved), compared.old.filter(moved))
            compared.touch(rejudged.moments)
            if rejudged.written:
                self._update(cursor, compared, ~moved)
                return
        self._update(cursor, compared, pl.repeat(value=True, n=moved.len(), eager=True))

    def _update(self, cursor: duckdb.DuckDBPyConnection, compared: _Compared, among: pl.Series) -> None:
        self._db.narrow.update(cursor, compared.rewritten(among), compared.differing)

    def _remember(self, cursor: duckdb.DuckDBPyConnection, last_batch: int, compared: _Compared) -> None:
        """The mark, the summary, and what detectors have to judge: in the same transaction as the rows."""
        now = _now()
        self._mark(cursor, last_batch, now)
        summary = compared.summary().with_columns(
            receiver=pl.lit(last_batch >> NUMBER_BITS, pl.UInt64), reading=pl.lit(self._reading), done_at=pl.lit(now)
        )
        if summary.height:
            cursor.register("summary", summary.to_arrow())
            cursor.execute("INSERT INTO reparse_changes BY NAME SELECT * FROM summary")
        for begin, end in compared.spans():
            cursor.execute("INSERT INTO unjudged VALUES (?, ?, ?)", [begin, end, now])

    def _mark(self, cursor: duckdb.DuckDBPyConnection, last_batch: int, now: datetime) -> None:
        receiver = last_batch >> NUMBER_BITS
        (before,) = cursor.execute(
            "SELECT count(*) FROM reparsed WHERE receiver = ? AND reading = ?", [receiver, self._reading]
        ).fetchall()[0]
        if not before:  # this reading begins (again) at the receiver's first batch: so does its summary
            cursor.execute("DELETE FROM reparsed WHERE receiver = ?", [receiver])
            cursor.execute("DELETE FROM reparse_changes WHERE receiver = ? AND reading = ?", [receiver, self._reading])
            cursor.execute("INSERT INTO reparsed VALUES (?, ?, ?, ?)", [receiver, self._reading, last_batch, now])
            return
        cursor.execute(
            "UPDATE reparsed SET last_batch = ?, done_at = ? WHERE receiver = ?", [last_batch, now, receiver]
        )


class _Compared:
    """The same records as they are and as they should be, in the same order."""

    def __init__(self, old: pl.DataFrame, new: pl.DataFrame) -> None:
        self.old, self.new = old, new
        differs = {name: new[name].ne_missing(old[name]) for name in PARSED}
        self._differs: Mapping[str, pl.Series] = {name: mask for name, mask in differs.items() if mask.any()}
        self.changed = self._any([name for name in self._differs if name != "pattern_version"])
        self.renewed = self._any(["pattern_version"]) & ~self.changed
        self._moments = [old["event_at"].filter(self.changed), new["event_at"].filter(self.changed)]

    def _any(self, names: list[str]) -> pl.Series:
        masks = [self._differs[name] for name in names if name in self._differs]
        none = pl.repeat(value=False, n=self.new.height, eager=True)
        return pl.DataFrame(masks).select(pl.any_horizontal(pl.all())).to_series() if masks else none

    def moved(self) -> pl.Series:
        """Records in which something differs that says whose copy they are."""
        return self._any(list(COPY_KEY))

    def touch(self, moments: pl.Series) -> None:
        """Other records changed too, at these moments."""
        self._moments.append(moments)

    @property
    def differing(self) -> list[str]:
        """The columns in which any record differs."""
        return list(self._differs)

    def rewritten(self, among: pl.Series) -> pl.DataFrame:
        """Of these records those in which something differs, as they should be."""
        return self.new.filter((self.changed | self.renewed) & among)

    def summary(self) -> pl.DataFrame:
        before = self.old.select(pl.col(name).alias(renamed) for name, renamed in BEFORE.items())
        said = pl.concat([before, self.new.select(*BEFORE)], how="horizontal")
        counted = said.with_columns(changed=self.changed, renewed=self.renewed)
        sums = {"records": pl.len(), "changed": pl.col("changed").sum(), "renewed": pl.col("renewed").sum()}
        return counted.group_by(*BEFORE.values(), *BEFORE).agg(**sums)

    def spans(self) -> list[tuple[datetime, datetime]]:
        moments = pl.concat(self._moments)
        return spans(moments) if moments.len() else []


def _stored(cursor: duckdb.DuckDBPyConnection, ids: pl.Series) -> pl.DataFrame:
    """The records as the store has them, JSON as text."""
    found = cursor.execute(
        "SELECT * FROM records WHERE record_id BETWEEN ? AND ? ORDER BY record_id", [ids.min(), ids.max()]
    ).to_arrow_table()
    rows = pl.DataFrame(found).with_columns(pl.col(name).cast(kind) for name, kind in PARSED.items())
    return rows.filter(rows["record_id"].is_in(ids.implode()))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
