"""What a detector would have found, beside what is there: nothing is written, nobody is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analytics import allowed, severity
from analytics.applying import existing
from analytics.asking import Episode
from analytics.episodes import Clear, Known, Open, Supersede, Update, decide, decide_states
from analytics.judging import judge_state
from analytics.spans import zone
from store import findings

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from analytics.allowed import Rule
    from analytics.detector import Detector
    from analytics.episodes import Decision
    from analytics.judging import Moment, Store
    from analytics.severity import Surroundings
    from analytics.spans import Span


@dataclass(frozen=True, slots=True)
class Tried:
    """An episode and how it differs from the findings: same or allowed, which is no difference; new, changed, or gone
    (a finding that would not be).
    """

    difference: str
    episode: Episode
    severity: str


def try_out(db: Store, detector: Detector, span: Span, when: Moment, seconds: float) -> list[Tried]:
    """Episodes that touch the span; of a state detector, what is true at that moment. Raises CannotJudge."""
    with db.reader() as cursor:
        if detector.kind == "state":
            rows = judge_state(cursor, detector, when, seconds).rows or ()
            return _tried(cursor, detector, decide_states(existing(cursor, detector, None), rows))
        found = zone(cursor, detector, span, seconds)
        inside = [one for one in found.episodes if one.first_seen <= span.end and one.last_seen >= span.begin]
        known = [one for one in existing(cursor, detector, found.span) if _in(one, span)]
        return _tried(cursor, detector, decide(known, inside))


def _in(known: Known, span: Span) -> bool:
    return known.finding.first_seen <= span.end and known.finding.last_seen >= span.begin


def _tried(cursor: duckdb.DuckDBPyConnection, detector: Detector, decisions: list[Decision]) -> list[Tried]:
    moments = [moment for one in decisions if isinstance(one, (Open, Update)) for moment in _moments(one.episode)]
    around = severity.surroundings(cursor, min(moments), max(moments)) if moments else severity.Surroundings()
    rules = allowed.rules(cursor, detector.id)
    tried = [_explained(cursor, detector, rules, decision, _one(detector, around, decision)) for decision in decisions]
    return sorted(tried, key=lambda one: (one.episode.first_seen, one.episode.subject))


def _explained(
    cursor: duckdb.DuckDBPyConnection, detector: Detector, rules: list[Rule], decision: Decision, tried: Tried
) -> Tried:
    """What opens no finding, or had one that is over, is not new."""
    if not isinstance(decision, Open):
        return tried
    if allowed.hides(rules, tried.episode):
        return replace(tried, difference="allowed")
    over = detector.kind == "state" and _came_and_went(cursor, detector, tried.episode)
    return replace(tried, difference="same") if over else tried


def _came_and_went(cursor: duckdb.DuckDBPyConnection, detector: Detector, episode: Episode) -> bool:
    """It was found, and closed by the judgement after it."""
    condition = """WHERE detector = $detector AND kind = 'state' AND subject = $subject AND disposition = 'cleared'
                   AND first_seen <= $last AND last_seen >= $first"""
    first, last = _moments(episode)
    given = {"detector": detector.id, "subject": episode.subject, "first": first, "last": last}
    return bool(findings.select(cursor, condition, given))


def _moments(episode: Episode) -> tuple[datetime, datetime]:
    return episode.first_seen, episode.last_seen


def _one(detector: Detector, around: Surroundings, decision: Decision) -> Tried:
    if isinstance(decision, (Supersede, Clear)):
        finding = decision.known.finding
        return Tried("gone", _as_episode(decision.known), finding.severity)
    said = detector.fixed_severity or decision.episode.severity or detector.severity
    policy = severity.policy_of(decision.episode.in_change_window, detector.policy)
    worth, _ = severity.judged(said, decision.episode.device, _moments(decision.episode), policy, around)
    return Tried(_difference(decision, worth), decision.episode, worth)


def _difference(decision: Open | Update, worth: str) -> str:
    if isinstance(decision, Open):
        return "new"
    before, episode = decision.known.finding, decision.episode
    was = (before.first_seen, before.last_seen, before.severity, before.record_count, before.columns)
    now = (*_moments(episode), worth, episode.record_count, json.loads(json.dumps(dict(episode.columns))))
    same = not decision.absorbed and was == now and decision.known.records == set(episode.evidence)
    return "same" if same else "changed"


def _as_episode(known: Known) -> Episode:
    one = known.finding
    records = tuple(sorted(known.records))
    return Episode(
        one.subject, one.first_seen, one.last_seen, records, one.record_count, one.severity, one.device, one.columns
    )
