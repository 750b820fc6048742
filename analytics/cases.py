"""A detector's own cases: small tables in, findings out, in a database of their own. They come along with the product."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from analytics.asking import CannotJudge, Episode, ask
from analytics.manners import scratch
from store.findings import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from analytics.detector import Detector

DAY = "2026-11-23"
TABLES = {
    "events": "records",
    "devices": "devices",
    "change_windows": "change_windows",
    "baseline": "baseline",
    "custody": "custody",
}
"""Tables that a case may fill, and what they are in the store."""

KEYS = frozenset({"name", "at", "parameters", "expect", *TABLES})
MADE = {
    "event_at_source": "record",
    "transport": "tcp",
    "batch": "1",
    "status": "parsed",
    "time_zone": "UTC",
    "profile": "production",
    "approved_at": f"{DAY} 00:00:00",
    "as_of": f"{DAY} 00:00:00",
    "added_at": f"{DAY} 00:00:00",
    "kind": "change",
    "refused_reasons": "{}",
    "microsoft_monitor": "true",
}
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """One situation and what must be found in it."""

    name: str
    tables: Mapping[str, list[dict[str, str]]]
    expect: list[dict[str, str]]
    at: datetime | None
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """`trouble` says what was different; '' when the case passed."""

    name: str
    passed: bool
    trouble: str = ""


class CasesError(Exception):
    """The file of cases cannot be read; the text begins with its name."""


def cases_path(detector: Detector) -> Path:
    return detector.path.with_suffix(".cases.toml")


def read_cases(path: Path) -> list[Case]:
    """All cases of one file. Raises CasesError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_case(given) for given in document["case"]]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CasesError(f"{path.name}: {what}") from None


def run_cases(detector: Detector) -> list[CaseResult]:
    """Every case, in the order of the file; a detector without cases has one result that says so."""
    try:
        cases = read_cases(cases_path(detector))
    except CasesError as error:
        return [CaseResult("", passed=False, trouble=str(error))]
    return [_run(detector, case) for case in cases]


def _case(given: dict[str, Any]) -> Case:
    unknown = sorted(given.keys() - KEYS)
    if unknown:
        raise ValueError(f"case {given.get('name')!r}: {', '.join(unknown)} is no key of a case")
    return Case(
        given["name"],
        {name: table(given[name]) for name in TABLES if name in given},
        table(given["expect"]),
        moment_of(given["at"]) if "at" in given else None,
        given.get("parameters", {}),
    )


def table(text: str) -> list[dict[str, str]]:
    """Rows of a little table: names in the first line, cells between bars; empty lines are nothing."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.strip()]
    for row in lines:
        if len(row) != len(lines[0]):
            raise ValueError(f"{' | '.join(row)!r} has {len(row)} cells, not {len(lines[0])}")
    return [dict(zip(lines[0], row, strict=True)) for row in lines[1:]]


def moment_of(text: str) -> datetime:
    """`10:00:00` of the day of cases, or a full date and time."""
    return datetime.fromisoformat(f"{DAY} {text}" if "-" not in text else text)


def _run(detector: Detector, case: Case) -> CaseResult:
    unknown = sorted(case.parameters.keys() - detector.parameters.keys())
    if unknown:
        return CaseResult(case.name, passed=False, trouble=f"no such parameter: {', '.join(unknown)}")
    here = replace(detector, parameters=dict(detector.parameters) | dict(case.parameters))
    try:
        troubles = [_difference(_found(here, case, only), case.expect) for only in ("true", detector.watches)]
    except (CannotJudge, duckdb.Error, ValueError) as error:
        return CaseResult(case.name, passed=False, trouble=str(error))
    if troubles[0]:
        return CaseResult(case.name, passed=False, trouble=troubles[0])
    trouble = f"other records than those it watches matter: {troubles[1]}" if troubles[1] else ""
    return CaseResult(case.name, passed=not trouble, trouble=trouble)


def _found(detector: Detector, case: Case, only: str) -> list[Episode]:
    """What is found when the store holds the case's rows, as far as the condition lets them in."""
    cursor = scratch().cursor()
    cursor.execute("BEGIN TRANSACTION")
    try:
        for name, rows in case.tables.items():
            fill(cursor, name, rows)
        cursor.execute(f"DELETE FROM records WHERE NOT coalesce(({only}\n), false)")  # noqa: S608  (checked)
        begin, end = _window(cursor, detector, case)
        return [one for one in ask(cursor, detector, begin, end, SECONDS) if one.severity is not None]
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()


