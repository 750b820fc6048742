"""Periods: weeks in a zone, spans, names and titles."""

from datetime import datetime, timedelta

import pytest

from reports import period
from reports.period import Period


@pytest.mark.parametrize(
    ("now", "zone", "name"),
    [
        (datetime(2026, 11, 23, 0, 0), "UTC", "2026-W47"),
        (datetime(2026, 11, 22, 23, 59), "UTC", "2026-W46"),
        (datetime(2026, 11, 22, 23, 0), "Europe/Berlin", "2026-W47"),
        (datetime(2026, 11, 22, 22, 59), "Europe/Berlin", "2026-W46"),
        (datetime(2027, 1, 4, 6, 0), "UTC", "2026-W53"),
    ],
)
def test_last_complete_week(now, zone, name):
    """The last complete week is the newest that is over in the zone, also across a year with 53 weeks."""
    assert period.last_complete_week(now, zone).name == name


def test_a_week_in_utc():
    """A week goes from Monday's midnight up to the next one and says its days in its title."""
    week = period.parse_week("2026-W47")
    assert (week.begin, week.end) == (datetime(2026, 11, 16), datetime(2026, 11, 23))
    assert (week.title, week.hours) == ("16 to 22 November 2026", 168)


def test_a_week_with_a_change_of_clocks():
    """In a zone that sets its clocks back the week has 169 hours, and the one before follows without a gap."""
    week = period.parse_week("2026-W43", "Europe/Berlin")
    assert week.hours == 169
    assert week.previous().end == week.begin
    assert week.previous().name == "2026-W42"
    assert week.title == "19 to 25 October 2026"


@pytest.mark.parametrize("text", ["2026-47", "2026-W54", "2026-W00", "2026-W60", "last", "", "2026-W471", "0000-W01"])
def test_no_week(text):
    """What is no ISO week is refused with one sentence that shows a right one."""
    with pytest.raises(ValueError, match="is no week; wants the ISO year and week"):
        period.parse_week(text)


@pytest.mark.parametrize(
    ("begin", "end", "name", "title"),
    [
        ((2026, 11, 16), (2026, 11, 21), "2026-11-16_2026-11-20", "16 to 20 November 2026"),
        ((2026, 11, 16), (2026, 11, 17), "2026-11-16_2026-11-16", "16 November 2026"),
        ((2026, 11, 30), (2026, 12, 2), "2026-11-30_2026-12-01", "30 November to 1 December 2026"),
        ((2026, 12, 31), (2027, 1, 2), "2026-12-31_2027-01-01", "31 December 2026 to 1 January 2027"),
        (
            (2026, 11, 16, 8, 30),
            (2026, 11, 16, 9, 0),
            "2026-11-16T083000_2026-11-16T090000",
            "16 November 2026 08:30 to 16 November 2026 09:00 UTC",
        ),
    ],
)
def test_spans(begin, end, name, title):
    """A span of days is named by its first and last day, any other by its moments."""
    span = period.between(datetime(*begin), datetime(*end))
    assert (span.name, span.title) == (name, title)


def test_before_a_span_lies_a_span_as_long():
    """The period before a span ends where it begins and is as long."""
    span = period.between(datetime(2026, 11, 16), datetime(2026, 11, 19))
    assert span.previous() == Period(datetime(2026, 11, 13), datetime(2026, 11, 16))


def test_a_span_must_go_forward():
    """A span that ends where it begins is refused."""
    with pytest.raises(ValueError, match="ends after it begins"):
        period.between(datetime(2026, 11, 16), datetime(2026, 11, 16))


def test_every_week_of_thirty_years_is_followed_by_the_next():
    """Weeks lie end to end: none overlaps, none is left out."""
    week = period.parse_week("2010-W01", "Europe/Berlin")
    for _ in range(30 * 52):
        following = period.last_complete_week(week.end + timedelta(days=7, hours=1), "Europe/Berlin")
        assert following.previous() == week
        week = following
