"""P2, findings: what waits for a decision, what was handled, and whether the alerts arrived."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reports.text import clipped, counted, duration, listed, moment, number, sentence, span

if TYPE_CHECKING:
    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import PackSettings

SEVERITIES = ("critical", "high", "medium", "low", "info")
WORDS_AT_MOST, WORDS_EACH = 600, 160
"""Characters of a finding's sentence, and of one figure in it."""
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?")
SAID = {"device", "severity"}
"""Columns that the subject and the heading say already."""

PHRASES = {"what", "consequence"}
"""Columns whose text needs no name before it."""


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
    """P2. `open` and `handled` are worst first; `not_shown` were open and beyond what a pack lists."""

    answer: str
    remarks: tuple[str, ...]
    in_period: int
    open: tuple[Finding, ...]
    handled: tuple[Finding, ...]
    not_shown: int
    lowered: int
    alerts: tuple[Alerts, ...]
    suppressions: tuple[Suppression, ...]


def read(ask: Questions, period: Period, settings: PackSettings) -> Findings:
    rows = ask.rows(Row, "findings", period)
    waiting = [row for row in rows if row.state == "open"]
    shown = waiting[: settings.findings_shown]
    handled = [row for row in rows if row.state != "open"][: settings.findings_shown]
    links = _links(ask, period, settings, [row.id for row in (*shown, *handled)])
    lowered = sum(bool(row.change_ticket) for row in rows)
    alerts = ask.rows(Alerts, "alerts", period)
    return Findings(
        answer=answer(len(waiting)),
        remarks=tuple(remarks(rows, lowered, alerts)),
        in_period=ask.row(Number, "finding_count", period).number,
        open=tuple(_finding(row, settings, period, links) for row in shown),
        handled=tuple(_finding(row, settings, period, links) for row in handled),
        not_shown=len(waiting) - len(shown),
        lowered=lowered,
        alerts=alerts,
        suppressions=ask.rows(Suppression, "suppressions", period),
    )


def answer(waiting: int) -> str:
    """'Three findings to decide'."""
    return f"{sentence(counted(waiting, 'finding'))} to decide" if waiting else "Nothing waits for a decision"


def remarks(rows: tuple[Row, ...], lowered: int, alerts: tuple[Alerts, ...]) -> list[str]:
    said = []
    handled = [row for row in rows if row.state != "open"]
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


def told(subject: str, columns: dict[str, Any]) -> str:
    """The finding's columns as one sentence: 'so on hsm-ams-2: 2 failures; 1 try left.'"""
    parts = [
        _phrase(name, value)
        for name, value in columns.items()
        if name not in SAID and value is not False and value not in (None, "", []) and value != subject_of(subject)
    ]
    text = f"{subject}: {'; '.join(parts)}" if parts else subject
    return clipped(text, WORDS_AT_MOST).rstrip(".") + "."


def _phrase(name: str, value: object) -> str:
    """'2 failures', '1 try left', 'ended', 'sources 192.0.2.50'; what is not so is not said."""
    words = name.replace("_", " ")
    if value is True:
        return words
    if isinstance(value, int) and words.partition(" ")[0].endswith("s"):  # a plural: it counts something
        return f"{number(value)} {_one(words) if value == 1 else words}"
    return _value(value) if name in PHRASES else f"{words} {_value(value)}"


def _one(words: str) -> str:
    """'try left' of 'tries left': the first word in the singular."""
    first, blank, rest = words.partition(" ")
    single = first.removesuffix("ies") + "y" if first.endswith("ies") else first.removesuffix("s")
    return single + blank + rest


def subject_of(subject: str) -> str:
    """What a subject says before the device: 'hsm policy 15' of 'hsm policy 15 on hsm-ams-1'."""
    return subject.partition(" on ")[0]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return listed([clipped(_value(part)) for part in value])
    if isinstance(value, dict):
        return clipped(json.dumps(value, ensure_ascii=False), WORDS_EACH)
    text = str(value)
    return moment(datetime.fromisoformat(text)) if STAMP.fullmatch(text) else clipped(text, WORDS_EACH)
