"""Records as they lie in the store: one line for what differs, tables of their own for what repeats.

Most columns of a record say one of a few things: who sent it (`origins`) and what it means (`meanings`). DuckDB takes
as long for such a word as for any other, and there are 27 of them. So `lines` holds two numbers instead, and, where the
message is the end of the raw line, only where it begins. The view `records` puts all of it together again.

Two rows of `origins` or `meanings` may say the same: only their numbers are unique.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from store.inserting import insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

ORIGIN = (
    "listener", "transport", "peer", "peer_identity", "facility", "severity", "host", "program", "device", "hsm_serial",
)  # fmt: skip
MEANING = (
    "family", "event_at_source", "operation", "outcome", "strike", "role", "role_id", "command", "command_class",
    "vendor_event", "return_name", "return_code", "entry", "pattern", "pattern_version", "status", "trouble",
)  # fmt: skip
LARGEST = 100_000
"""So many rows of each table are remembered: strangers may send lines of which no two say the same."""

LONGEST = 1000
"""Characters of a row that is remembered: a host alone may have 65,000. A longer row is written for each commit."""


class Repeated:
    """One table of what repeats, and the numbers of its rows as far as they are remembered."""

    def __init__(self, table: str, number: str, columns: Sequence[str]) -> None:
        self.table, self.number, self.columns = table, number, list(columns)
        self._numbers: dict[tuple[object, ...], int] | None = None
        self._last = 0

    def numbers(self, cursor: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> pl.Series:
        """A number for each row; what is new is written to the table."""
        alike = (
            rows.select(self.columns)
            .with_row_index("row")
            .group_by(self.columns, maintain_order=True)
            .agg(pl.col("row"))
        )
        numbers = np.array(self._numbered(cursor, alike.select(self.columns)), dtype=np.uint32)
        spread = np.empty(rows.height, dtype=np.uint32)
        spread[alike["row"].explode(empty_as_null=True).to_numpy()] = numbers.repeat(alike["row"].list.len().to_numpy())
        return pl.Series(self.number, spread)

    def forget(self) -> None:
        """What a transaction wrote that failed is not there."""
        self._numbers = None

    def _numbered(self, cursor: duckdb.DuckDBPyConnection, distinct: pl.DataFrame) -> list[int]:
        known = self._known(cursor)
        said = distinct.rows()
        new = {row: number for number, row in enumerate((row for row in said if row not in known), self._last + 1)}
        if new:
            self._last += len(new)
            numbers = pl.Series(self.number, list(new.values()), dtype=pl.UInt32)
            rows = pl.DataFrame(list(new), schema=distinct.schema, orient="row")
            insert(cursor, self.table, rows.with_columns(numbers))
            known.update((row, number) for row, number in new.items() if _is_short(row))
        return [known.get(row) or new[row] for row in said]

    def _known(self, cursor: duckdb.DuckDBPyConnection) -> dict[tuple[object, ...], int]:
        if self._numbers is None:
            self._last, self._numbers = self._stored(cursor)
        elif len(self._numbers) > LARGEST:
            self._numbers = {}
        return self._numbers

    def _stored(self, cursor: duckdb.DuckDBPyConnection) -> tuple[int, dict[tuple[object, ...], int]]:
        """The last number in the table, and the latest rows that are worth to be remembered."""
        ((last,),) = cursor.execute(f"SELECT coalesce(max({self.number}), 0) FROM {self.table}").fetchall()  # noqa: S608  (our own)
        names = ", ".join(self.columns)
        rows = cursor.execute(
            f"SELECT {names}, {self.number} FROM {self.table} WHERE length(concat({names})) <= $longest "  # noqa: S608  (our own)
            f"ORDER BY {self.number} DESC LIMIT $n",
            {"n": LARGEST, "longest": LONGEST},
        ).fetchall()
        return last, {row[:-1]: row[-1] for row in rows}


def _is_short(row: tuple[object, ...]) -> bool:
    return sum(len(word) for word in row if isinstance(word, str)) <= LONGEST


class Narrow:
    """Writes records; for one store, by one transaction at a time."""

    def __init__(self) -> None:
        self._repeated = (Repeated("origins", "origin", ORIGIN), Repeated("meanings", "meaning", MEANING))

    def forget(self) -> None:
        for one in self._repeated:
            one.forget()

    def insert(self, cursor: duckdb.DuckDBPyConnection, records: pl.DataFrame) -> None:
        """All columns of `records`; `copy_of` may be left out."""
        insert(cursor, "lines", self._lines(cursor, records))

    def update(self, cursor: duckdb.DuckDBPyConnection, records: pl.DataFrame, differing: Iterable[str]) -> None:
        """Give stored records what these say in the columns that differ. All columns that a parser gives, and the
        listener, transport, peer and peer_identity.
        """
        if records.is_empty():
            return
        names = sorted({_place(name) for name in differing})
        if "raw" in names or "message" in names:
            names = sorted({*names, "raw", "message", "message_at"})
        cursor.register("rewritten", self._lines(cursor, records).select("record_id", *names).to_arrow())
        values = ", ".join(f"{name} = rewritten.{name}" for name in names)
        ids = records["record_id"]
        cursor.execute(
            f"UPDATE lines SET {values} FROM rewritten"  # noqa: S608  (names of our own columns)
            " WHERE lines.record_id = rewritten.record_id AND lines.record_id BETWEEN ? AND ?",
            [ids.min(), ids.max()],
        )

    def _lines(self, cursor: duckdb.DuckDBPyConnection, records: pl.DataFrame) -> pl.DataFrame:
        numbers = [one.numbers(cursor, records) for one in self._repeated]
        ends = pl.col("raw").str.ends_with(pl.col("message"))
        before = pl.col("raw").str.len_chars() - pl.col("message").str.len_chars()
        return records.select(pl.exclude(*ORIGIN, *MEANING)).with_columns(
            *numbers,
            message=pl.when(~ends).then(pl.col("message")),
            message_at=pl.when(ends).then(before),
        )


def _place(column: str) -> str:
    """The column of `lines` in which a column of `records` lies."""
    return "origin" if column in ORIGIN else "meaning" if column in MEANING else column
