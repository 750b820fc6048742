"""Writes parsed batches: rows, chain and custody in one transaction, each batch exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from store import custody
from store.copies import copies
from store.inserting import insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from store.copies import Repeats
    from store.custody import Counters
    from store.database import Database

NUMBER_BITS = 48
"""Batch numbers carry the receiver's number above these bits."""

BATCH_COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "batch": pl.UInt64,
    "position": pl.UInt64,
    "segment": pl.String,
    "first_record": pl.UInt64,
    "rows": pl.UInt64,
    "sha256": pl.String,
    "previous": pl.String,
    "committed_at": pl.Datetime("us"),
    "stored_at": pl.Datetime("us"),
    "counters": pl.String,
}


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch of the spool as the store knows it; numbers with the receiver's in the high 16 bits."""

    batch: int
    first_record: int
    rows: int
    sha256: str
    previous: str
    committed_at: datetime
    segment: str
    counters: Mapping[str, Counters]


@dataclass(frozen=True, slots=True)
class StoredBatches:
    """One commit. `from_position` is exclusive, `to_position` inclusive; `strikes`: wrong secrets, which HSMs count."""

    batches: int
    records: int
    copies: int
    from_position: int
    to_position: int
    strikes: int = 0


class Writer:
    """The one that writes records. It remembers what it would otherwise have to read before each commit."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counters: dict[int, Mapping[str, Counters]] = {}

    def store(self, batches: Sequence[StoredBatch], rows: pl.DataFrame | pa.Table) -> StoredBatches:
        """`rows`: all columns of `records` but `copy_of`, batch after batch. Batches that are there are left out."""
        frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
        with self._db.transaction() as cursor:
            new = _not_stored(cursor, batches)
            if len(new) < len(batches):
                frame = frame.filter(pl.col("batch").is_in([batch.batch for batch in new]))
            position = _last_position(cursor)
            repeats = self._insert(cursor, frame)
            _chain(cursor, new, position)
            self._account(cursor, new, frame.select("batch", "listener"), repeats)
        self._counters.update({batch.batch >> NUMBER_BITS: batch.counters for batch in new})
        count = 0 if repeats is None else repeats.of_rows.len() - repeats.of_rows.null_count()
        strikes = int(frame["strike"].cast(pl.Boolean).sum() or 0)
        return StoredBatches(len(new), frame.height, count, position, position + len(new), strikes)

    def _insert(self, cursor: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> Repeats | None:
        """The rows with their `copy_of`; what it is now of older ones too."""
        if frame.is_empty():
            return None
        repeats = copies(cursor, self._db.known_paths(cursor), frame)
        if repeats is None:
            self._db.narrow.insert(cursor, frame)
            return None
        self._db.narrow.insert(cursor, frame.with_columns(copy_of=repeats.of_rows))
        if not repeats.corrected.is_empty():
            _correct(cursor, repeats.corrected)
        return repeats

    def _account(
        self,
        cursor: duckdb.DuckDBPyConnection,
        batches: Sequence[StoredBatch],
        rows: pl.DataFrame,
        repeats: Repeats | None,
    ) -> None:
        said = rows.with_columns(copied=pl.lit(value=False) if repeats is None else repeats.of_rows.is_not_null())
        counts = said.group_by("batch", "listener").agg(rows=pl.len(), copies=pl.col("copied").sum())
        stored: dict[int, dict[str, int]] = {}
        copied: dict[int, dict[str, int]] = {}
        for batch, listener, number, repeated in counts.iter_rows():
            stored.setdefault(batch, {})[listener] = number
            copied.setdefault(batch, {})[listener] = repeated
        ledger = custody.Ledger()
        before: dict[int, Mapping[str, Counters] | None] = {**self._counters}
        for batch in batches:
            receiver = batch.batch >> NUMBER_BITS
            if receiver not in before:
                before[receiver] = _counters_before(cursor, batch.batch)
            here = batch.batch
            ledger.add(batch.committed_at, stored.get(here, {}), copied.get(here, {}), batch.counters, before[receiver])
            before[receiver] = batch.counters
        if repeats is not None and not repeats.corrected.is_empty():
            for at, listener, number in _corrected_copies(cursor, repeats.corrected):
                ledger.add_copies(at, listener, number)
        ledger.write(cursor)


def store_batches(db: Database, batches: Sequence[StoredBatch], rows: pl.DataFrame | pa.Table) -> StoredBatches:
    """One commit by a writer of its own; who stores again and again keeps a Writer."""
    return Writer(db).store(batches, rows)


def stored_batches(db: Database) -> dict[int, int]:
    """The last batch that the store has of each receiver, by the receiver's number."""
    with db.reader() as cursor:
        rows = cursor.execute("SELECT batch >> 48 AS receiver, max(batch) FROM batches GROUP BY receiver").fetchall()
    return dict(rows)


