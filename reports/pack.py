"""A review pack as data: what the store says about one period. No clock, no disk: the same store, the same pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.questions import Asked, Questions
from reports.sections import authentication, configuration, findings, privileged, provenance, quality
from reports.sections import verdict as top
from reports.settings import DetectorNote, PackSettings, RoleLimit

if TYPE_CHECKING:
    import duckdb

    from reports.period import Period

__all__ = ["DetectorNote", "Pack", "PackSettings", "RoleLimit", "make_pack"]


@dataclass(frozen=True, slots=True)
class Pack:
    """The sections in the order in which they are read; `asked` are the questions behind all figures."""

    period: Period
    organisation: str
    verdict: str
    facts: tuple[top.Fact, ...]
    quality: quality.Quality
    findings: findings.Findings
    privileged: privileged.Privileged
    authentication: authentication.Authentication
    configuration: configuration.Configuration
    evidence: tuple[provenance.Line, ...]
    provenance: provenance.Provenance
    asked: tuple[Asked, ...]


def make_pack(cursor: duckdb.DuckDBPyConnection, period: Period, settings: PackSettings) -> Pack:
    """Everything about `period` that the store behind `cursor` knows; reads only."""
    ask = Questions(cursor)
    trust = quality.read(ask, period)
    found = findings.read(ask, period, settings)
    acts = privileged.read(ask, period, settings, trust.counts.hours_heard)
    logins = authentication.read(ask, period, settings)
    state = configuration.read(ask, period, settings)
    return Pack(
        period=period,
        organisation=settings.organisation,
        verdict=top.verdict(found, acts, trust),
        facts=top.facts(found, acts, logins, trust, _before(ask, period, settings), period),
        quality=trust,
        findings=found,
        privileged=acts,
        authentication=logins,
        configuration=state,
        evidence=provenance.evidence(ask, period, _shown_records(found, state, trust)),
        provenance=provenance.read(ask, period, settings),
        asked=tuple(ask.asked),
    )


def _before(ask: Questions, now: Period, settings: PackSettings) -> top.Before | None:
    """The figures of the period before; None when the store reaches no further back than this one."""
    oldest = ask.row(authentication.Oldest, "oldest", now).event_at
    if oldest is None or oldest >= now.begin:
        return None
    period = now.previous()
    streaks = ask.rows(authentication.Streak, "ladders", period)
    appliance = ask.row(authentication.ApplianceFailures, "appliance_failure_count", period)
    acts = ask.row(privileged.ActCount, "privileged_count", period, grace_minutes=settings.grace_minutes)
    return top.Before(
        findings=ask.row(findings.Number, "finding_count", period).number,
        privileged=acts.acts,
        failed_logins=sum(row.failures for row in streaks) + appliance.failures,
        counts=ask.row(quality.Counts, "counts", period),
    )


def _shown_records(found: findings.Findings, state: configuration.Configuration, trust: quality.Quality) -> list[int]:
    """The lines that the pack links to."""
    return [
        *(record for finding in (*found.open, *found.covered, *found.handled) for record in finding.records),
        *(difference.record_id for difference in state.differences if difference.record_id is not None),
        *(row.record_id for row in trust.unread),
    ]
