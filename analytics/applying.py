"""Writes decisions down: findings, their records, their history, and the alert, all in the caller's transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from analytics import allowed, becoming, severity
from analytics.episodes import Clear, Known, Open, Supersede, Update, decide, decide_states
from store import findings
from store.findings import Finding, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import duckdb

    from analytics.asking import Episode
    from analytics.detector import Detector
    from analytics.episodes import Decision
    from analytics.severity import Surroundings
    from analytics.spans import Span

US = "hsmtrail"
Reason = Literal["opened", "raised", "reopened"]


class Enqueue(Protocol):
    """Puts the alert into the outbox, in the transaction of the cursor."""

    def __call__(self, cursor: duckdb.DuckDBPyConnection, finding: Finding, reason: Reason, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one judgement changed: findings opened or changed, and episodes that were allowed."""

    findings: int = 0
    suppressed: int = 0


def existing(cursor: duckdb.DuckDBPyConnection, detector: Detector, span: Span | None) -> list[Known]:
    """The findings that still stand, those of a span for episodes."""
    found = findings.select(
        cursor,
        """WHERE detector = $detector AND kind = $kind AND state <> 'superseded' AND disposition <> 'cleared'
           AND ($begin IS NULL OR (last_seen >= $begin AND first_seen <= $end)) ORDER BY id""",
        {
            "detector": detector.id,
            "kind": detector.kind,
            "begin": span and span.begin,
            "end": span and span.end,
        },
    )
    numbers = [finding.id for finding in found]
    rows = cursor.execute(
        "SELECT finding, list(record_id) FROM finding_records"
        " WHERE finding IN (SELECT unnest($wanted::UBIGINT[])) GROUP BY ALL",
        {"wanted": numbers},
    ).fetchall()
    records = dict(rows)
    return [Known(finding, frozenset(records.get(finding.id, ()))) for finding in found]


