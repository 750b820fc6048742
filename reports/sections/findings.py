"""P2, findings: what waits for a decision, what was handled, and whether the alerts arrived."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.sections.finding_words import told
from reports.text import counted, duration, listed, number, sentence, span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import PackSettings

SEVERITIES = ("critical", "high", "medium", "low", "info")
COVERED = ("low", "info")
"""Severities that an approved change settles: its ticket is the decision. What is worse wants one of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as the store has it."""

    id: int
    detector: str
    title: str
    subject: str
    device: str
    severity: str
    state: str
    disposition: str
    owner: str
    first_seen: datetime
    last_seen: datetime
    change_ticket: str
    record_count: int
    columns: str
    detector_sha256: str
    alerted_at: datetime | None
    alert_made_at: datetime | None

    @property
    def covered(self) -> bool:
        """Whether the approved change that it fell into has decided it."""
        return self.state == "open" and bool(self.change_ticket) and self.severity in COVERED


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as a person reads it; `records` are the evidence lines that the pack shows."""

    row: Row
    sentence: str
    next_step: str
    carried_over: bool
    records: tuple[int, ...]

    @property
    def severity_class(self) -> str:
        """A class of the style sheet: a word of ours, whatever the store holds."""
        return self.row.severity if self.row.severity in SEVERITIES else "info"

    @property
    def when(self) -> str:
        """'Thu 19 Nov 23:12 UTC.', or from when to when."""
        return f"{span(self.row.first_seen, self.row.last_seen)}."

    @property
    def more(self) -> int:
        return max(self.row.record_count - len(self.records), 0)


@dataclass(frozen=True, slots=True)
class Link:
    finding: int
    record_id: int


@dataclass(frozen=True, slots=True)
class Alerts:
    """The messages of one sink; times in seconds from the finding to the accepted delivery."""

    sink: str
    messages: int
    accepted: int
    waiting: int
    dead: int
    failed_attempts: int
    slowest: float | None
    median: float | None


@dataclass(frozen=True, slots=True)
class Suppression:
    id: int
    detector: str
    match: str
    reason: str
    owner: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Number:
    number: int


@dataclass(frozen=True, slots=True)
class Findings:
    """P2. `open` wait for a decision, `covered` have that of their change, `handled` a person's; each worst first.

    `not_shown` were open and beyond what a pack lists.
    """

    answer: str
    remarks: tuple[str, ...]
    in_period: int
    open: tuple[Finding, ...]
    covered: tuple[Finding, ...]
    handled: tuple[Finding, ...]
    not_shown: int
    lowered: int
    alerts: tuple[Alerts, ...]
    suppressions: tuple[Suppression, ...]


def read(ask: Questions, period: Period, settings: PackSettings) -> Findings:
    rows = ask.rows(Row, "findings", period)
    waiting = [row for row in rows if row.state == "open" and not row.covered]
    covered = [row for row in rows if row.covered and row.last_seen >= period.begin]
    handled = [row for row in rows if row.state != "open"]
    lists = [some[: settings.findings_shown] for some in (waiting, covered, handled)]
    links = _links(ask, period, settings, [row.id for some in lists for row in some])
    shown = [tuple(_finding(row, settings, period, links) for row in some) for some in lists]
    lowered = sum(bool(row.change_ticket) for row in rows)
    alerts = ask.rows(Alerts, "alerts", period)
    return Findings(
        answer=answer(len(waiting)),
        remarks=tuple(remarks(handled, len(covered), lowered, alerts)),
        in_period=ask.row(Number, "finding_count", period).number,
        open=shown[0],
        covered=shown[1],
        handled=shown[2],
        not_shown=len(waiting) - len(shown[0]),
        lowered=lowered,
        alerts=alerts,
        suppressions=ask.rows(Suppression, "suppressions", period),
    )


def answer(waiting: int) -> str:
    """'Three findings to decide'."""
    return f"{sentence(counted(waiting, 'finding'))} to decide" if waiting else "Nothing waits for a decision"


def remarks(handled: Sequence[Row], covered: int, lowered: int, alerts: tuple[Alerts, ...]) -> list[str]:
    said = []
    if covered:
        verb = "is" if covered == 1 else "are"
        said.append(f"{sentence(counted(covered, 'low finding'))} {verb} covered by an approved change.")
    if handled:
        acknowledged = sum(row.state == "acknowledged" for row in handled)
        said.append(
            f"{sentence(counted(len(handled), 'finding'))} {'was' if len(handled) == 1 else 'were'} handled: "
            f"{number(acknowledged)} acknowledged, {number(len(handled) - acknowledged)} closed."
        )
    if lowered:
        said.append(
            f"{sentence(counted(lowered, 'finding'))} fell into an approved change window, which lowers the severity."
        )
    return [*said, *map(alert_sentence, alerts)]


def alert_sentence(alerts: Alerts) -> str:
    """'admins: three alerts, all accepted, the slowest after 2.1 s'."""
    sent = f"{alerts.sink}: {counted(alerts.messages, 'alert')}"
    parts = []
    if alerts.accepted == alerts.messages:
        parts.append("accepted" if alerts.messages == 1 else "all accepted")
    else:
        words = (("accepted", alerts.accepted), ("waiting", alerts.waiting), ("given up", alerts.dead))
        parts.append(listed([f"{number(value)} {word}" for word, value in words if value]))
    if alerts.slowest is not None:
        parts.append(f"the slowest after {duration(alerts.slowest)}")
    if alerts.failed_attempts:
        parts.append(counted(alerts.failed_attempts, "failed attempt"))
    return f"{sent}, {', '.join(parts)}."


def _links(ask: Questions, period: Period, settings: PackSettings, ids: list[int]) -> dict[int, tuple[int, ...]]:
    found = ask.rows(Link, "evidence_links", period, findings=ids, most=settings.evidence_per_finding)
    records: dict[int, tuple[int, ...]] = {}
    for link in found:
        records[link.finding] = (*records.get(link.finding, ()), link.record_id)
    return records


def _finding(row: Row, settings: PackSettings, period: Period, links: dict[int, tuple[int, ...]]) -> Finding:
    note = settings.note(row.detector)
    return Finding(
        row=row,
        sentence=told(row.subject, json.loads(row.columns)),
        next_step=note.next_step if note else "",
        carried_over=row.last_seen < period.begin,
        records=links.get(row.id, ()),
    )