def _window(cursor: duckdb.DuckDBPyConnection, detector: Detector, case: Case) -> tuple[datetime, datetime]:
    if detector.kind == "state":
        if case.at is None:
            raise ValueError("a case of a state wants `at`")
        return case.at - detector.looks_back, case.at
    first, last = cursor.execute("SELECT min(event_at), max(event_at) FROM records").fetchall()[0]
    wide = detector.looks_back * 2
    return (first or moment_of("00:00:00")) - wide, (last or moment_of("00:00:00")) + wide


def fill(cursor: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, str]]) -> None:
    """Rows of a case into their table; a column that is not named is NULL, or '' where it may not be."""
    kinds = {
        column: (kind, null == "YES")
        for column, kind, null, *_ in cursor.execute(f"DESCRIBE {TABLES[name]}").fetchall()
    }
    for number, row in enumerate(rows, 1):
        cells = {column: cell for column, cell in _named(name, number, row) if cell}
        unknown = sorted(cells.keys() - kinds.keys())
        if unknown:
            raise ValueError(f"{name}: no such column: {', '.join(unknown)}")
        given = [_cell(cells.get(column), kind, nullable=nullable) for column, (kind, nullable) in kinds.items()]
        marks = ", ".join(f"CAST(? AS {kind})" for kind, _ in kinds.values())
        cursor.execute(f"INSERT INTO {TABLES[name]} VALUES ({marks})", given)  # noqa: S608  (names of our own tables)


def _named(name: str, number: int, row: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The row's cells under the table's own column names; `time` is when it happened and came."""
    yield from (
        MADE.items()
        if name != "events"
        else ((key, MADE[key]) for key in ("event_at_source", "transport", "batch", "status"))
    )
    if name == "events":
        yield "record_id", str(number)
        at = row.get("time") or row["event_at"]
        yield "event_at", str(moment_of(at))
        yield "received_at", str(moment_of(row.get("received") or at))
    for column, cell in row.items():
        if column not in {"time", "received"}:
            yield column, str(moment_of(cell)) if cell and column in _TIMES else cell


_TIMES = frozenset(
    {"event_at", "received_at", "sent_at", "starts_at", "ends_at", "approved_at", "as_of", "since", "minute"}
)


def _cell(text: str | None, kind: str, *, nullable: bool) -> object:
    if kind.endswith("[]"):
        return [item.strip() for item in (text or "").split(",") if item.strip()]
    if text is None and not nullable:
        return {"VARCHAR": "", "JSON": "{}", "BOOLEAN": "false"}.get(kind, "0")
    return text


def _difference(found: list[Episode], expect: list[dict[str, str]]) -> str:
    """'' when the rows are the same, in any order, in the columns that the case names."""
    names = list(expect[0]) if expect else ["subject", "first_seen", "last_seen"]
    missing = sorted({name for name in names for one in found if name not in _shown(one)})
    if missing:
        return f"no such column: {', '.join(missing)}"
    wanted = Counter(tuple(_as_shown(name, row[name]) for name in names) for row in expect)
    got = Counter(tuple(_shown(one)[name] for name in names) for one in found)
    lines = [f"missing: {' | '.join(row)}" for row in (wanted - got).elements()]
    lines += [f"not expected: {' | '.join(row)}" for row in (got - wanted).elements()]
    return "; ".join(lines)


def _as_shown(name: str, cell: str) -> str:
    return moment(moment_of(cell)) if name in {"first_seen", "last_seen"} else cell


def _shown(one: Episode) -> dict[str, str]:
    columns = {name: _text(value) for name, value in one.columns.items()}
    return columns | {
        "subject": one.subject,
        "first_seen": moment(one.first_seen),
        "last_seen": moment(one.last_seen),
        "severity": one.severity or "",
        "device": one.device,
        "records": str(one.record_count),
        "evidence": ", ".join(map(str, one.evidence)),
    }


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(map(_text, value))
        case _:
            return str(value)
