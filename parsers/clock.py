"""Stamps as logs write them: naive UTC times out, impossible dates refused, missing years found."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from parsers.remembering import remembered
from parsers.template import MONTHS

ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
YEARLESS = rf"(?:{MONTHS}) {{1,2}}[0-9]{{1,2}}(?: [0-9]{{4}})? [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
YEAR_FIRST = rf"[0-9]{{4}} (?:{MONTHS}) {{1,2}}[0-9]{{1,2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"

EPOCH = datetime(1970, 1, 1)
EARLIEST = datetime(1980, 1, 1)
"""No HSM is older. A clock that was never set begins before it."""

FURTHEST_AHEAD = timedelta(days=731)
"""No clock that anybody would look at is so far ahead of ours, and no year-less stamp (a year away at most) either.
What it says would stand outside every review for years."""

_MONTHS = {name: number for number, name in enumerate(MONTHS.split("|"), 1)}
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)|([+-])(\d\d):(\d\d))?")
_WORDED = re.compile(r"(?:(\d{4}) )?(\w{3}) +(\d+)(?: (\d{4}))? (\d\d):(\d\d):(\d\d)(?:\.(\d+))?")
_CLOUD = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) UTC")
_RECORD = re.compile(r"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)")
_A_YEAR = timedelta(days=366)
_HALF_A_YEAR = timedelta(days=182)


class _Written(NamedTuple):
    """What a stamp says: a moment (None when there is no such date), or a time without its year."""

    moment: datetime | None
    names_zone: bool = False
    yearless: tuple[int, ...] = ()


def read(stamp: str, received_at: datetime, zone: str = "UTC") -> datetime | None:
    """The moment in UTC; None when there is no such date.

    `zone` holds where the stamp names none. A year-less stamp takes the year that brings it nearest to `received_at`.
    """
    written = _written(stamp)
    local = _nearest(written.yearless, received_at) if written.yearless else written.moment
    if local is None or written.names_zone or zone == "UTC":
        return local
    try:
        return to_utc(local, zone)
    except OverflowError:
        return None


def doubt(moment: datetime, received_at: datetime) -> str:
    """Why a moment cannot be when a line was written that arrived then; '' when it can.

    Our own clock is no measure while it has not been set itself.
    """
    if moment < EARLIEST:
        return "before 1980"
    if received_at > EARLIEST and moment - received_at > FURTHEST_AHEAD:
        return "years after its arrival"
    return ""


@remembered(16384)
def _written(stamp: str) -> _Written:
    try:
        if found := _ISO.fullmatch(stamp):
            return _iso(found)
        if found := _CLOUD.fullmatch(stamp):
            return _written(f"{found[1]}T{found[2]}Z")
        if found := _RECORD.fullmatch(stamp):
            year, *rest = map(int, found.groups())
            return _Written(_moment(2000 + year, *rest))
        if found := _WORDED.fullmatch(stamp):
            return _worded(found)
    except (ValueError, OverflowError):
        pass
    return _Written(None)


def _moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]


def _fraction(digits: str | None) -> int:
    return int(((digits or "") + "000000")[:6])


def _iso(found: re.Match[str]) -> _Written:
    *numbers, digits, zulu, sign, hours, minutes = found.groups()
    local = _moment(*map(int, numbers), _fraction(digits))
    if not sign:
        return _Written(local, names_zone=bool(zulu))
    if int(hours) > 23 or int(minutes) > 59:
        return _Written(None)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return _Written(local - offset if sign == "+" else local + offset, names_zone=True)


def _worded(found: re.Match[str]) -> _Written:
    first_year, month, day, later_year, hour, minute, second, digits = found.groups()
    time = (_MONTHS[month], int(day), int(hour), int(minute), int(second), _fraction(digits))
    year = first_year or later_year
    return _Written(_moment(int(year), *time)) if year else _Written(None, yearless=time)


def _nearest(time: tuple[int, ...], received_at: datetime) -> datetime | None:
    """Of this year, the last and the next; none is right when even the nearest (a leap day's) is a year away."""
    near = _in_year(received_at.year, time)
    if near and abs(near - received_at) < _HALF_A_YEAR:
        return near
    others = [_in_year(received_at.year + step, time) for step in (-1, 1)]
    distances = [(abs(moment - received_at), moment) for moment in (near, *others) if moment]
    distance, moment = min(distances, default=(_A_YEAR * 2, received_at))
    return moment if distance <= _A_YEAR else None


def _in_year(year: int, time: tuple[int, ...]) -> datetime | None:
    try:
        return _moment(year, *time)
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def to_utc(local: datetime, zone: str) -> datetime:
    """Of a time that comes twice in autumn the first is taken; one that spring leaves out keeps winter's offset."""
    offset = local.replace(tzinfo=_zone(zone)).utcoffset()
    return local - (offset or timedelta())
