"""The span that a pack speaks about: an ISO week in somebody's time zone, or any two moments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` up to, not including, `end`; both naive UTC. `week` is '' for a span that is no ISO week."""

    begin: datetime
    end: datetime
    zone: str = "UTC"
    week: str = ""

    @property
    def name(self) -> str:
        """What the pack's files are called: made from the period alone, never from data."""
        if self.week:
            return self.week
        if self._whole_days:
            return f"{self.first_day.isoformat()}_{self.last_day.isoformat()}"
        return f"{self.begin:%Y-%m-%dT%H%M%S}_{self.end:%Y-%m-%dT%H%M%S}"

    @property
    def title(self) -> str:
        """The period as a person says it: '16 to 22 November 2026'."""
        if not self._whole_days:
            return f"{_clock(self.begin)} to {_clock(self.end)} UTC"
        first, last = self.first_day, self.last_day
        if first == last:
            return _day(first)
        if first.year != last.year:
            return f"{_day(first)} to {_day(last)}"
        if first.month != last.month:
            return f"{first.day} {MONTHS[first.month - 1]} to {_day(last)}"
        return f"{first.day} to {_day(last)}"

    @property
    def hours(self) -> float:
        return (self.end - self.begin) / timedelta(hours=1)

    @property
    def first_day(self) -> date:
        return self._local(self.begin).date()

    @property
    def last_day(self) -> date:
        return self._local(self.end - timedelta(microseconds=1)).date()

    def previous(self) -> Period:
        """The week before; for a span, as long a span right before it."""
        if self.week:
            return _week_of(self.first_day - timedelta(days=7), self.zone)
        return Period(self.begin - (self.end - self.begin), self.begin, self.zone)

    @property
    def _whole_days(self) -> bool:
        return self._local(self.begin).time() == time() == self._local(self.end).time()

    def _local(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(self.zone))


def last_complete_week(now: datetime, zone: str = "UTC") -> Period:
    """The newest ISO week that is over in `zone` at `now` (naive UTC)."""
    today = now.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    return _week_of(today - timedelta(days=7), zone)


def parse_week(text: str, zone: str = "UTC") -> Period:
    """'2026-W47'; a ValueError says in one sentence what is wrong."""
    wrong = f'{text!r} is no week; wants the ISO year and week, such as "2026-W47"'
    found = re.fullmatch(r"(\d{4})-W(\d{2})", text.strip(), re.ASCII)
    if not found:
        raise ValueError(wrong)
    try:
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return _week_of(monday, zone)
    except (ValueError, OverflowError):
        raise ValueError(wrong) from None


def between(begin: datetime, end: datetime, zone: str = "UTC") -> Period:
    """Any span of naive UTC moments, whole seconds."""
    if end <= begin:
        raise ValueError("a period ends after it begins")
    return Period(begin.replace(microsecond=0), end.replace(microsecond=0), zone)


def _week_of(day: date, zone: str) -> Period:
    year, week, weekday = day.isocalendar()
    monday = day - timedelta(days=weekday - 1)
    return Period(_midnight(monday, zone), _midnight(monday + timedelta(days=7), zone), zone, f"{year}-W{week:02d}")


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _clock(moment: datetime) -> str:
    return f"{_day(moment.date())} {moment:%H:%M}"
