"""P4, authentication: is anyone guessing, and how close did it come to a loss?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from reports.charts import Panel
from reports.text import counted, day, listed, role_name, sentence

if TYPE_CHECKING:
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import PackSettings

DAYS_AT_LEAST, DAYS_AT_MOST = 28, 56
SOURCES_SHOWN = 20
CALM_SHOWN = 6
POLICY_ROLES = {"co", "lco", "cu"}
"""Partition policy 20 counts for these."""


@dataclass(frozen=True, slots=True)
class Streak:
    """A role that logged in or tried to; its longest row of wrong secrets that touched the period."""

    device: str
    partition: str
    role: str
    longest: int
    first_strike: datetime | None
    last_strike: datetime | None
    ended: bool
    records: tuple[int, ...]
    failures: int
    successes: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """A streak beside the limit at which the HSM acts."""

    streak: Streak
    limit: int

    @property
    def tries_left(self) -> int:
        return max(self.limit - self.streak.longest, 0)

    @property
    def name(self) -> str:
        where = f" partition {self.streak.partition}" if self.streak.partition else ""
        return f"{sentence(role_name(self.streak.role))} on {self.streak.device or 'an unknown device'}{where}"


@dataclass(frozen=True, slots=True)
class DayCount:
    role: str
    days_back: int
    strikes: int


@dataclass(frozen=True, slots=True)
class Place:
    role: str
    device: str
    partition: str


@dataclass(frozen=True, slots=True)
class ObservedLimit:
    device: str
    partition: str
    value: str


@dataclass(frozen=True, slots=True)
class Guesser:
    """Failed logins to an appliance from one source; `success_after` is a login from there that then worked."""

    device: str
    source: str
    failures: int
    first_failure: datetime
    last_failure: datetime
    success_after: bool
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplianceFailures:
    failures: int
    sources: int


@dataclass(frozen=True, slots=True)
class Oldest:
    event_at: datetime | None


@dataclass(frozen=True, slots=True)
class Authentication:
    """P4. Ladders with the fewest tries left come first."""

    answer: str
    ladders: tuple[Ladder, ...]
    panels: tuple[Panel, ...]
    days: int
    guessers: tuple[Guesser, ...]
    appliance: ApplianceFailures
    role_failures: int

    @property
    def rungs(self) -> int:
        """How many ladders are drawn: all with a failure, and calm ones as long as the table is short."""
        return max(sum(bool(ladder.streak.longest) for ladder in self.ladders), CALM_SHOWN)

    @property
    def calm(self) -> str:
        """The roles whose ladder is not drawn."""
        rest = [ladder.name for ladder in self.ladders[self.rungs :]]
        return f"Without a failure too: {listed(rest)}." if rest else ""

    @property
    def failed_logins(self) -> int:
        return self.role_failures + self.appliance.failures


def read(ask: Questions, period: Period, settings: PackSettings) -> Authentication:
    limits = Limits(settings, ask.rows(ObservedLimit, "failed_limits", period))
    streaks = ask.rows(Streak, "ladders", period)
    ladders = tuple(Ladder(row, limits.of(row.device, row.partition, row.role)) for row in streaks)
    days = days_shown(ask.row(Oldest, "oldest", period).event_at, period)
    return Authentication(
        answer=answer(ladders),
        ladders=tuple(sorted(ladders, key=lambda ladder: (not ladder.streak.longest, ladder.tries_left))),
        panels=_panels(ask, period, limits, days),
        days=days,
        guessers=ask.rows(Guesser, "appliance_failures", period, most=SOURCES_SHOWN),
        appliance=ask.row(ApplianceFailures, "appliance_failure_count", period),
        role_failures=sum(row.failures for row in streaks),
    )


class Limits:
    """Configured limits, lowered where the logs show a stricter partition policy 20."""

    def __init__(self, settings: PackSettings, observed: tuple[ObservedLimit, ...]) -> None:
        self._settings = settings
        self._observed = {(row.device, row.partition): int(row.value) for row in observed if row.value.isdecimal()}

    def of(self, device: str, partition: str, role: str) -> int:
        limit = self._settings.limit(device, partition, role)
        stricter = self._observed.get((device, partition), limit) if role in POLICY_ROLES else limit
        return max(1, min(limit, stricter))


def answer(ladders: tuple[Ladder, ...]) -> str:
    """'Failed logins stayed below lockout, except once'."""
    if not ladders:
        return "No HSM role was heard logging in"
    if not any(ladder.streak.failures for ladder in ladders):
        return "No HSM role failed to log in"
    reached = [ladder for ladder in ladders if not ladder.tries_left]
    close = [ladder for ladder in ladders if ladder.tries_left == 1]
    if reached:
        roles = counted(len(reached), "role")
        return f"Failed logins reached the lockout of {roles}"
    if close:
        return f"Failed logins stayed below lockout, with one try left for {counted(len(close), 'role')}"
    return "Failed logins stayed below lockout"


def days_shown(oldest: datetime | None, period: Period) -> int:
    """Four to eight weeks, as far as the store reaches."""
    known = (period.end - oldest) // timedelta(days=1) + 1 if oldest else DAYS_AT_LEAST
    return max(DAYS_AT_LEAST, min(DAYS_AT_MOST, known))


def _panels(ask: Questions, period: Period, limits: Limits, days: int) -> tuple[Panel, ...]:
    counts = {(row.role, row.days_back): row.strikes for row in ask.rows(DayCount, "failed_days", period, days=days)}
    strictest: dict[str, int] = {}
    for place in ask.rows(Place, "roles_seen", period, days=days):
        limit = limits.of(place.device, place.partition, place.role)
        strictest[place.role] = min(limit, strictest.get(place.role, limit))
    failing = {role for role, _ in counts}
    return tuple(
        Panel(
            name=sentence(role_name(role)),
            counts=tuple(counts.get((role, days - 1 - place), 0) for place in range(days)),
            limit=limit,
            ticks=ticks(period, days),
        )
        for role, limit in sorted(strictest.items())
        if role in failing
    )


def ticks(period: Period, days: int) -> tuple[tuple[int, str], ...]:
    """Three dates below the axis; a bar's date is that of its middle, which holds in any zone."""
    first = period.end - timedelta(days=days) + timedelta(hours=12)
    return tuple((place, day(first + timedelta(days=place))) for place in (0, days // 2, days - 7))
