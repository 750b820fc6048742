"""The sentences that mails and chats share; the headline is made of trusted words only."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.alerts.message import (
    AnchorMessage,
    Countdown,
    FindingMessage,
    PackMessage,
    TrialMessage,
    countdown,
)
from analytics.alerts.visible import inert, visible

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.alerts.message import Message

FIRST_STEPS = 3
STEP = re.compile(r"\s*(?=^\s*\d+\. )", re.MULTILINE)

KEEP_IT = (
    "Keep this where those who run hsmtrail cannot change it."
    " `hsmtrail verify --anchor BATCH=SHA256` says whether the chain still goes through it."
)

SAID_APART = {"tries_left", "consequence"}
"""Columns that the message has a place of their own for."""

OPENINGS = {"opened": "New finding", "raised": "Now worse", "reopened": "Open again"}


@dataclass(frozen=True, slots=True)
class Item:
    """One fact: its name as the detector gives it, and its value, harmless."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line as it came, harmless; `text` may be cut."""

    record_id: int
    at: str
    text: str


@dataclass(frozen=True, slots=True)
class FindingWords:
    """Everything that is said about a finding; safe for people's eyes, to be escaped for the medium."""

    headline: str
    sentence: str
    severity: str
    subject: str
    when: str
    countdown: Countdown | None
    facts: tuple[Item, ...]
    finds: str
    steps: tuple[str, ...]
    more_steps: int
    evidence: tuple[Evidence, ...]
    records: str
    look: str


def headline(message: Message) -> str:
    """One line of trusted words only: no text that came over the network stands in it."""
    match message:
        case FindingMessage():
            where = f" on {message.device}" if message.device else ""
            text = f"{message.severity.upper()}: {message.detector} {message.title}{where} ({_records(message)})"
        case PackMessage():
            text = f"Review pack: {message.title}"
        case AnchorMessage():
            text = f"Evidence: heads of the chain on {message.created_at:%Y-%m-%d}"
        case TrialMessage():
            text = "Test: alerts from here arrive"
    return visible(" ".join(text.split()), 250)


def finding_words(message: FindingMessage) -> FindingWords:
    """The finding in words, the same for every medium."""
    steps = first_steps(message.runbook)
    return FindingWords(
        headline=headline(message),
        sentence=f"{OPENINGS[message.reason]}: {visible(message.title)}.",
        severity=message.severity,
        subject=inert(message.subject),
        when=_when(message),
        countdown=_countdown(message),
        facts=tuple(_facts(message)),
        finds=" ".join(visible(line) for line in message.finds.split()),
        steps=steps[:FIRST_STEPS],
        more_steps=max(0, len(steps) - FIRST_STEPS),
        evidence=tuple(Evidence(line.record_id, moment(line.event_at), inert(line.raw)) for line in message.lines),
        records=_numbers(message),
        look=f"hsmtrail findings show {message.finding}",
    )


def anchor_lines(message: AnchorMessage) -> tuple[str, ...]:
    """One line for each head, as `hsmtrail status` shows them."""
    heads = tuple(f"{visible(head.spool)}: batch {head.batch}, SHA-256 {head.sha256}" for head in message.heads)
    return (*heads, f"archive: manifest {message.manifest}") if message.manifest else heads


def first_steps(runbook: str) -> tuple[str, ...]:
    """The numbered steps of a runbook, without their numbers; a runbook without numbers is one step."""
    parts = [" ".join(part.split()) for part in STEP.split(runbook)]
    return tuple(visible(re.sub(r"^\d+\. ", "", part)) for part in parts if part)


def moment(at: datetime) -> str:
    """2026-11-23 08:15:01 UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def instant(at: datetime) -> str:
    """2026-11-23T08:15:01.000000Z, as in all JSON of hsmtrail."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _when(message: FindingMessage) -> str:
    if message.first_seen == message.last_seen:
        return moment(message.first_seen)
    return f"{moment(message.first_seen)} to {moment(message.last_seen)}"


def _countdown(message: FindingMessage) -> Countdown | None:
    found = countdown(message.columns, message.subject)
    return Countdown(found.tries_left, inert(found.then)) if found else None


def _facts(message: FindingMessage) -> list[Item]:
    said = {name: value for name, value in message.columns.items() if value not in (None, "", [], {})}
    shown = {name: value for name, value in said.items() if name not in SAID_APART}
    facts = [Item(inert(name.replace("_", " "), 100), inert(_plain(value))) for name, value in shown.items()]
    ticket = [Item("change ticket", inert(message.change_ticket))] if message.change_ticket else []
    return ticket + facts


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def _records(message: FindingMessage) -> str:
    return "1 record" if message.record_count == 1 else f"{message.record_count} records"


def _numbers(message: FindingMessage) -> str:
    shown = ", ".join(map(str, message.records[-20:]))
    rest = message.record_count - len(message.records[-20:])
    return f"{shown} and {rest} earlier" if rest > 0 else shown
