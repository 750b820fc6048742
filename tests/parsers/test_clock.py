"""Stamps, years, zones and impossible dates."""

from __future__ import annotations

from datetime import datetime

import pytest

from parsers import clock

NOVEMBER = datetime(2026, 11, 23, 8, 15, 1)


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [
        ("Nov 23 08:15:01", datetime(2026, 11, 23, 8, 15, 1)),
        ("Dec 31 23:59:59", datetime(2026, 12, 31, 23, 59, 59)),
        ("Jan  2 00:00:00", datetime(2027, 1, 2)),
        ("Oct 11 2025 22:14:15", datetime(2025, 10, 11, 22, 14, 15)),
        ("2012 Feb 29 12:05:01", datetime(2012, 2, 29, 12, 5, 1)),
        ("Nov 23 08:15:01.5", datetime(2026, 11, 23, 8, 15, 1, 500000)),
        ("12/12/17 16:14:14", datetime(2012, 12, 17, 16, 14, 14)),
        ("2026-11-23T08:15:01.123456789Z", datetime(2026, 11, 23, 8, 15, 1, 123456)),
        ("2026-11-23T08:15:01+05:30", datetime(2026, 11, 23, 2, 45, 1)),
        ("2026-11-23T08:15:01-05:30", datetime(2026, 11, 23, 13, 45, 1)),
        ("2026-11-23T08:15:01", datetime(2026, 11, 23, 8, 15, 1)),
    ],
)
def test_stamps(stamp, wanted):
    """Every form is read; a year-less one takes the year nearest to its arrival."""
    assert clock.read(stamp, NOVEMBER) == wanted


@pytest.mark.parametrize(
    "stamp",
    [
        "Feb 30 10:00:00",
        "Nov 23 25:00:00",
        "Feb 29 2025 10:00:00",
        "2025 Feb 29 10:00:00",
        "Feb 29 10:00:00",
        "2026-13-01T00:00:00Z",
        "2026-11-23T08:15:60Z",
        "2026-11-23T08:15:01+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "12/13/17 16:14:14",
        "no stamp",
    ],
)
def test_impossible_dates_are_refused(stamp):
    """Nothing is rolled over: a date that does not exist is none."""
    assert clock.read(stamp, NOVEMBER) is None


def test_new_year():
    """December's lines that arrive in January are last year's."""
    assert clock.read("Dec 31 23:59:59", datetime(2027, 1, 1, 0, 0, 5)) == datetime(2026, 12, 31, 23, 59, 59)


def test_leap_day_without_a_year():
    """29 February needs a leap year within a year of its arrival."""
    assert clock.read("Feb 29 10:00:00", datetime(2027, 6, 1)) == datetime(2028, 2, 29, 10)
    assert clock.read("Feb 29 10:00:00", datetime(2026, 6, 1)) is None


@pytest.mark.parametrize(
    ("stamp", "wanted"),
    [
        ("Nov 23 08:15:01", datetime(2026, 11, 23, 7, 15, 1)),
        ("2026-07-01T08:00:00", datetime(2026, 7, 1, 6)),
        ("2026-07-01T08:00:00Z", datetime(2026, 7, 1, 8)),
        ("2026 Oct 25 02:30:00", datetime(2026, 10, 25, 0, 30)),
        ("2026 Mar 29 02:30:00", datetime(2026, 3, 29, 1, 30)),
    ],
)
def test_zone_of_the_device(stamp, wanted):
    """A zone holds where the stamp names none; of a time that comes twice the first is taken."""
    assert clock.read(stamp, NOVEMBER, "Europe/Amsterdam") == wanted


def test_zone_at_the_end_of_time():
    """A moment beyond the last year is none."""
    assert clock.read("9999 Dec 31 23:59:59", NOVEMBER, "America/New_York") is None
