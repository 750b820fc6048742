"""Findings: what a detector found, the records that prove it, and what people made of it.

Functions take a cursor: those that write belong into the caller's transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Any

import polars as pl

from store.inserting import insert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import duckdb

STATES = ("open", "acknowledged", "closed", "superseded")
DISPOSITIONS = ("expected", "fixed", "incident", "false_alarm", "cleared")
MOST_RECORDS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A row of table findings; times are naive UTC."""

    id: int
    detector: str
    kind: str
    title: str
    subject: str
    device: str
    severity: str
    state: str
    disposition: str
    owner: str
    first_seen: datetime
    last_seen: datetime
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    alerted_severity: str
    superseded_by: int | None
    change_ticket: str
    record_count: int
    columns: Mapping[str, Any]
    detector_sha256: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a finding's history."""

    at: datetime
    action: str
    by: str
    note: str


NAMES = [field.name for field in fields(Finding)]
_SELECT = f"SELECT {', '.join(NAMES)} FROM findings"  # noqa: S608  (names of our own columns)

_MOMENT = pl.Datetime("us")
_TYPES: dict[str, pl.DataType] = {
    **{name: pl.String() for name in NAMES},
    **{name: pl.UInt64() for name in ("id", "superseded_by", "record_count")},
    **dict.fromkeys(("first_seen", "last_seen", "opened_at", "updated_at", "closed_at"), _MOMENT),
}
_STEP_TYPES: dict[str, pl.DataType] = {
    "finding": pl.UInt64(), "done_at": _MOMENT, "action": pl.String(), "done_by": pl.String(), "note": pl.String(),
}  # fmt: skip


def list_findings(
    cursor: duckdb.DuckDBPyConnection,
    states: Collection[str] | None = None,
    detector: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Finding]:
    """Newest first; all but superseded ones unless `states` says which. `since` and `until` bound what was seen."""
    return select(
        cursor,
        """WHERE list_contains($states, state) AND ($detector IS NULL OR detector = $detector)
           AND ($since IS NULL OR last_seen >= $since) AND ($until IS NULL OR first_seen <= $until)
           ORDER BY first_seen DESC, id DESC""",
        {"states": list(states or STATES[:3]), "detector": detector, "since": since, "until": until},
    )


def select(cursor: duckdb.DuckDBPyConnection, where: str, parameters: Mapping[str, Any]) -> list[Finding]:
    """Findings by a WHERE clause of our own; values are bound."""
    rows = cursor.execute(f"{_SELECT} {where}", dict(parameters)).fetchall()
    return [_finding(row) for row in rows]


def show(cursor: duckdb.DuckDBPyConnection, number: int) -> Finding | None:
    found = select(cursor, "WHERE id = $id", {"id": number})
    return found[0] if found else None


def evidence(cursor: duckdb.DuckDBPyConnection, number: int, limit: int | None = None) -> list[int]:
    """Record ids, rising; the first `limit` of them."""
    rows = cursor.execute(
        "SELECT record_id FROM finding_records WHERE finding = $id ORDER BY record_id LIMIT $most",
        {"id": number, "most": limit if limit is not None else 1 << 62},
    ).fetchall()
    return [record for (record,) in rows]


def history(cursor: duckdb.DuckDBPyConnection, number: int) -> list[Step]:
    """What happened to it, oldest first."""
    rows = cursor.execute(
        "SELECT done_at, action, done_by, note FROM finding_history WHERE finding = $id ORDER BY done_at, rowid",
        {"id": number},
    ).fetchall()
    return [Step(*row) for row in rows]


def as_json(finding: Finding, records: Iterable[int]) -> dict[str, Any]:
    """The finding as outside programs read it; `records` at most 100 ids."""
    return {
        "id": finding.id,
        "detector": finding.detector,
        "title": finding.title,
        "subject": finding.subject,
        "severity": finding.severity,
        "state": finding.state,
        "first_seen": moment(finding.first_seen),
        "last_seen": moment(finding.last_seen),
        "records": list(records)[:MOST_RECORDS],
        "record_count": finding.record_count,
        "columns": dict(finding.columns),
    }


def moment(at: datetime) -> str:
    """`2026-11-23T08:15:01.000000Z`."""
    return at.isoformat(timespec="microseconds") + "Z"


