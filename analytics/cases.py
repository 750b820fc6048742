"""A detector's own cases: small tables in, findings out, in a database of their own. They ship with the product."""

from __future__ import annotations

import tomllib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb

from analytics.asking import CannotJudge, ask
from analytics.case_tables import TABLES, Row, fill, moment_of, table
from analytics.manners import scratch
from store.findings import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from analytics.asking import Episode
    from analytics.detector import Detector

KEYS = frozenset({"name", "at", "judged_until", "parameters", "expect", *TABLES})
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Case:
    """One situation and what must be found in it.

    `at` is the moment at which a state is judged, `judged_until` when it was judged before (None: never).
    """

    name: str
    tables: Mapping[str, Sequence[Row]]
    expect: Sequence[Row]
    at: datetime | None
    judged_until: datetime | None
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
    except FileNotFoundError:
        raise CasesError(f"{path.name} is not there: a detector has at least one case") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CasesError(f"{path.name}: {what}") from None


def run_cases(detector: Detector) -> list[CaseResult]:
    """Every case, in the order of the file; a file that cannot be read is one result that says so."""
    try:
        cases = read_cases(cases_path(detector))
    except CasesError as error:
        return [CaseResult("", passed=False, trouble=str(error))]
    return [run_case(detector, case) for case in cases]


def run_case(detector: Detector, case: Case) -> CaseResult:
    """Twice: with all records, and with those alone that the detector says it watches."""
    unknown = sorted(case.parameters.keys() - detector.parameters.keys())
    if unknown:
        return CaseResult(case.name, passed=False, trouble=f"no such parameter: {', '.join(unknown)}")
    here = replace(detector, parameters=dict(detector.parameters) | dict(case.parameters))
    try:
        with _filled(case) as cursor:
            trouble = _difference(_found(cursor, here, case), case.expect)
            if not trouble and detector.watches != "true":
                _leave_watched(cursor, detector.watches)
                other = _difference(_found(cursor, here, case), case.expect)
                trouble = f"records that it does not watch matter: {other}" if other else ""
    except (CannotJudge, duckdb.Error, KeyError, ValueError) as error:
        trouble = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return CaseResult(case.name, passed=not trouble, trouble=trouble)


def _case(given: dict[str, Any]) -> Case:
    unknown = sorted(given.keys() - KEYS)
    if unknown:
        raise ValueError(f"case {given.get('name')!r}: {', '.join(unknown)} is no key of a case")
    return Case(
        given["name"],
        {name: table(given[name]) for name in TABLES if name in given},
        table(given["expect"]),
        moment_of(given["at"]) if "at" in given else None,
        moment_of(given["judged_until"]) if "judged_until" in given else None,
        given.get("parameters", {}),
    )


@contextmanager
def _filled(case: Case) -> Iterator[duckdb.DuckDBPyConnection]:
    """A store that holds the case's rows, and nothing afterwards."""
    cursor = scratch().cursor()
    cursor.execute("BEGIN TRANSACTION")
    try:
        for name, rows in case.tables.items():
            fill(cursor, name, rows)
        yield cursor
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()


def _leave_watched(cursor: duckdb.DuckDBPyConnection, condition: str) -> None:
    watched = f"SELECT record_id FROM records WHERE ({condition}\n)"  # noqa: S608  (checked before)
    cursor.execute(f"DELETE FROM lines WHERE record_id NOT IN ({watched})")  # noqa: S608


def _found(cursor: duckdb.DuckDBPyConnection, detector: Detector, case: Case) -> list[Episode]:
    begin, end = _window(cursor, detector, case)
    found = ask(cursor, detector, begin, end, SECONDS, case.judged_until)
    return [one for one in found if one.severity is not None]


def _window(cursor: duckdb.DuckDBPyConnection, detector: Detector, case: Case) -> tuple[datetime, datetime]:
    if detector.kind == "state":
        if case.at is None:
            raise ValueError("a case of a state wants `at`, the moment at which it is judged")
        return case.at - detector.looks_back, case.at
    first, last = cursor.execute("SELECT min(event_at), max(event_at) FROM records").fetchall()[0]
    wide = detector.looks_back * 2
    return (first or moment_of("00:00:00")) - wide, (last or moment_of("00:00:00")) + wide


def _difference(found: Sequence[Episode], expect: Sequence[Row]) -> str:
    """'' when the rows are the same, in any order, in the columns that the case names."""
    names = list(expect[0]) if expect else ["subject", "first_seen", "last_seen"]
    shown = [_shown(one) for one in found]
    missing = sorted({name for name in names for one in shown if name not in one})
    if missing:
        return f"no such column: {', '.join(missing)}"
    wanted = Counter(tuple(_as_shown(name, row[name]) for name in names) for row in expect)
    got = Counter(tuple(one[name] for name in names) for one in shown)
    lines = [f"missing: {' | '.join(row)}" for row in (wanted - got).elements()]
    lines += [f"not expected: {' | '.join(row)}" for row in (got - wanted).elements()]
    return "; ".join(lines)


def _as_shown(name: str, cell: str) -> str:
    return moment(moment_of(cell)) if name in {"first_seen", "last_seen"} else cell


def _shown(one: Episode) -> Row:
    """All columns as text, and `records`, the number of records in evidence."""
    return {name: _text(value) for name, value in one.columns.items()} | {
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
