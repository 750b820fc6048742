"""The ledger of judgements: which detector judged which batches, when, and what came of it. No gap stays unsaid."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Run:
    """A row of table runs. Batches after from_position, up to to_position; state ran, failed or filled.

    `not_measured`: parts that could not be judged, since the configuration does not say what they need.
    """

    detector: str
    version: str
    state: str
    from_position: int
    to_position: int
    window_start: datetime | None
    window_end: datetime | None
    started_at: datetime
    finished_at: datetime
    times: int = 1
    findings: int = 0
    suppressed: int = 0
    error: str = ""
    not_measured: str = ""


NAMES = [field.name for field in fields(Run)]


def last_position(cursor: duckdb.DuckDBPyConnection) -> int:
    """The newest batch in the store; 0 for none."""
    return int(cursor.execute("SELECT coalesce(max(position), 0) FROM batches").fetchall()[0][0])


def latest(cursor: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Run]:
    """The newest row of each detector and version."""
    rows = cursor.execute(
        f"SELECT {', '.join(NAMES)} FROM runs"  # noqa: S608  (names of our own columns)
        " QUALIFY row_number() OVER (PARTITION BY detector, version ORDER BY finished_at DESC, started_at DESC) = 1"
    ).fetchall()
    runs = [Run(*row) for row in rows]
    return {(run.detector, run.version): run for run in runs}


def judged(cursor: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Up to which batch each detector and version has judged without a gap."""
    rows = cursor.execute(
        "SELECT detector, version, max(to_position) FROM runs WHERE state IN ('ran', 'filled') GROUP BY ALL"
    ).fetchall()
    return {(detector, version): int(position) for detector, version, position in rows}


def looked(cursor: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """Up to when each detector has judged, in whatever version."""
    rows = cursor.execute(
        "SELECT detector, max(window_end) FROM runs"
        " WHERE state IN ('ran', 'filled') AND window_end IS NOT NULL GROUP BY detector"
    ).fetchall()
    return dict(rows)


def write(cursor: duckdb.DuckDBPyConnection, run: Run, before: Run | None) -> Run:
    """Add a row, or count the run into the row before when it says the same; gives the row as it now is."""
    if before is None or not _goes_on(before, run):
        marks = ", ".join(f"${name}" for name in NAMES)
        row = {name: getattr(run, name) for name in NAMES}
        cursor.execute(f"INSERT INTO runs ({', '.join(NAMES)}) VALUES ({marks})", row)  # noqa: S608
        return run
    joined = _joined(before, run)
    cursor.execute(
        """UPDATE runs SET to_position = $to_position, window_start = $window_start, window_end = $window_end,
           finished_at = $finished_at, times = $times, findings = $findings, suppressed = $suppressed
           WHERE detector = $detector AND version = $version AND state = $state
             AND from_position = $from_position AND started_at = $started_at""",
        {name: getattr(joined, name) for name in NAMES if name not in {"error", "not_measured"}},
    )
    return joined


def _goes_on(before: Run, run: Run) -> bool:
    """Runs that follow one another are one row; failures of the same batches for the same reason too."""
    if (before.state, before.error, before.not_measured) != (run.state, run.error, run.not_measured):
        return False
    return before.to_position == run.from_position if run.state == "ran" else before.from_position == run.from_position


def _joined(before: Run, run: Run) -> Run:
    starts = [at for at in (before.window_start, run.window_start) if at is not None]
    ends = [at for at in (before.window_end, run.window_end) if at is not None]
    return replace(
        before,
        to_position=run.to_position,
        window_start=min(starts, default=None),
        window_end=max(ends, default=None),
        finished_at=run.finished_at,
        times=before.times + run.times,
        findings=before.findings + run.findings,
        suppressed=max(before.suppressed, run.suppressed),
    )