def acknowledge(cursor: duckdb.DuckDBPyConnection, number: int, *, by: str, note: str, now: datetime) -> None:
    """Somebody looks after it. A closed or superseded one stays as it is; the note is kept all the same."""
    finding = _must(cursor, number)
    if finding.state in {"open", "acknowledged"}:
        rewrite(cursor, replace(finding, state="acknowledged", owner=by, updated_at=now))
    note_down(cursor, number, Step(now, "acknowledged", by, note))


def close(  # noqa: PLR0913  (who, when, what and why)
    cursor: duckdb.DuckDBPyConnection, number: int, *, disposition: str, by: str, note: str, now: datetime
) -> None:
    """It is decided what it was. ValueError for a disposition that is none."""
    if disposition not in DISPOSITIONS:
        raise ValueError(f"{disposition!r} is no disposition; one of {', '.join(DISPOSITIONS)}")
    finding = _must(cursor, number)
    if finding.state != "superseded":
        closed = replace(finding, state="closed", disposition=disposition, owner=by, closed_at=now, updated_at=now)
        rewrite(cursor, closed)
    note_down(cursor, number, Step(now, "closed", by, f"{disposition}: {note}" if note else disposition))


def add(cursor: duckdb.DuckDBPyConnection, new: Sequence[tuple[Finding, Sequence[int], Step]]) -> list[Finding]:
    """Write new findings, each with its records and its first step, under the next free numbers; gives them back."""
    first = 1 + cursor.execute("SELECT coalesce(max(id), 0) FROM findings").fetchall()[0][0]
    numbered = [replace(finding, id=number) for number, (finding, *_) in enumerate(new, first)]
    insert(cursor, "findings", pl.DataFrame([_row(finding) for finding in numbered], schema=_TYPES))
    numbers = {"finding": [one.id for one in numbered], "record_id": [list(records) for _, records, _ in new]}
    records = pl.DataFrame(numbers, schema={"finding": pl.UInt64, "record_id": pl.List(pl.UInt64)})
    if not (rows := records.explode("record_id").drop_nulls()).is_empty():
        insert(cursor, "finding_records", rows)
    steps = [(one.id, step.at, step.action, step.by, step.note) for one, (*_, step) in zip(numbered, new, strict=True)]
    insert(cursor, "finding_history", pl.DataFrame(steps, schema=_STEP_TYPES, orient="row"))
    return numbered


def rewrite(cursor: duckdb.DuckDBPyConnection, finding: Finding) -> None:
    """All columns as given; its records are apart."""
    changes = ", ".join(f"{name} = ${name}" for name in NAMES if name != "id")
    cursor.execute(f"UPDATE findings SET {changes} WHERE id = $id", _row(finding))  # noqa: S608


def add_records(cursor: duckdb.DuckDBPyConnection, number: int, records: Iterable[int]) -> None:
    cursor.execute(
        "INSERT INTO finding_records SELECT $finding, unnest($records::UBIGINT[])",
        {"finding": number, "records": list(records)},
    )


def remove_records(cursor: duckdb.DuckDBPyConnection, number: int, records: Iterable[int]) -> None:
    cursor.execute(
        "DELETE FROM finding_records WHERE finding = $finding AND list_contains($records::UBIGINT[], record_id)",
        {"finding": number, "records": list(records)},
    )


def note_down(cursor: duckdb.DuckDBPyConnection, number: int, step: Step) -> None:
    cursor.execute(
        "INSERT INTO finding_history (finding, done_at, action, done_by, note) VALUES ($id, $at, $action, $by, $note)",
        {"id": number, "at": step.at, "action": step.action, "by": step.by, "note": step.note},
    )


def _must(cursor: duckdb.DuckDBPyConnection, number: int) -> Finding:
    finding = show(cursor, number)
    if finding is None:
        raise LookupError(f"there is no finding {number}")
    return finding


def _row(finding: Finding) -> dict[str, Any]:
    row = {name: getattr(finding, name) for name in NAMES}
    return row | {name: json.dumps(dict(row[name]), ensure_ascii=False) for name in ("columns", "parameters")}


def _finding(row: tuple[Any, ...]) -> Finding:
    values = dict(zip(NAMES, row, strict=True))
    return Finding(**values | {name: json.loads(values[name]) for name in ("columns", "parameters")})
