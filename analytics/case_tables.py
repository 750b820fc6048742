"""The little tables of cases: text between bars, put into the store's real tables."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from analytics.manners import scratch
from analytics.networks import ends
from store.narrow import Narrow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

DAY = "2026-11-23"
TABLES = {
    "events": "records",
    "devices": "devices",
    "change_windows": "change_windows",
    "baseline": "baseline",
    "custody": "custody",
    "accounts": "accounts",
    "ranges": "ranges",
    "clients": "clients",
    "partitions": "partitions",
    "batches": "batches",
    "room": "room",
    "findings": "findings",
    "runs": "runs",
    "outbox": "outbox",
    "reviews": "reviews",
    "attestations": "attestations",
    "suppressions": "suppressions",
    "observations": "observations",
    "observed_settings": "observed_settings",
    "observed_lists": "observed_lists",
}
"""Tables that a case may fill, and what they are in the store."""

MADE = {
    "records": {"event_at_source": "record", "transport": "tcp", "batch": "1", "status": "parsed"},
    "devices": {"time_zone": "UTC", "profile": "production", "microsoft_monitor": "true"},
    "change_windows": {"kind": "change", "added_at": f"{DAY} 00:00:00"},
    "baseline": {"approved_at": f"{DAY} 00:00:00", "as_of": f"{DAY} 00:00:00"},
    "custody": {"refused_reasons": "{}"},
    "accounts": {},
    "ranges": {},
    "clients": {},
    "partitions": {"kind": "application"},
    "batches": {"counters": "{}", "stored_at": f"{DAY} 00:00:00"},
    "findings": dict.fromkeys(("first_seen", "last_seen", "updated_at"), f"{DAY} 00:00:00")
    | {"kind": "episodes", "state": "open", "columns": "{}", "parameters": "{}"},
    "runs": {"state": "ran", "started_at": f"{DAY} 00:00:00"},
    "outbox": dict.fromkeys(("created_at", "next_attempt_at"), f"{DAY} 00:00:00")
    | {"kind": "finding", "message": "{}", "state": "waiting"},
    "reviews": dict.fromkeys(("period_start", "period_end"), f"{DAY} 00:00:00"),
    "attestations": {"given_at": f"{DAY} 00:00:00"},
    "suppressions": {"match": "{}"},
    "observations": {"imported_at": f"{DAY} 00:00:00", "left_out": "[]"},
    "observed_settings": {},
    "observed_lists": {},
    "room": {},
}
"""What a column holds when the case does not say."""

RECORDS = ("lines", "origins", "meanings")
NUMBERS = {"origin", "meaning", "message_at"}
TEXT = ("VARCHAR", False)
"""The view `records` is made of these tables; its message is never NULL."""

Row = dict[str, str]


def table(text: str) -> list[Row]:
    """Rows of a little table: names in the first line, cells between bars. ValueError for a row of another length."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.strip()]
    for row in lines:
        if len(row) != len(lines[0]):
            raise ValueError(f"{' | '.join(row)!r} has {len(row)} cells, not {len(lines[0])}")
    return [dict(zip(lines[0], row, strict=True)) for row in lines[1:]]


def moment_of(text: str) -> datetime:
    """`10:00:00` of the day of cases, or a full date and time."""
    return datetime.fromisoformat(text if "-" in text else f"{DAY} {text}")


def fill(cursor: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Row], first_record: int = 1) -> None:
    """Rows of a case into their table. What is not named is NULL, or '' where it must be. ValueError for mistakes."""
    here = TABLES[name]
    kinds = _kinds(here)
    full = [MADE[here] | _named(name, number, row, kinds) for number, row in enumerate(rows, first_record)]
    unknown = sorted({column for row in full for column in row} - kinds.keys())
    if unknown:
        raise ValueError(f"{name}: no such column: {', '.join(unknown)}")
    if full and here == "records":
        sql, cells = _asked(full, kinds)
        Narrow().insert(cursor, pl.DataFrame(cursor.execute(sql, cells).to_arrow_table()))
    elif full:
        named = {column for row in full for column in row}
        sql, cells = _asked(full, {name: kind for name, kind in kinds.items() if name in named or not kind[1]})
        cursor.execute(f"INSERT INTO {here} BY NAME {sql}", cells)


def _asked(full: Sequence[Row], kinds: Mapping[str, tuple[str, bool]]) -> tuple[str, list[object]]:
    """SQL that gives the rows in their types, and its parameters."""
    one = ", ".join(f"CAST(? AS {kind}) AS {column}" for column, (kind, _) in kinds.items())
    cells = [_cell(row.get(column), *kind) for row in full for column, kind in kinds.items()]
    return " UNION ALL ".join([f"SELECT {one}"] * len(full)), cells


@cache
def _kinds(here: str) -> dict[str, tuple[str, bool]]:
    """Of each column: its type, and whether it may be NULL."""
    tables = RECORDS if here == "records" else (here,)
    described = [row for name in tables for row in scratch().cursor().execute(f"DESCRIBE {name}").fetchall()]
    kinds = {column: (kind, nullable == "YES") for column, kind, nullable, *_ in described}
    if here == "records":
        kinds = {column: kind for column, kind in kinds.items() if column not in NUMBERS} | {"message": TEXT}
    return kinds


def _named(name: str, number: int, row: Row, kinds: Mapping[str, tuple[str, bool]]) -> Row:
    """The row's cells under the table's own names; `time` is when it happened, `received` when it came."""
    given = {column: cell for column, cell in row.items() if cell}
    if name == "events":
        at = given.pop("time", "") or given["event_at"]
        received = given.pop("received", "")
        given = {"record_id": str(number), "event_at": at, "received_at": received or at} | given
    if name == "ranges":
        given |= dict(zip(("first", "last"), ends(given["cidr"]), strict=True))
    moments = {column for column, (kind, _) in kinds.items() if kind == "TIMESTAMP"}
    return {column: str(moment_of(cell)) if column in moments else cell for column, cell in given.items()}


def _cell(text: str | None, kind: str, nullable: bool) -> object:  # noqa: FBT001  (as _kinds gives them)
    if kind.endswith("[]"):
        return [item.strip() for item in (text or "").split(",") if item.strip()]
    if text or nullable:
        return text or None
    return {"VARCHAR": "", "JSON": "{}", "BOOLEAN": "false"}.get(kind, "0")
