"""One detector over what arrived: ask within a reader, then write findings and ledger in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Protocol

from analytics.applying import Applying, Outcome
from analytics.asking import ask
from analytics.spans import Span, Zone, zone

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import duckdb

    from analytics.applying import Enqueue
    from analytics.asking import Episode
    from analytics.detector import Detector


class Store(Protocol):
    """What is needed of store.database.Database."""

    def transaction(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...

    def reader(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What a detector says, not yet written: zones of episodes, or the rows of a state (None for the other kind)."""

    zones: tuple[Zone, ...] = ()
    rows: tuple[Episode, ...] | None = None
    window: Span | None = None

    @property
    def empty(self) -> bool:
        return not self.zones and self.rows is None


@dataclass(frozen=True, slots=True)
class Moment:
    """When a state is judged, and when it was judged before (None: never)."""

    at: datetime
    before: datetime | None = None


def judge_touched(db: Store, detector: Detector, spans: list[Span], when: Moment, seconds: float) -> Judged:
    """A state at its moment, or everything that newly arrived records in these spans may have changed. Raises
    CannotJudge.
    """
    if detector.kind == "episodes" and not spans:
        return Judged()
    with db.reader() as cursor:
        if detector.kind == "state":
            return judge_state(cursor, detector, when, seconds)
        return _zones(cursor, detector, spans, seconds)


def judge_span(db: Store, detector: Detector, span: Span, when: Moment, seconds: float) -> Judged:
    """Everything that a change of its surroundings in this span may have changed. Raises CannotJudge."""
    with db.reader() as cursor:
        if detector.kind == "state":
            return judge_state(cursor, detector, when, seconds)
        return _zones(cursor, detector, [span], seconds)


def judge_state(cursor: duckdb.DuckDBPyConnection, detector: Detector, when: Moment, seconds: float) -> Judged:
    """What is true at a moment, and what came and went since the judgement before. Raises CannotJudge."""
    window = Span(Span(when.at, when.at).widened(detector.looks_back).begin, when.at)
    rows = ask(cursor, detector, window.begin, window.end, seconds, when.before)
    return Judged(rows=tuple(row for row in rows if row.severity is not None), window=window)


def _zones(cursor: duckdb.DuckDBPyConnection, detector: Detector, spans: list[Span], seconds: float) -> Judged:
    zones = tuple(zone(cursor, detector, span, seconds) for span in spans)
    window: Span | None = None
    for one in zones:
        window = one.window if window is None else window.with_(one.window)
    return Judged(zones=zones, window=window)


def write(
    cursor: duckdb.DuckDBPyConnection, detector: Detector, judged: Judged, now: datetime, enqueue: Enqueue | None
) -> Outcome:
    """Make the findings agree with what was judged."""
    if judged.rows is not None:
        return Applying(cursor, detector, now, enqueue).states(judged.rows)
    outcomes = [Applying(cursor, detector, now, enqueue).episodes(one.span, one.episodes) for one in judged.zones]
    return Outcome(sum(one.findings for one in outcomes), sum(one.suppressed for one in outcomes))
