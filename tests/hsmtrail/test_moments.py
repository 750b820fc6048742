"""Moments and spans as people type them."""

from datetime import datetime, timedelta

import pytest

from hsmtrail.failures import Misuse
from hsmtrail.moments import moment, since

NOW = datetime(2026, 11, 24, 12)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-23", datetime(2026, 11, 23)),
        ("2026-11-23 08:15", datetime(2026, 11, 23, 8, 15)),
        ("2026-11-23T08:15:01Z", datetime(2026, 11, 23, 8, 15, 1)),
        ("2026-11-23T08:15:01+02:00", datetime(2026, 11, 23, 6, 15, 1)),
    ],
)
def test_moments_are_utc(text, wanted):
    """An offset is taken into account; none means UTC."""
    assert moment(text) == wanted


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "2026-02-30"])
def test_no_moments(text):
    """Anything else is refused with the form that is wanted."""
    with pytest.raises(Misuse, match="2026-11-23"):
        moment(text)


def test_spans_reach_back_from_now():
    """30d, 12h, 5m, 2w; or a moment."""
    assert since("30d", NOW) == NOW - timedelta(days=30)
    assert since("12h", NOW) == NOW - timedelta(hours=12)
    assert since("2026-11-01", NOW) == datetime(2026, 11, 1)
    with pytest.raises(Misuse, match="further back"):
        since("999999w", NOW)
