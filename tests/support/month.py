"""Weeks of the sample's three HSMs as a collector gets them: a relay that keeps lines back, another that repeats them."""

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hsmtrail.samples import last_complete_week, sample_folder, shifted_changes, shifted_lines

DIRECT = {"hsm-ams-1": "192.0.2.11", "hsm-ams-2": "192.0.2.12", "hsm-fra-1": "198.51.100.11"}
RELAYED, RELAY = "hsm-ams-2", "192.0.2.99"
"""All lines of this device come by two ways: copies."""

REPEATED_AFTER = timedelta(minutes=5)
KEPT_BACK, KEPT_FOR = "hsm-fra-1", timedelta(hours=14)
KEPT_FROM, KEPT_UNTIL = timedelta(days=2, hours=18), timedelta(days=3, hours=6)
"""Wednesday evening to Thursday morning of each week: these lines come half a day late."""

WEEKS_AGO = 4
"""The last week is so long over that nobody makes its pack."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """One line, and by which way it comes; `at` orders them."""

    at: datetime
    peer: str
    raw: bytes


def mondays(weeks):
    """The first days of the weeks, oldest first."""
    last = last_complete_week(datetime.now(UTC).date()) - timedelta(weeks=WEEKS_AGO)
    return [last - timedelta(weeks=number) for number in reversed(range(weeks))]


def arriving(weeks, days=(0, 7)):
    """All lines of these days of each week, in the order in which they arrive."""
    first, end = (timedelta(days=day) for day in days)
    come = []
    for monday in mondays(weeks):
        midnight = datetime(monday.year, monday.month, monday.day)
        for line in shifted_lines(sample_folder(), monday):
            if first <= line.sent_at - midnight < end:
                come += _ways(line, midnight)
    return sorted(come, key=lambda one: one.at)


def _ways(line, midnight):
    kept = line.device == KEPT_BACK and KEPT_FROM <= line.sent_at - midnight < KEPT_UNTIL
    yield Arriving(line.sent_at + KEPT_FOR * kept, DIRECT[line.device], line.raw)
    if line.device == RELAYED:
        yield Arriving(line.sent_at + REPEATED_AFTER, RELAY, line.raw)


def changes(weeks):
    """The approved changes of each week, as rows of table change_windows."""
    for monday in mondays(weeks):
        for row in csv.DictReader(io.StringIO(shifted_changes(sample_folder(), monday))):
            span = {"starts_at": row["from"].rstrip("Z"), "ends_at": row["to"].rstrip("Z")}
            for device in row["device"].split(";"):
                yield {"device": device, "ticket": row["ticket"], "kind": row["kind"], **span}
