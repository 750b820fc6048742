"""What newly arrived records touch, of many detectors at once: one reading of the records instead of one for each."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb

from analytics.asking import CannotJudge, limited
from analytics.spans import MOST_SPANS, Span, batches_between, touched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from analytics.detector import Detector
    from analytics.judging import Store

MOST_MINUTES = 10_000
"""Records of more different minutes than these are looked at for each detector by itself, and DuckDB does the work."""

MINUTE = timedelta(minutes=1)
EACH_MINUTE = """
SELECT time_bucket(INTERVAL 1 MINUTE, event_at) AS minute, {newest}
FROM records WHERE copy_of IS NULL AND ({batches})
GROUP BY minute ORDER BY minute LIMIT {most}
"""


class Arrivals:
    """For one round of judging. Detectors that have judged equally far share one reading."""

    def __init__(self, db: Store, detectors: Sequence[tuple[Detector, tuple[int, int]]], seconds: float) -> None:
        """`detectors`: each with the positions of batches that it judges, the first exclusive."""
        self._db, self._seconds = db, seconds
        self._sharing: dict[tuple[int, int], list[Detector]] = {}
        for detector, positions in detectors:
            if detector.kind == "episodes":
                self._sharing.setdefault(positions, []).append(detector)
        self._read: dict[tuple[int, int], dict[str, list[Span]] | None] = {}

    def touched(self, detector: Detector, positions: tuple[int, int], seconds: float) -> list[Span]:
        """As spans.touched. Raises CannotJudge."""
        if positions not in self._read:
            self._read[positions] = self._together(positions)
        together = self._read[positions]
        if together is not None and detector.id in together:
            return together[detector.id]
        try:
            with self._db.reader() as cursor, limited(cursor, seconds):
                return touched(cursor, detector, *positions)
        except duckdb.Error as error:
            raise CannotJudge(str(error)) from None

    def _together(self, positions: tuple[int, int]) -> dict[str, list[Span]] | None:
        """None when it cannot be said of all at once: one of them fails, or there are too many minutes."""
        sharing = self._sharing.get(positions, [])
        if not sharing:
            return None
        try:
            with self._db.reader() as cursor, limited(cursor, self._seconds):
                return touched_by_each(cursor, sharing, *positions)
        except duckdb.Error:
            return None


def touched_by_each(
    cursor: duckdb.DuckDBPyConnection, detectors: Sequence[Detector], from_position: int, to_position: int
) -> dict[str, list[Span]] | None:
    """The spans of each detector; None when there are more than MOST_MINUTES."""
    batches, bounds = batches_between(cursor, from_position, to_position)
    if not bounds:
        return {detector.id: [] for detector in detectors}
    newest = ", ".join(f"max(event_at) FILTER (WHERE ({detector.watches}\n))" for detector in detectors)
    sql = EACH_MINUTE.format(newest=newest, batches=batches, most=MOST_MINUTES + 1)
    rows = cursor.execute(sql, bounds).fetchall()
    if len(rows) > MOST_MINUTES:
        return None
    return {
        detector.id: _spans([(row[0], row[place]) for row in rows if row[place] is not None], detector.looks_back * 4)
        for place, detector in enumerate(detectors, 1)
    }


def _spans(minutes: list[tuple[datetime, datetime]], apart: timedelta) -> list[Span]:
    """`minutes`: each with its newest moment, in order. Cut at the widest gaps that are wider than `apart`."""
    if not minutes:
        return []
    gaps = sorted(((after - before, before, after) for (before, _), (after, _) in pairwise(minutes)), reverse=True)
    cuts = sorted((before, after) for gap, before, after in gaps[: MOST_SPANS - 1] if gap > apart)
    starts = [minutes[0][0], *(after for _, after in cuts)]
    ends = [*(before + MINUTE for before, _ in cuts), minutes[-1][1]]
    return [Span(begin, end) for begin, end in zip(starts, ends, strict=True)]
