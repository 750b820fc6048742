"""Whose copies records are, when they have come to say something else than they did.

Such records, and those that are tied to them as copy or original, are taken out and judged like records that arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from parsers.columns import PARSED
from store import custody
from store.copies import copies

if TYPE_CHECKING:
    import duckdb

    from store.copies import Repeats
    from store.database import Database

COPY_KEY = (
    "device",
    "host",
    "family",
    "hsm_serial",
    "audit_sequence",
    "event_at",
    "program",
    "process_id",
    "message",
    "mac",
    "raw_block",
)
"""Columns that copies are found by, as far as a parser gives them."""

TIED = """
WITH roots AS (SELECT copy_of AS id FROM moved WHERE copy_of IS NOT NULL)
SELECT * FROM records
WHERE (copy_of IN (SELECT record_id FROM moved) OR copy_of IN (SELECT id FROM roots)
       OR record_id IN (SELECT id FROM roots))
  AND record_id NOT IN (SELECT record_id FROM moved)
"""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """Whether the records were written, and the moments of events of which others than before are copies."""

    written: bool
    moments: pl.Series


def judge_copies(cursor: duckdb.DuckDBPyConnection, db: Database, moved: pl.DataFrame, old: pl.DataFrame) -> Rejudged:
    """`moved`: the records as they should be; `old`: as they are. Writes them, unless no source has several paths."""
    known = db.known_paths(cursor)
    known.learn(moved)
    if not known.several:
        return Rejudged(written=False, moments=moved["event_at"].clear())
    cursor.register("moved", old.select("record_id", "copy_of").to_arrow())
    tied = pl.DataFrame(cursor.sql(TIED).to_arrow_table()).with_columns(
        pl.col(name).cast(kind) for name, kind in PARSED.items()
    )
    was = pl.concat([old["copy_of"], tied["copy_of"]])
    rows = pl.concat([moved, tied.select(moved.columns)], rechunk=True)
    cursor.register("leaving", rows.select("record_id").to_arrow())
    cursor.execute("DELETE FROM lines WHERE record_id IN (SELECT record_id FROM leaving)")
    repeats = copies(cursor, known, rows)
    now = pl.repeat(None, rows.height, dtype=pl.UInt64, eager=True) if repeats is None else repeats.of_rows
    db.narrow.insert(cursor, rows.with_columns(copy_of=now))
    moves = rows.select("record_id", "event_at", was=was, copy_of=now)
    return Rejudged(written=True, moments=_settle(cursor, moves, repeats))


def _settle(cursor: duckdb.DuckDBPyConnection, moves: pl.DataFrame, repeats: Repeats | None) -> pl.Series:
    """Other records that now repeat something else, and the sums of custody."""
    ends = moves.filter(pl.col("was").ne_missing(pl.col("copy_of")))
    ledger_rows = ends.select("record_id", "was", "copy_of")
    if repeats is not None and not repeats.corrected.is_empty():
        cursor.register("corrected", repeats.corrected.to_arrow())
        cursor.execute(
            "UPDATE lines SET copy_of = corrected.copy_of FROM corrected WHERE lines.record_id = corrected.record_id"
        )
        ledger_rows = pl.concat([ledger_rows, repeats.corrected.select(ledger_rows.columns)])
    _account(cursor, ledger_rows.filter(pl.col("was").is_null() != pl.col("copy_of").is_null()))
    return ends["event_at"]


def _account(cursor: duckdb.DuckDBPyConnection, became: pl.DataFrame) -> None:
    if became.is_empty():
        return
    cursor.register("became", became.to_arrow())
    ledger = custody.Ledger()
    for at, listener, number in cursor.execute(
        "SELECT committed_at, listener, sum(if(was IS NULL, 1, -1))::BIGINT FROM became"
        " JOIN lines USING (record_id) JOIN origins USING (origin) JOIN batches USING (batch) GROUP BY ALL"
    ).fetchall():
        ledger.add_copies(at, listener, number)
    ledger.write(cursor)