def _not_stored(cursor: duckdb.DuckDBPyConnection, batches: Sequence[StoredBatch]) -> list[StoredBatch]:
    numbers = [batch.batch for batch in batches]
    if not numbers:
        return []
    rows = cursor.execute("SELECT batch FROM batches WHERE batch BETWEEN ? AND ?", [min(numbers), max(numbers)])
    there = {batch for (batch,) in rows.fetchall()}
    return [batch for batch in batches if batch.batch not in there]


def _last_position(cursor: duckdb.DuckDBPyConnection) -> int:
    ((position,),) = cursor.execute("SELECT coalesce(max(position), 0) FROM batches").fetchall()
    return int(position)


def _counters_before(cursor: duckdb.DuckDBPyConnection, batch: int) -> dict[str, Counters] | None:
    """The counters of the receiver's batch before this one; none yet before its first; None when it is not there."""
    receiver = batch >> NUMBER_BITS << NUMBER_BITS
    ((counters,),) = cursor.execute(
        "SELECT arg_max(counters, batch) FROM batches WHERE batch >= ? AND batch < ?", [receiver, batch]
    ).fetchall()
    if counters is not None:
        return custody.from_json(counters)
    return {} if batch == receiver + 1 else None


def _chain(cursor: duckdb.DuckDBPyConnection, batches: Sequence[StoredBatch], position: int) -> None:
    if not batches:
        return
    stored_at = datetime.now(UTC).replace(tzinfo=None)
    rows = [
        {
            "batch": batch.batch,
            "position": number,
            "segment": batch.segment,
            "first_record": batch.first_record,
            "rows": batch.rows,
            "sha256": batch.sha256,
            "previous": batch.previous,
            "committed_at": batch.committed_at,
            "stored_at": stored_at,
            "counters": custody.as_json(batch.counters),
        }
        for number, batch in enumerate(batches, position + 1)
    ]
    insert(cursor, "batches", pl.DataFrame(rows, schema=BATCH_COLUMNS))


def _correct(cursor: duckdb.DuckDBPyConnection, corrected: pl.DataFrame) -> None:
    """Give stored records another `copy_of`."""
    ids = corrected["record_id"]
    cursor.register("corrected", corrected.to_arrow())
    cursor.execute(
        "UPDATE lines SET copy_of = corrected.copy_of FROM corrected"
        " WHERE lines.record_id = corrected.record_id AND lines.record_id BETWEEN ? AND ?",
        [ids.min(), ids.max()],
    )


def _corrected_copies(cursor: duckdb.DuckDBPyConnection, corrected: pl.DataFrame) -> list[tuple[datetime, str, int]]:
    """How many copies more there are of each moment of spooling and listener: of records that were events before."""
    became = corrected.filter(pl.col("was").is_null() != pl.col("copy_of").is_null())
    if became.is_empty():
        return []
    cursor.register("became", became.to_arrow())
    return cursor.execute(
        "SELECT committed_at, listener, sum(if(was IS NULL, 1, -1))::BIGINT FROM became"
        " JOIN lines USING (record_id) JOIN origins USING (origin) JOIN batches USING (batch)"
        " WHERE record_id BETWEEN ? AND ? GROUP BY ALL",
        [became["record_id"].min(), became["record_id"].max()],
    ).fetchall()
