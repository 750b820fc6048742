"""An ordinary week of twelve devices has nothing above low; incidents planted into it are all found, each once, nothing else.

Everything goes the way that the service goes: parsed, stored, judged live and on schedule, told. By default one week with
the fewest lines that twelve devices write, incidents in it, and looked at twice: whatever else is above low in it is a
mistake. HSMTRAIL_ORDINARY_WEEK=6: 300,000 lines every six hours, without incidents and with them.
"""

import os
from collections import Counter
from datetime import timedelta

import pytest

from analytics.detector import load_all
from support.ordinary.incidents import incidents
from support.ordinary.site import LARGE, MONDAY, SMALL, WEEK
from support.ordinary.watch import Watch

HOURS = int(os.environ.get("HSMTRAIL_ORDINARY_WEEK", "0"))
SCALE, EVERY = (LARGE, timedelta(hours=HOURS)) if HOURS else (SMALL, WEEK)
LEAST = 300_000 if HOURS else 20_000
ORDINARY = {
    ("AUTH-01", "info"): "the decommission's three wrong passwords",
    ("AUTH-07", "low"): "the patch night",
    ("AUTH-08", "low"): "the joiner",
    ("COMP-03", "info"): "the decommission, complete",
    ("COMP-04", "info"): "the patch night, done",
    ("CONF-05", "info"): "its package, verified",
    ("CONF-07", "low"): "what changed by ticket and is not approved yet",
    ("HARD-02", "info"): "two feeds out and back",
    ("KEYS-01", "low"): "the rotation",
    ("LOGS-05", "info"): "the nightly off-load",
    ("NTLS-02", "info"): "a client without the new certificate",
    ("PRIV-01", "info"): "the decommission",
    ("PRIV-02", "low"): "a new partition of the test device",
    ("PRIV-05", "low"): "the patch night's restart",
}
"""What is said of an ordinary week: all of it for the pack, none of it for a person's telephone."""


@pytest.fixture
def watched(tmp_path):
    """Watches a week with these incidents, to its end."""
    watches = []

    def watch(planted=()):
        watches.append(Watch(tmp_path, SCALE, planted))
        watches[0].watch([MONDAY + EVERY * number for number in range(1, WEEK // EVERY)])
        return watches[0]

    yield watch
    for one in watches:
        one.close()


@pytest.mark.timeout(3600)
@pytest.mark.skipif(not HOURS, reason="the long form; the week with incidents holds an ordinary one")
def test_an_ordinary_week(watched):
    """Nothing above low, nobody is told anything; what is low is what happened by ticket, and every detector looked."""
    week = watched()
    assert len(week.lines) > LEAST
    assert week.seen() == []
    with week.db.reader() as cursor:
        found = cursor.execute("SELECT DISTINCT detector, severity FROM findings").fetchall()
        ran = cursor.execute("SELECT DISTINCT detector FROM runs WHERE state <> 'failed'").fetchall()
        allowed = cursor.execute("SELECT DISTINCT detector FROM runs WHERE suppressed > 0 ORDER BY ALL").fetchall()
    assert dict(sorted((one, ORDINARY.get(one, "?")) for one in found)) == ORDINARY
    assert {identifier for (identifier,) in ran} == {detector.id for detector in load_all().all}
    assert allowed == [("CONF-04",), ("CONF-05",)]  # the certificate and the package that the change board allowed


@pytest.mark.timeout(3600)
def test_a_week_with_incidents(watched):
    """Each is found as its table says, told once, and nothing else is."""
    planted = incidents()
    seen = watched(planted).seen()
    expected = Counter((one.detector, one.subject, one.severity) for incident in planted for one in incident.expects)
    found = Counter((one.detector, one.subject, one.severity) for one in seen)
    assert sorted((found - expected).elements()) == [], "found, though no incident explains it"
    assert sorted((expected - found).elements()) == [], "missed"
    assert [one for one in seen if one.alerts != 1] == []


def test_the_incidents_want_every_detector():
    """At least thirty, each with a name of its own; no detector of the catalogue is left out."""
    planted = incidents()
    assert len({incident.id for incident in planted}) == len(planted) >= 30
    assert {one.detector for incident in planted for one in incident.expects} == {one.id for one in load_all().all}
