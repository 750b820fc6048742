"""What becomes of a finding, and what is noted down of it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from analytics import severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.asking import Episode
    from analytics.episodes import Open
    from store.findings import Finding


def worse(finding: Finding) -> bool:
    """Than people were told."""
    return severity.rank(finding.severity) > severity.rank(finding.alerted_severity)


def told(finding: Finding) -> Finding:
    return replace(finding, alerted_severity=severity.worst((finding.severity, finding.alerted_severity)))


def overlap(finding: Finding, episode: Episode) -> bool:
    return finding.first_seen <= episode.last_seen and finding.last_seen >= episode.first_seen


def with_state(finding: Finding, parts: Sequence[Finding], *, grew: bool) -> Finding:
    """Open if any part was open; closed stays closed unless there is something new."""
    alive = [part for part in parts if part.state != "closed"]
    if alive:
        state = "open" if any(part.state == "open" for part in alive) else "acknowledged"
    elif grew:
        state = "open"
    else:
        return finding
    return replace(finding, state=state, disposition="", closed_at=None)


def action(before: Finding, after: Finding) -> str:
    if before.state == "closed" and after.state != "closed":
        return "reopened"
    return "raised" if severity.rank(after.severity) > severity.rank(before.severity) else "updated"


def difference(before: Finding, after: Finding) -> str:
    words = []
    if before.severity != after.severity:
        words.append(
            f"{before.severity} → {after.severity}" + (f" ({after.change_ticket})" if after.change_ticket else "")
        )
    if before.record_count != after.record_count:
        words.append(f"{before.record_count} → {after.record_count} records")
    return ", ".join(words)


def as_decided(finding: Finding, heirs: Sequence[Finding]) -> Finding:
    """What people said of the newest that it takes over; as it is when nobody said anything."""
    decided = max((one for one in heirs if one.state != "open"), key=lambda one: one.id, default=None)
    if decided is None:
        return finding
    return replace(
        finding,
        state=decided.state,
        disposition=decided.disposition,
        owner=decided.owner,
        closed_at=decided.closed_at,
    )


def taken(decision: Open) -> str:
    numbers = ", ".join(str(known.finding.id) for known in decision.heirs_of)
    return f"takes the place of {numbers}" if numbers else ""
