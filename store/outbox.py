"""The outbox: messages that must leave the house, written with what caused them, kept until accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for one sink that is still to be written down; `message` is JSON text."""

    sink: str
    kind: str
    severity: str
    message: str
    finding: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row that is due; `attempts` were made before."""

    id: int
    sink: str
    kind: str
    severity: str
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of trying one row; `answer` is at most 500 visible characters."""

    row: Waiting
    at: datetime
    answer: str


def write(cursor: duckdb.DuckDBPyConnection, letter: Letter, now: datetime) -> int:
    """Put one message into the outbox, due at once, in the caller's transaction; gives its number."""
    number: int = 1 + cursor.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchall()[0][0]
    cursor.execute(
        "INSERT INTO outbox (id, finding, sink, kind, severity, message, created_at, next_attempt_at,"
        " attempts, state, last_error)"
        " VALUES ($id, $finding, $sink, $kind, $severity, $message, $now, $now, 0, 'waiting', '')",
        {
            "id": number,
            "finding": letter.finding,
            "sink": letter.sink,
            "kind": letter.kind,
            "severity": letter.severity,
            "message": letter.message,
            "now": now,
        },
    )
    return number


def due_sinks(cursor: duckdb.DuckDBPyConnection, now: datetime) -> list[str]:
    """Names of the sinks that have something to send, in alphabetical order."""
    rows = cursor.execute(
        "SELECT DISTINCT sink FROM outbox WHERE state = 'waiting' AND next_attempt_at <= $now ORDER BY sink",
        {"now": now},
    ).fetchall()
    return [sink for (sink,) in rows]


def next_due(cursor: duckdb.DuckDBPyConnection, sink: str, now: datetime) -> Waiting | None:
    """The most severe row of a sink that is due, the oldest of these; None when nothing is."""
    row = cursor.execute(
        "SELECT id, sink, kind, severity, message, attempts FROM outbox"
        " WHERE state = 'waiting' AND sink = $sink AND next_attempt_at <= $now"
        " ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), id LIMIT 1",
        {"sink": sink, "now": now},
    ).fetchone()
    return Waiting(*row) if row else None


def next_moment(cursor: duckdb.DuckDBPyConnection, besides: Collection[str] = ()) -> datetime | None:
    """When the next waiting row of any other sink becomes due, perhaps in the past; None when nothing waits."""
    row = cursor.execute(
        "SELECT min(next_attempt_at) FROM outbox WHERE state = 'waiting' AND NOT list_contains($besides, sink)",
        {"besides": ["", *besides]},
    ).fetchone()
    return row[0] if row else None


def delivered(cursor: duckdb.DuckDBPyConnection, attempt: Attempt) -> None:
    """The receiver has it: this row is never sent again."""
    _keep(cursor, attempt, accepted=True)
    cursor.execute(
        "UPDATE outbox SET state = 'delivered', attempts = $attempts, last_error = '' WHERE id = $id",
        {"id": attempt.row.id, "attempts": attempt.row.attempts + 1},
    )


def postponed(cursor: duckdb.DuckDBPyConnection, attempt: Attempt, until: datetime, message: str) -> None:
    """Not accepted: try again at `until`, with `message` (a part of it may have been accepted)."""
    _keep(cursor, attempt, accepted=False)
    cursor.execute(
        "UPDATE outbox SET next_attempt_at = $until, attempts = $attempts, last_error = $answer, message = $message"
        " WHERE id = $id",
        {
            "id": attempt.row.id,
            "until": until,
            "attempts": attempt.row.attempts + 1,
            "answer": attempt.answer,
            "message": message,
        },
    )


def rest(cursor: duckdb.DuckDBPyConnection, sink: str, now: datetime, until: datetime, why: str) -> None:
    """The sink cannot be reached: whatever else is due for it waits as long, without counting as tried."""
    cursor.execute(
        "UPDATE outbox SET next_attempt_at = $until, last_error = $why"
        " WHERE sink = $sink AND state = 'waiting' AND next_attempt_at <= $now",
        {"sink": sink, "now": now, "until": until, "why": why},
    )


def dead(cursor: duckdb.DuckDBPyConnection, attempt: Attempt) -> None:
    """It can never be sent as it is; the reason stays beside it."""
    _keep(cursor, attempt, accepted=False)
    cursor.execute(
        "UPDATE outbox SET state = 'dead', attempts = $attempts, last_error = $answer WHERE id = $id",
        {"id": attempt.row.id, "attempts": attempt.row.attempts + 1, "answer": attempt.answer},
    )


def _keep(cursor: duckdb.DuckDBPyConnection, attempt: Attempt, *, accepted: bool) -> None:
    cursor.execute(
        "INSERT INTO deliveries (outbox, sink, attempt, attempted_at, accepted, answer)"
        " VALUES ($outbox, $sink, $attempt, $at, $accepted, $answer)",
        {
            "outbox": attempt.row.id,
            "sink": attempt.row.sink,
            "attempt": attempt.row.attempts + 1,
            "at": attempt.at,
            "accepted": accepted,
            "answer": attempt.answer,
        },
    )