class Applying:
    """One detector's decisions, at one moment."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, detector: Detector, now: datetime, enqueue: Enqueue | None
    ) -> None:
        self._cursor, self._detector, self._now, self._enqueue = cursor, detector, now, enqueue
        self._around: Surroundings = severity.Surroundings()
        self._numbers: dict[int, int] = {}
        self._changed = 0

    def episodes(self, span: Span, found: Sequence[Episode]) -> Outcome:
        """Make the findings of a span those that these episodes give."""
        known = existing(self._cursor, self._detector, span)
        return self._all(decide(known, found), span.begin, span.end)

    def states(self, found: Sequence[Episode]) -> Outcome:
        """Make the open findings those of these rows."""
        known = existing(self._cursor, self._detector, None)
        begin = min((episode.first_seen for episode in found), default=self._now)
        return self._all(decide_states(known, found), begin, max((self._now, *(item.last_seen for item in found))))

    def _all(self, decisions: Sequence[Decision], begin: datetime, end: datetime) -> Outcome:
        if not decisions:
            return Outcome()
        self._around = severity.surroundings(self._cursor, begin, end)
        rules = allowed.rules(self._cursor, self._detector.id)
        opens = [one for one in decisions if isinstance(one, Open)]
        shown = [one for one in opens if not allowed.hides(rules, one.episode)]
        if shown:
            self._open(shown, self._voided(begin, end))
        for decision in decisions:
            if isinstance(decision, Update):
                self._update(decision)
        for decision in decisions:
            if isinstance(decision, Supersede):
                self._supersede(
                    decision.known, [self._numbers[id(heir)] for heir in decision.heirs if id(heir) in self._numbers]
                )
            elif isinstance(decision, Clear):
                self._clear(decision.known.finding)
        return Outcome(self._changed, len(opens) - len(shown))

    def _open(self, opens: Sequence[Open], voided: Mapping[str, Sequence[Finding]]) -> None:
        """New findings, all at once; people are told when everything is written."""
        new = [self._new(one, voided.get(one.episode.subject, ())) for one in opens]
        alarms = [one.state != "closed" and becoming.worse(one) for one in new]
        rows = [
            (becoming.told(one) if alarm else one, item.episode.evidence, self._step("opened", becoming.taken(item)))
            for one, alarm, item in zip(new, alarms, opens, strict=True)
        ]
        for item, alarm, finding in zip(opens, alarms, findings.add(self._cursor, rows), strict=True):
            self._numbers[id(item.episode)] = finding.id
            self._changed += 1
            if alarm and self._enqueue is not None:
                self._enqueue(self._cursor, finding, "opened")

    def _new(self, decision: Open, voided: Sequence[Finding]) -> Finding:
        """What it takes over, or what was voided of the same thing, was alerted already; what was decided stays."""
        heirs = [known.finding for known in decision.heirs_of]
        before = [*heirs, *(one for one in voided if becoming.overlap(one, decision.episode))]
        finding = replace(
            self._finding(decision.episode), alerted_severity=severity.worst(one.alerted_severity for one in before)
        )
        old = frozenset[int]().union(*(known.records for known in decision.heirs_of))
        return becoming.as_decided(finding, heirs) if old.issuperset(decision.episode.evidence) else finding

    def _voided(self, begin: datetime, end: datetime) -> dict[str, list[Finding]]:
        """By subject, what was superseded in the span: it may have been told, and be there again. States are not."""
        if self._detector.kind == "state":
            return {}
        found = findings.select(
            self._cursor,
            """WHERE detector = $detector AND state = 'superseded' AND first_seen <= $end AND last_seen >= $begin""",
            {"detector": self._detector.id, "begin": begin, "end": end},
        )
        by_subject: dict[str, list[Finding]] = {}
        for one in found:
            by_subject.setdefault(one.subject, []).append(one)
        return by_subject

    def _update(self, decision: Update) -> None:
        before, parts = decision.known.finding, [known.finding for known in decision.absorbed]
        old = decision.known.records.union(*(known.records for known in decision.absorbed))
        had, has = decision.known.records, set(decision.episode.evidence)
        self._numbers[id(decision.episode)] = before.id
        after = becoming.with_state(self._grown(before, decision.episode), [before, *parts], grew=not has <= old)
        after = replace(after, alerted_severity=severity.worst(one.alerted_severity for one in (before, *parts)))
        if has != had or replace(after, updated_at=before.updated_at) != before:
            self._write(before, after, had, has)
            self._alert(after, "reopened" if all(one.state == "closed" for one in (before, *parts)) else "raised")
        for known in decision.absorbed:
            self._supersede(known, [before.id])

    def _write(self, before: Finding, after: Finding, had: frozenset[int], has: set[int]) -> None:
        findings.rewrite(self._cursor, after)
        if has - had:
            findings.add_records(self._cursor, after.id, sorted(has - had))
        if had - has:
            findings.remove_records(self._cursor, after.id, sorted(had - has))
        action = becoming.action(before, after)
        if action != "updated" or has != had or before.severity != after.severity:
            findings.note_down(self._cursor, after.id, self._step(action, becoming.difference(before, after)))
            self._changed += 1

    def _alert(self, finding: Finding, reason: Reason) -> None:
        """Tell people when it is open and worse than what they were told, or open again."""
        if finding.state == "closed" or not (becoming.worse(finding) or reason == "reopened"):
            return
        told = becoming.told(finding)
        findings.rewrite(self._cursor, told)
        if self._enqueue is not None:
            self._enqueue(self._cursor, told, reason)

    def _supersede(self, known: Known, heirs: Sequence[int]) -> None:
        after = replace(known.finding, state="superseded", superseded_by=min(heirs, default=None), updated_at=self._now)
        findings.rewrite(self._cursor, after)
        note = f"by {', '.join(map(str, heirs))}" if heirs else "later records explain it"
        findings.note_down(self._cursor, after.id, self._step("superseded", note))
        self._changed += 1

    def _clear(self, finding: Finding) -> None:
        after = replace(finding, state="closed", disposition="cleared", closed_at=self._now, updated_at=self._now)
        findings.rewrite(self._cursor, after)
        findings.note_down(self._cursor, after.id, self._step("closed", "cleared: it is no longer so"))
        self._changed += 1

    def _finding(self, episode: Episode) -> Finding:
        """As it is when nothing was known before; without number."""
        worth, ticket = self._worth(episode)
        return Finding(
            id=0,
            detector=self._detector.id,
            kind=self._detector.kind,
            title=self._detector.title,
            subject=episode.subject,
            device=episode.device,
            severity=worth,
            state="open",
            disposition="",
            owner="",
            first_seen=episode.first_seen,
            last_seen=episode.last_seen,
            opened_at=self._now,
            updated_at=self._now,
            closed_at=None,
            alerted_severity="",
            superseded_by=None,
            change_ticket=ticket,
            record_count=episode.record_count,
            columns=json.loads(json.dumps(dict(episode.columns))),
            detector_sha256=self._detector.sha256,
            parameters=json.loads(json.dumps(dict(self._detector.parameters))),
        )

    def _grown(self, before: Finding, episode: Episode) -> Finding:
        """What the detector says now, with what people said."""
        return replace(
            self._finding(episode),
            id=before.id,
            state=before.state,
            disposition=before.disposition,
            owner=before.owner,
            opened_at=before.opened_at,
            closed_at=before.closed_at,
        )

    def _worth(self, episode: Episode) -> tuple[str, str]:
        said = self._detector.fixed_severity or episode.severity or self._detector.severity
        span = (episode.first_seen, episode.last_seen)
        policy = severity.policy_of(episode.in_change_window, self._detector.policy)
        return severity.judged(said, episode.device, span, policy, self._around)

    def _step(self, action: str, note: str) -> Step:
        return Step(self._now, action, US, note)
