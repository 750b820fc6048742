"""The store against the evidence it was filled from: the same batches, the same records, the same lines.

What a parser made of a line is not compared: reading it again may give something else by right. A masked secret stands
for any text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from store import custody

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from store.writer import StoredBatch

MASK = "***"
COMPARED: dict[str, type[pl.DataType] | pl.DataType] = {
    "record_id": pl.UInt64,
    "batch": pl.UInt64,
    "received_at": pl.Datetime("us"),
    "listener": pl.String,
    "transport": pl.String,
    "peer": pl.String,
    "peer_port": pl.UInt16,
    "peer_identity": pl.String,
    "raw": pl.String,
}
BATCH_WORDS = ("first_record", "rows", "sha256", "previous", "committed_at")
MOST = 100


class Unreadable(Exception):  # noqa: N818  (what it says of the store)
    """DuckDB cannot read a part of the store; its first words."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Batches and records that were looked at, those that the store does not have yet, and what differs."""

    batches: int
    records: int
    waiting: int
    differences: list[str]


def last_batches(cursor: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """The last batch that the store has of each receiver (full numbers)."""
    question = "SELECT batch >> 48 AS receiver, max(batch) FROM batches GROUP BY receiver ORDER BY receiver"
    return dict(_read(cursor, question))


def orphans(cursor: duckdb.DuckDBPyConnection) -> int:
    """Records of batches that the store does not have."""
    question = "SELECT count(*) FROM records ANTI JOIN batches ON records.batch = batches.batch"
    return int(_read(cursor, question)[0][0])


def read_others(cursor: duckdb.DuckDBPyConnection) -> None:
    """Read every value of the tables that nothing is compared with; Unreadable names the first that cannot be."""
    for (table,) in _read(cursor, "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' ORDER BY 1"):
        if table not in ("lines", "batches"):
            _read(cursor, f"SELECT bit_xor(hash(whole)) FROM {table} AS whole")  # noqa: S608  (a table of ours)


def compare(cursor: duckdb.DuckDBPyConnection, batches: Sequence[StoredBatch], lines: pl.DataFrame) -> Compared:
    """Batches of one receiver that follow one another, and their lines in the columns of COMPARED."""
    first, last = batches[0].batch, batches[-1].batch
    question = f"SELECT batch, {', '.join(BATCH_WORDS)}, counters FROM batches WHERE batch BETWEEN ? AND ?"  # noqa: S608
    stored = {batch: words for batch, *words in _read(cursor, question, [first, last])}
    newest = last_batches(cursor).get(first >> 48, 0)
    here = [batch for batch in batches if batch.batch <= newest]
    differences = [text for batch in here for text in _batch_differences(batch, stored.get(batch.batch))]
    wanted = lines.filter(pl.col("batch") <= newest)
    if here:
        differences += _line_differences(wanted, _records(cursor, first, here[-1].batch))
    return Compared(len(here), wanted.height, len(batches) - len(here), differences[:MOST])


def _batch_differences(batch: StoredBatch, stored: list[object] | None) -> Iterator[str]:
    running = batch.batch & ((1 << 48) - 1)
    if stored is None:
        yield f"batch {running} of receiver {batch.batch >> 48} is not in the store"
        return
    *words, counters = stored
    same = {name: value == getattr(batch, name) for name, value in zip(BATCH_WORDS, words, strict=True)}
    same["counters"] = custody.from_json(str(counters)) == dict(batch.counters)
    for name, is_same in same.items():
        if not is_same:
            yield f"batch {running} of receiver {batch.batch >> 48} has another {name} in the store"


def _records(cursor: duckdb.DuckDBPyConnection, first: int, last: int) -> pl.DataFrame:
    question = f"SELECT {', '.join(COMPARED)} FROM records WHERE batch BETWEEN ? AND ? ORDER BY record_id"  # noqa: S608
    try:
        table = cursor.execute(question, [first, last]).to_arrow_table()
    except duckdb.Error as error:
        raise Unreadable(_first_words(error)) from None
    return pl.DataFrame(table).with_columns(pl.col(name).cast(kind) for name, kind in COMPARED.items())


def _line_differences(wanted: pl.DataFrame, stored: pl.DataFrame) -> list[str]:
    if wanted.height != stored.height or not wanted["record_id"].equals(stored["record_id"]):
        return _missing(wanted["record_id"], stored["record_id"])
    found: list[tuple[int, str]] = []
    for name in COMPARED:
        differs = wanted[name].ne_missing(stored[name])
        if differs.any():
            pairs = zip(
                wanted["record_id"].filter(differs),
                wanted[name].filter(differs),
                stored[name].filter(differs),
                strict=True,
            )
            found += [(record, name) for record, line, kept in pairs if name != "raw" or not masks(kept, line)]
    return [f"record {record} has another {name} in the store" for record, name in sorted(found)]


def _missing(wanted: pl.Series, stored: pl.Series) -> list[str]:
    absent, strange = wanted.filter(~wanted.is_in(stored.implode())), stored.filter(~stored.is_in(wanted.implode()))
    twice = stored.filter(stored.is_duplicated()).unique()
    told = (
        (absent, "is not in the store"),
        (strange, "is in the store and not in the evidence"),
        (twice, "is there twice"),
    )
    return [f"record {record} {what}" for records, what in told for record in records.sort()]


def masks(kept: str, line: str) -> bool:
    """Whether a stored text is the line with nothing but secrets masked."""
    first, *parts = kept.split(MASK)
    if not parts or not line.startswith(first):
        return False
    place = len(first)
    for part in parts[:-1]:
        at = line.find(part, place)
        if at < 0:
            return False
        place = at + len(part)
    return line.endswith(parts[-1]) and len(line) - len(parts[-1]) >= place


def _read(cursor: duckdb.DuckDBPyConnection, question: str, values: list[int] | None = None) -> list[Any]:
    try:
        return cursor.execute(question, values or []).fetchall()
    except duckdb.Error as error:
        raise Unreadable(_first_words(error)) from None


def _first_words(error: duckdb.Error) -> str:
    return str(error).splitlines()[0][:300]
