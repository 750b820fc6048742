"""Puts a detector's question to the store: bound, bounded in time, and answered in episodes."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from analytics.header import WORDS
from analytics.manners import bound
from analytics.severity import SEVERITIES, worst
from store.findings import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analytics.detector import Detector

MOST_RECORDS = 10_000
"""Record ids kept of one episode, the first in the detector's order; `record_count` says how many there were."""

MOST_ROWS = 100_000
MOST_ITEMS, LONGEST_TEXT = 100, 1000
OWN = frozenset({"subject", "first_seen", "last_seen", "evidence", "severity", "device", "in_change_window"})


class CannotJudge(Exception):  # noqa: N818  (what it says)
    """The detector gave no answer, or none that can be used; the text goes into `runs`."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One row of a detector. Without severity it is no finding: it only says how far its records reach."""

    subject: str
    first_seen: datetime
    last_seen: datetime
    evidence: tuple[int, ...]
    record_count: int
    severity: str | None
    device: str
    columns: Mapping[str, Any]
    in_change_window: str = ""
    """Instead of the header's; '' leaves that."""


def ask(  # noqa: PLR0913, PLR0917  (whom, what, when, how long)
    cursor: duckdb.DuckDBPyConnection,
    detector: Detector,
    begin: datetime,
    end: datetime,
    seconds: float,
    judged_until: datetime | None = None,
) -> list[Episode]:
    """What the detector finds between two moments; what it cannot read is CannotJudge.

    `judged_until`: when a state was judged before; None: never, and only what is true at the end is asked for.
    """
    values = _values(detector, begin, end, min(end, max(begin, judged_until or end)))
    try:
        with limited(cursor, seconds):
            cursor.execute(detector.query, values)
            names = [name for name, *_ in cursor.description or ()]
            rows = cursor.fetchmany(MOST_ROWS + 1)
    except duckdb.InterruptException:
        raise CannotJudge(f"took longer than {seconds:g} s") from None
    except duckdb.Error as error:
        raise CannotJudge(str(error)) from None
    if len(rows) > MOST_ROWS:
        raise CannotJudge(f"gave more than {MOST_ROWS} rows")
    return _merged([_episode(dict(zip(names, row, strict=True)), detector) for row in rows], detector.kind)


@contextmanager
def limited(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt whatever the cursor does after so long."""
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _values(detector: Detector, begin: datetime, end: datetime, judged_until: datetime) -> dict[str, Any]:
    """Only what the query names: DuckDB refuses the rest."""
    always: dict[str, Any] = {
        "window_start": begin,
        "window_end": end,
        "looks_back": detector.looks_back,
        "judged_until": judged_until,
    }
    named = {name: value for name, value in always.items() if f"${name}" in detector.query}
    return bound(named | dict(detector.parameters))


def _episode(row: dict[str, Any], detector: Detector) -> Episode:
    subject, first, last = row["subject"], row["first_seen"], row["last_seen"]
    if not subject or first is None or last is None or first > last:
        raise CannotJudge(f"a row without subject or with a span that is none: {subject!r}, {first} to {last}")
    severity = row.get("severity", detector.severity)
    if severity is not None and severity not in SEVERITIES:
        raise CannotJudge(f"{severity!r} is no severity")
    evidence = tuple(dict.fromkeys(record for record in row["evidence"] or () if record is not None))
    return Episode(
        subject,
        first,
        last,
        evidence,
        len(evidence),
        severity,
        row.get("device") or "",
        {name: plain(value) for name, value in row.items() if name not in OWN},
        _policy(row.get("in_change_window") or ""),
    )


def _policy(word: str) -> str:
    if word and word not in WORDS["in_change_window"]:
        raise CannotJudge(f"{word!r} is no in_change_window")
    return word


def plain(value: object) -> Any:  # noqa: ANN401  (JSON is what it is)
    """A value of DuckDB as JSON keeps it; what strangers wrote is cut where it is longer than anybody reads."""
    match value:
        case str():
            return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}…"
        case list() | tuple():
            more = [f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else []
            return [*map(plain, value[:MOST_ITEMS]), *more]
        case dict():
            return {str(name): plain(item) for name, item in value.items()}
        case None | bool() | int() | float():
            return value
        case _:
            return _as_text(value)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return moment(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _merged(episodes: list[Episode], kind: str) -> list[Episode]:
    """Episodes of one subject that overlap are one: otherwise none could be told from the other at the next run."""
    merged: list[Episode] = []
    for episode in sorted(episodes, key=_order):
        before = merged[-1] if merged else None
        same = before is not None and before.subject == episode.subject
        if before is not None and same and (kind == "state" or episode.first_seen <= before.last_seen):
            merged[-1] = _joined(before, episode)
        else:
            merged.append(episode)
    return [_bounded(episode) for episode in merged]


def _order(episode: Episode) -> tuple[str, datetime, datetime, str]:
    return episode.subject, episode.first_seen, episode.last_seen, json.dumps(episode.columns, sort_keys=True)


def _joined(one: Episode, other: Episode) -> Episode:
    """The first one's columns, both spans, all evidence, the worse severity."""
    evidence = tuple(dict.fromkeys((*one.evidence, *other.evidence)))
    return replace(
        one,
        last_seen=max(one.last_seen, other.last_seen),
        evidence=evidence,
        record_count=len(evidence),
        severity=worst((one.severity or "", other.severity or "")) or None,
        device=one.device or other.device,
        in_change_window=one.in_change_window or other.in_change_window,
    )


def _bounded(episode: Episode) -> Episode:
    return replace(episode, evidence=episode.evidence[:MOST_RECORDS])
