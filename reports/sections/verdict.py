"""P0, the verdict: what must a reader know who reads nothing else?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import counted, listed, number, percent, sentence, was, word

if TYPE_CHECKING:
    from reports.period import Period
    from reports.sections.authentication import Authentication
    from reports.sections.findings import Findings
    from reports.sections.privileged import Privileged
    from reports.sections.quality import Counts, Quality


@dataclass(frozen=True, slots=True)
class Fact:
    """One of the numbers on top; `change` says what it was in the period before."""

    name: str
    value: str
    change: str


@dataclass(frozen=True, slots=True)
class Before:
    """The same figures of the period before."""

    findings: int
    privileged: int
    failed_logins: int
    counts: Counts


def verdict(findings: Findings, privileged: Privileged, quality: Quality) -> str:
    """One to three sentences, each made of the figures below."""
    if not quality.counts.records:
        blind = "No line of this period was received: there is no evidence to judge it by."
        return f"{blind} {_decisions(findings)}" if findings.open else blind
    return " ".join(filter(None, (_decisions(findings), _acts(privileged), _doubts(quality))))


def _decisions(findings: Findings) -> str:
    waiting = len(findings.open) + findings.not_shown
    if not waiting:
        return "No finding needs a decision."
    critical = sum(finding.row.severity == "critical" for finding in findings.open)
    worst = f", {word(critical)} of them critical" if critical and waiting > 1 else ""
    if critical and waiting == 1:
        return "One critical finding needs a decision."
    return f"{sentence(counted(waiting, 'finding'))} {'needs' if waiting == 1 else 'need'} a decision{worst}."


def _acts(privileged: Privileged) -> str:
    counts, keys = privileged.counts, privileged.keys
    said = []
    if counts.zeroized:
        said.append(f"{counted(counts.zeroized, 'act')} emptied an HSM")
    elif counts.destructive:
        said += [f"{counted(counts.destructive, 'destructive act')} {was(counts.destructive)} carried out"]
    said += [] if counts.zeroized else ["no HSM was zeroized"]
    said.append(
        f"{counted(keys.destroyed, 'key') if keys.destroyed else 'no key'} {was(max(keys.destroyed, 1))} destroyed"
    )
    if not counts.without_ticket:
        return sentence(listed(said)) + "."
    unapproved = f"{counted(counts.without_ticket, 'privileged operation')} {was(counts.without_ticket)}"
    return f"{sentence(listed(said))}; {unapproved} covered by no approved change."


def _doubts(quality: Quality) -> str:
    doubts = []
    if quality.never_heard:
        doubts.append(f"{counted(len(quality.never_heard), 'HSM')} {was(len(quality.never_heard))} never heard")
    if quality.missing:
        doubts.append(f"{counted(quality.missing, 'audit record')} {'is' if quality.missing == 1 else 'are'} missing")
    return f"The evidence has holes: {listed(doubts)}." if doubts else ""


def facts(  # noqa: PLR0913, PLR0917  (the whole pack in six numbers)
    findings: Findings,
    privileged: Privileged,
    authentication: Authentication,
    quality: Quality,
    before: Before | None,
    period: Period,
) -> tuple[Fact, ...]:
    """Six numbers with those of the period before, which is not measured when the store begins later."""
    now = quality.counts
    figures = (
        ("Findings", number(findings.in_period), ""),
        ("Privileged operations", number(privileged.counts.acts), ""),
        ("Failed logins", number(authentication.failed_logins), ""),
        ("Records", number(now.records), f"{percent(now.unread, now.records)} unread; "),
        ("Hours heard", f"{number(now.hours_heard)} of {_hours(now, period)}", ""),
        (
            "Devices heard",
            f"{number(now.devices_heard)} of {number(max(now.devices_configured, now.devices_heard))}",
            "",
        ),
    )
    last = "last week" if period.week else "the period before"
    return tuple(
        Fact(name, value, f"{beside}{then} {last}")
        for (name, value, beside), then in zip(figures, _before(before, period.previous()), strict=True)
    )


def _before(before: Before | None, period: Period) -> list[str]:
    if before is None:
        return ["not measured"] * 6
    counts = before.counts
    return [
        number(before.findings),
        number(before.privileged),
        number(before.failed_logins),
        number(counts.records),
        f"{number(counts.hours_heard)} of {_hours(counts, period)}",
        number(counts.devices_heard),
    ]


def _hours(counts: Counts, period: Period) -> str:
    return number(max(counts.devices_configured, counts.devices_heard) * period.hours)
