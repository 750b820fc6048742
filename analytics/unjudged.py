"""Spans of event time whose records were derived again: judged again, then struck off. A kill in between repeats it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from analytics.spans import MOST_SPANS, Span

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from analytics.duty import Again, Duty
    from analytics.judging import Store

NEAR = timedelta(days=1)
"""Nearer spans are judged as one: what would be read around them overlaps."""


def judge_again(db: Store, duty: Duty) -> Again:
    """All spans that wait. They stay when a detector could not judge them."""
    with db.reader() as cursor:
        spans, newest = waiting(cursor)
    again = duty.judge_again(spans)
    if newest is not None and not again.failed:
        with db.transaction() as cursor:
            cursor.execute("DELETE FROM unjudged WHERE added_at <= ?", [newest])
    return again


def waiting(cursor: duckdb.DuckDBPyConnection) -> tuple[list[Span], datetime | None]:
    """At most MOST_SPANS that hold all, and when the newest was added."""
    rows = cursor.execute("SELECT begins_at, ends_at, added_at FROM unjudged ORDER BY begins_at").fetchall()
    spans: list[Span] = []
    for begin, end, _ in rows:
        span = Span(begin, end)
        if spans and spans[-1].widened(NEAR).touches(span):
            spans[-1] = spans[-1].with_(span)
        else:
            spans.append(span)
    while len(spans) > MOST_SPANS:
        _join_nearest(spans)
    return spans, max((added for _, _, added in rows), default=None)


def _join_nearest(spans: list[Span]) -> None:
    place = min(range(1, len(spans)), key=lambda place: spans[place].begin - spans[place - 1].end)
    spans[place - 1 : place + 1] = [spans[place - 1].with_(spans[place])]
