"""Console output as observations: what a file showed of a device at a moment, with its digest and who brought it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import duckdb

    from parsers.console import Reading

Outcome = Literal["new", "known", "read again"]
"""Of a file: brought for the first time; brought before; brought before and read otherwise now, by newer forms."""


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """One file as it was read. `partition` is that of output which names none; `name` is without folders."""

    device: str
    partition: str
    observed_at: datetime
    name: str
    sha256: str
    size: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class Observation:
    """A row of table observations, without its text; `settings` and `left_out` are numbers."""

    id: int
    device: str
    partition: str
    observed_at: datetime
    file: str
    sha256: str
    settings: int
    left_out: int
    imported_at: datetime
    imported_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_reason: str


LISTED = """
SELECT id, device, partition, observed_at, file, sha256,
    (SELECT count(*) FROM observed_settings WHERE observation = id), json_array_length(left_out)::BIGINT,
    imported_at, imported_by, withdrawn_at, withdrawn_by, withdrawn_reason
FROM observations ORDER BY observed_at DESC, id DESC
"""


def observe(cursor: duckdb.DuckDBPyConnection, brought: ConsoleFile, *, by: str, now: datetime) -> tuple[int, Outcome]:
    """Keep one; its id. The same bytes of one device and moment are the same observation; a withdrawn one is not."""
    same = {"device": brought.device, "part": brought.partition, "at": brought.observed_at, "sha256": brought.sha256}
    found = cursor.execute(
        "SELECT id FROM observations WHERE device = $device AND partition = $part AND observed_at = $at"
        " AND sha256 = $sha256 AND withdrawn_at IS NULL",
        same,
    ).fetchone()
    if found is None:
        number = 1 + cursor.execute("SELECT coalesce(max(id), 0) FROM observations").fetchall()[0][0]
        _add(cursor, number, brought, by, now)
        _fill(cursor, number, brought.reading)
        return number, "new"
    if _read(cursor, found[0]) == _rows(brought.reading):
        return found[0], "known"
    for table in ("observed_settings", "observed_lists"):
        cursor.execute(f"DELETE FROM {table} WHERE observation = $id", {"id": found[0]})  # noqa: S608  (one of two)
    _fill(cursor, found[0], brought.reading)
    return found[0], "read again"


def withdraw(cursor: duckdb.DuckDBPyConnection, number: int, *, reason: str, by: str, now: datetime) -> None:
    """From now on it counts for nothing, at no moment; it is kept. LookupError when there is none that counts."""
    changed = cursor.execute(
        "UPDATE observations SET withdrawn_at = $now, withdrawn_by = $by, withdrawn_reason = $reason"
        " WHERE id = $id AND withdrawn_at IS NULL RETURNING id",
        {"id": number, "now": now, "by": by, "reason": reason},
    ).fetchall()
    if not changed:
        raise LookupError(f"there is no observation {number} that counts")


def list_observations(cursor: duckdb.DuckDBPyConnection) -> list[Observation]:
    """All, the newest moment first, withdrawn ones too."""
    return [Observation(*row) for row in cursor.execute(LISTED).fetchall()]


def _add(cursor: duckdb.DuckDBPyConnection, number: int, brought: ConsoleFile, by: str, now: datetime) -> None:
    cursor.execute(
        "INSERT INTO observations BY NAME SELECT $id AS id, $device AS device, $part AS partition, $at AS observed_at,"
        " $file AS file, $sha256 AS sha256, $bytes AS bytes, '' AS text, '[]' AS left_out,"
        " $now AS imported_at, $by AS imported_by, '' AS withdrawn_by, '' AS withdrawn_reason",
        {
            "id": number,
            "device": brought.device,
            "part": brought.partition,
            "at": brought.observed_at,
            "file": brought.name,
            "sha256": brought.sha256,
            "bytes": brought.size,
            "now": now,
            "by": by,
        },
    )


def _rows(reading: Reading) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    return set(map(dataclasses.astuple, reading.shown)), set(map(dataclasses.astuple, reading.lists))


def _read(cursor: duckdb.DuckDBPyConnection, number: int) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """The same of what is kept."""
    settings = "SELECT setting, partition, value, line, form FROM observed_settings WHERE observation = $id"
    lists = "SELECT members, gone, line, form FROM observed_lists WHERE observation = $id"
    return (
        set(cursor.execute(settings, {"id": number}).fetchall()),
        set(cursor.execute(lists, {"id": number}).fetchall()),
    )


def _fill(cursor: duckdb.DuckDBPyConnection, number: int, reading: Reading) -> None:
    """What was read, and what was not."""
    left_out = json.dumps([dataclasses.asdict(one) for one in reading.left_out])
    cursor.execute(
        "UPDATE observations SET text = $text, left_out = $left_out WHERE id = $id",
        {"id": number, "text": "\n".join(reading.kept), "left_out": left_out},
    )
    for table, rows in (("observed_settings", reading.shown), ("observed_lists", reading.lists)):
        if rows:
            columns = {item.name: [getattr(row, item.name) for row in rows] for item in dataclasses.fields(rows[0])}
            said = ", ".join(f"unnest(${name}) AS {name}" for name in columns)
            cursor.execute(
                f"INSERT INTO {table} BY NAME SELECT $id AS observation, {said}",  # names of fields
                {"id": number, **columns},
            )
