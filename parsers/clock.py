"""Stamps as logs write them: naive UTC times out, impossible dates refused, missing years found."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from parsers.template import MONTHS

ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
YEARLESS = rf"(?:{MONTHS}) {{1,2}}[0-9]{{1,2}}(?: [0-9]{{4}})? [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
YEAR_FIRST = rf"[0-9]{{4}} (?:{MONTHS}) {{1,2}}[0-9]{{1,2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"

_MONTHS = {name: number for number, name in enumerate(MONTHS.split("|"), 1)}
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:(Z)|([+-])(\d\d):(\d\d))?")
_WORDED = re.compile(r"(?:(\d{4}) )?(\w{3}) +(\d+)(?: (\d{4}))? (\d\d):(\d\d):(\d\d)(?:\.(\d+))?")
_RECORD = re.compile(r"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)")

A_YEAR = timedelta(days=366)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (naive UTC, as everywhere between parts)


def read(stamp: str, received_at: datetime, zone: str = "UTC") -> datetime | None:
    """The moment in UTC; None when there is no such date.

    `zone` holds where the stamp names none. A year-less stamp takes the year that brings it nearest to `received_at`.
    """
    if stamp[:1].isdigit() or stamp[-9:-8] != " ":
        return _complete(stamp, zone)
    try:
        local = _nearest(_time(_WORDED.fullmatch(stamp)), received_at)
        return local and to_utc(local, zone)
    except (ValueError, OverflowError):
        return None


def _moment(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001  (naive UTC, as everywhere between parts)


def _fraction(digits: str | None) -> int:
    return int(((digits or "") + "000000")[:6])


def _iso(stamp: str, zone: str) -> datetime | None:
    found = _ISO.fullmatch(stamp)
    if found is None:
        return None
    *numbers, digits, zulu, sign, hours, minutes = found.groups()
    local = _moment(*map(int, numbers), _fraction(digits))
    if zulu:
        return local
    if not sign:
        return to_utc(local, zone)
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError("no such offset")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return local - offset if sign == "+" else local + offset


def _nearest(time: tuple[int, ...], received_at: datetime) -> datetime | None:
    candidates = []
    for year in (received_at.year, received_at.year - 1, received_at.year + 1):
        try:
            candidates.append(_moment(year, *time))
        except ValueError:
            continue
    near = [(abs(moment - received_at), moment) for moment in candidates]
    distance, moment = min(near, default=(A_YEAR * 2, received_at))
    return moment if distance <= A_YEAR else None


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def to_utc(local: datetime, zone: str) -> datetime:
    """Of a time that comes twice in autumn the first is taken; one that spring leaves out keeps winter's offset."""
    if zone == "UTC":
        return local
    offset = local.replace(tzinfo=_zone(zone)).utcoffset()
    return local - (offset or timedelta())
