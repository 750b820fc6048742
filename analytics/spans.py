"""Which times newly arrived records speak of, and how far a judgement of them must look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from analytics.asking import Episode, ask

if TYPE_CHECKING:
    import duckdb

    from analytics.detector import Detector

MOST_SPANS = 16
"""So many spans are judged apart at most; with more, the nearest are judged as one."""

MOST_ROUNDS = 64
EARLIEST, LATEST = datetime(1, 1, 2), datetime(9999, 12, 30)


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last moment, both included."""

    begin: datetime
    end: datetime

    def widened(self, by: timedelta) -> Span:
        begin = self.begin - by if self.begin - EARLIEST > by else EARLIEST
        return Span(begin, self.end + by if LATEST - self.end > by else LATEST)

    def touches(self, other: Span) -> bool:
        return self.begin <= other.end and other.begin <= self.end

    def holds(self, other: Span) -> bool:
        return self.begin <= other.begin and other.end <= self.end

    def with_(self, other: Span) -> Span:
        return Span(min(self.begin, other.begin), max(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Zone:
    """A span in which nothing is cut off: every episode and every finding that touches it lies in it."""

    span: Span
    window: Span
    episodes: tuple[Episode, ...]


ARRIVED = """
WITH receivers AS (
    SELECT batch >> 48 AS receiver, min(batch) AS first, max(batch) AS last
    FROM batches WHERE position > $from_position AND position <= $to_position GROUP BY ALL
)
SELECT first, last FROM receivers
"""

MOMENTS = """
WITH moments AS (
    SELECT DISTINCT time_bucket(INTERVAL 1 MINUTE, event_at) AS minute FROM records
    WHERE copy_of IS NULL AND ({batches}) AND ({watches}
    )
),
steps AS (SELECT minute, lag(minute) OVER (ORDER BY minute) AS before FROM moments)
SELECT minute, before FROM steps
WHERE before IS NULL OR minute - before > $apart
ORDER BY before IS NOT NULL, minute - before DESC
LIMIT $most
"""

LAST = "SELECT max(event_at) FROM records WHERE copy_of IS NULL AND ({batches}) AND ({watches}\n)"


def batches_between(
    cursor: duckdb.DuckDBPyConnection, from_position: int, to_position: int
) -> tuple[str, dict[str, int]]:
    """A condition on `batch`, and its parameters; none when there are no such batches."""
    positions = {"from_position": from_position, "to_position": to_position}
    ranges = cursor.execute(ARRIVED, positions).fetchall()
    condition = " OR ".join(f"batch BETWEEN $first{number} AND $last{number}" for number in range(len(ranges)))
    bounds = {f"first{number}": first for number, (first, _) in enumerate(ranges)}
    return condition, bounds | {f"last{number}": last for number, (_, last) in enumerate(ranges)}


def touched(cursor: duckdb.DuckDBPyConnection, detector: Detector, from_position: int, to_position: int) -> list[Span]:
    """The spans of event time that the records of these batches touch, as far as the detector watches them.

    Nearer than four times looks_back they are one: what would be read for them overlaps.
    """
    batches, bounds = batches_between(cursor, from_position, to_position)
    if not bounds:
        return []
    parts = {"batches": batches, "watches": detector.watches}
    limits = {"apart": detector.looks_back * 4, "most": MOST_SPANS}
    steps = cursor.execute(MOMENTS.format(**parts), bounds | limits).fetchall()
    if not steps:
        return []
    last: datetime = cursor.execute(LAST.format(**parts), bounds).fetchall()[0][0]
    starts = sorted(minute for minute, _ in steps)
    ends = sorted(before + timedelta(minutes=1) for _, before in steps if before is not None)
    return [Span(begin, end) for begin, end in zip(starts, [*ends, last], strict=True)]


FINDINGS = """
SELECT min(first_seen), max(last_seen) FROM findings
WHERE detector = $detector AND kind = 'episodes' AND state <> 'superseded'
  AND last_seen >= $begin AND first_seen <= $end
"""


def zone(cursor: duckdb.DuckDBPyConnection, detector: Detector, span: Span, seconds: float) -> Zone:
    """Judge what new records in a span may have changed.

    An episode rests on records no further than looks_back from it. So what is asked reaches looks_back beyond every
    episode and every finding that touches the zone; each that sticks out makes the zone wider. Raises CannotJudge.
    """
    reach = detector.looks_back
    here = _with_findings(cursor, detector, span.widened(reach))
    window = here.widened(reach)
    episodes = ask(cursor, detector, window.begin, window.end, seconds)
    for doubled in range(1, MOST_ROUNDS):
        touching = [item for item in episodes if _of(item).touches(here)]
        wider = here
        for item in touching:
            wider = wider.with_(_of(item))
        wider = _with_findings(cursor, detector, wider)
        if wider == here:
            break
        here = wider
        if not window.holds(here.widened(reach)):
            window = here.widened(reach * 2 ** min(doubled, 16))
            episodes = ask(cursor, detector, window.begin, window.end, seconds)
    return Zone(here, window, tuple(item for item in touching if item.severity is not None))


def _of(episode: Episode) -> Span:
    return Span(episode.first_seen, episode.last_seen)


def _with_findings(cursor: duckdb.DuckDBPyConnection, detector: Detector, here: Span) -> Span:
    while True:
        given = {"detector": detector.id, "begin": here.begin, "end": here.end}
        begin, end = cursor.execute(FINDINGS, given).fetchall()[0]
        wider = here if begin is None else here.with_(Span(begin, end))
        if wider == here:
            return here
        here = wider
