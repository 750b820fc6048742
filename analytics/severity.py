"""How bad a finding is: the words in order, and what an approved change or a new device takes off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

SEVERITIES = ("info", "low", "medium", "high", "critical")
NEW_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Window:
    """An approved change on one device."""

    device: str
    starts_at: datetime
    ends_at: datetime
    ticket: str
    kind: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lowers severities: approved changes, and when devices of profile 'new' came."""

    windows: tuple[Window, ...] = ()
    new_since: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A detector's header on lowering: 'lower', 'never' or 'decommission'; and whether new devices are let off."""

    in_change_window: str = "lower"
    on_new_device: str = "never"


def rank(severity: str) -> int:
    """-1 for '': nothing is less than info."""
    return SEVERITIES.index(severity) if severity else -1


def worst(severities: Iterable[str]) -> str:
    return max(severities, key=rank, default="")


def one_less(severity: str) -> str:
    return SEVERITIES[max(0, rank(severity) - 1)]


def policy_of(episode_says: str, policy: Policy) -> Policy:
    """What an episode says of itself goes before what its detector says of all."""
    return replace(policy, in_change_window=episode_says) if episode_says else policy


def judged(
    severity: str, device: str, span: tuple[datetime, datetime], policy: Policy, around: Surroundings
) -> tuple[str, str]:
    """The severity after all that lowers it, and the ticket that did ('' for none)."""
    window = _covering(device, span, policy, around)
    if window is not None:
        return ("info" if policy.in_change_window == "decommission" else one_less(severity)), window.ticket
    if policy.on_new_device == "lower" and _is_new(device, span[0], around):
        return one_less(severity), ""
    return severity, ""


def _covering(device: str, span: tuple[datetime, datetime], policy: Policy, around: Surroundings) -> Window | None:
    """The approved change that holds the whole span; of several, the first ticket, so that it is always the same."""
    if policy.in_change_window == "never":
        return None
    holding = [
        window
        for window in around.windows
        if window.device == device
        and window.starts_at <= span[0]
        and span[1] <= window.ends_at
        and (policy.in_change_window != "decommission" or window.kind == "decommission")
    ]
    return min(holding, key=lambda window: (window.starts_at, window.ticket), default=None)


def _is_new(device: str, at: datetime, around: Surroundings) -> bool:
    return any(name == device and since <= at < since + NEW_FOR for name, since in around.new_since)


def surroundings(cursor: duckdb.DuckDBPyConnection, begin: datetime, end: datetime) -> Surroundings:
    """Changes that touch the span, and devices of profile 'new' with their first day."""
    windows: list[Any] = cursor.execute(
        "SELECT device, starts_at, ends_at, ticket, kind FROM change_windows"
        " WHERE starts_at <= $end AND ends_at >= $begin",
        {"begin": begin, "end": end},
    ).fetchall()
    new: list[Any] = cursor.execute(
        "SELECT name, since FROM devices WHERE profile = 'new' AND since IS NOT NULL"
    ).fetchall()
    return Surroundings(tuple(Window(*row) for row in windows), tuple((name, since) for name, since in new))
