"""The SELECT of a drafted detector: every episode of the records that the Sigma rule selects, or counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.sigma.conditions import as_text
from analytics.sigma.literal import literal

if TYPE_CHECKING:
    from analytics.sigma.rule import Count, Rule

LONGEST_SUBJECT = 80
DEVICE = "coalesce(nullif(device, ''), nullif(host, ''), peer)"
"""Whose lines they are, also of a sender that nobody configured."""

ACTS = """WITH acts AS (
    SELECT record_id, event_at, device, account, source, message, {counted} AS counted,
        {grouped} AS grouped
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND ({records})
      AND {condition}
),
"""
HITS = """near AS (  -- how many there were when each of them happened
    SELECT *, count({what}) OVER (
        PARTITION BY grouped ORDER BY event_at RANGE BETWEEN to_seconds($seconds) PRECEDING AND CURRENT ROW
    ) AS so_far
    FROM acts
    WHERE grouped IS NOT NULL
),
reached AS (
    SELECT *, max(so_far) OVER (
        PARTITION BY grouped ORDER BY event_at RANGE BETWEEN CURRENT ROW AND to_seconds($seconds) FOLLOWING
    ) AS most
    FROM near
),
found AS (
    SELECT * FROM reached WHERE most >= $least
),
"""
EPISODES = """steps AS (  -- a longer pause ends an episode
    SELECT *, coalesce(event_at - lag(event_at) OVER by_time > {pause}, true) AS begins
    FROM {found}
    WINDOW by_time AS (PARTITION BY grouped ORDER BY event_at)
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY grouped ORDER BY event_at) AS run
    FROM steps
)
SELECT
    concat({title}, {joint}, grouped) AS subject,
    min(event_at) AS first_seen,
    max(event_at) AS last_seen,
    if(min(device) = max(device), min(device), '') AS device,
    count(*) AS acts,
    list_sort(coalesce(list(DISTINCT account) FILTER (account IS NOT NULL), [])) AS accounts,
    list_sort(coalesce(list(DISTINCT source) FILTER (source IS NOT NULL), [])) AS sources,
    arg_min(message, (event_at, record_id)) AS first_message,
    list_sort(list(record_id)) AS evidence
FROM runs
GROUP BY grouped, run
"""


def query(rule: Rule, title: str) -> str:
    """`title` begins the subject."""
    count = rule.count
    acts = ACTS.format(
        counted=count.distinct.expression if count and count.distinct else "NULL",
        grouped=_grouped(count),
        records=rule.source.records,
        condition=rule.condition,
    )
    hits = HITS.format(what="DISTINCT counted" if count and count.distinct else "*") if count else ""
    found, joint, pause = ("found", ": ", "to_seconds($seconds)") if count else ("acts", " on ", "$looks_back")
    named = {"title": literal(title[:LONGEST_SUBJECT]), "joint": literal(joint)}
    return acts + hits + EPISODES.format(found=found, pause=pause, **named)


def _grouped(count: Count | None) -> str:
    """One text for what belongs together; NULL when a part of it is missing."""
    if count is None:
        return DEVICE
    parts = [f"nullif({as_text(column)}, '')" for column in count.by]
    return " || ' / ' || ".join(parts) or "'all devices'"
