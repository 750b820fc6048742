"""Findings as rows: list, show, acknowledge, close, and what outside programs read."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from store import findings
from store.findings import Finding, Step
from support.bench import NOON, in_memory

FINDING = Finding(
    id=0,
    detector="AUTH-01",
    kind="episodes",
    title="Wrong password",
    subject="so on hsm1",
    device="hsm1",
    severity="high",
    state="open",
    disposition="",
    owner="",
    first_seen=NOON,
    last_seen=NOON + timedelta(minutes=1),
    opened_at=NOON,
    updated_at=NOON,
    closed_at=None,
    alerted_severity="high",
    superseded_by=None,
    change_ticket="",
    record_count=3,
    columns={"failures": 1, "sources": ["192.0.2.50"], "who": "Ängström"},
    detector_sha256="ab" * 32,
    parameters={"limit": 3},
)
LATER = datetime(2026, 11, 23, 13)


@pytest.fixture
def cursor():
    with in_memory().transaction() as cursor:
        yield cursor


def added(cursor, records=(7, 5, 6), **columns):
    (one,) = findings.add(cursor, [(replace(FINDING, **columns), records, Step(NOON, "opened", "hsmtrail", ""))])
    return one


def test_a_finding_comes_back_as_it_was_written(cursor):
    """Numbers go up from one; columns and parameters are objects."""
    first, second = added(cursor), added(cursor)
    assert (first.id, second.id) == (1, 2)
    assert findings.show(cursor, 1) == replace(FINDING, id=1)
    assert findings.show(cursor, 99) is None
    assert findings.evidence(cursor, 1) == [5, 6, 7]
    assert findings.evidence(cursor, 1, limit=2) == [5, 6]


def test_the_list_has_all_but_superseded_ones_newest_first(cursor):
    """States, detector and span choose."""
    added(cursor, state="superseded")
    added(cursor, detector="AUTH-02", first_seen=LATER, last_seen=LATER)
    added(cursor, state="closed")
    assert [one.id for one in findings.list_findings(cursor)] == [2, 3]
    assert [one.id for one in findings.list_findings(cursor, states=["superseded"])] == [1]
    assert [one.id for one in findings.list_findings(cursor, detector="AUTH-02")] == [2]
    assert [one.id for one in findings.list_findings(cursor, since=LATER)] == [2]
    assert [one.id for one in findings.list_findings(cursor, until=NOON)] == [3]


def test_somebody_looks_after_it_and_then_decides(cursor):
    """Who, when and why stay in its history."""
    added(cursor)
    findings.acknowledge(cursor, 1, by="admin", note="calling", now=LATER)
    taken = findings.show(cursor, 1)
    assert (taken.state, taken.owner, taken.updated_at) == ("acknowledged", "admin", LATER)
    findings.close(cursor, 1, disposition="incident", by="admin", note="INC-7", now=LATER)
    closed = findings.show(cursor, 1)
    assert (closed.state, closed.disposition, closed.closed_at) == ("closed", "incident", LATER)
    assert [(step.action, step.by, step.note) for step in findings.history(cursor, 1)] == [
        ("opened", "hsmtrail", ""),
        ("acknowledged", "admin", "calling"),
        ("closed", "admin", "incident: INC-7"),
    ]


def test_what_is_over_is_not_taken_or_closed_again(cursor):
    """A closed one stays closed, a superseded one superseded; the note is kept."""
    added(cursor, state="closed", disposition="expected")
    added(cursor, state="superseded")
    findings.acknowledge(cursor, 1, by="admin", note="late", now=LATER)
    findings.close(cursor, 2, disposition="fixed", by="admin", note="", now=LATER)
    assert [findings.show(cursor, number).state for number in (1, 2)] == ["closed", "superseded"]
    assert [step.note for step in findings.history(cursor, 2)] == ["", "fixed"]


def test_mistakes_are_named(cursor):
    """No such disposition, no such finding."""
    added(cursor)
    with pytest.raises(ValueError, match="'gone' is no disposition; one of expected"):
        findings.close(cursor, 1, disposition="gone", by="admin", note="", now=LATER)
    with pytest.raises(LookupError, match="there is no finding 9"):
        findings.acknowledge(cursor, 9, by="admin", note="", now=LATER)


def test_outside_programs_read_times_with_zone_and_at_most_a_hundred_records(cursor):
    """The contract's form."""
    finding = added(cursor, record_count=250)
    shown = findings.as_json(finding, range(250))
    assert shown == {
        "id": 1,
        "detector": "AUTH-01",
        "title": "Wrong password",
        "subject": "so on hsm1",
        "severity": "high",
        "state": "open",
        "first_seen": "2026-11-23T12:00:00.000000Z",
        "last_seen": "2026-11-23T12:01:00.000000Z",
        "records": list(range(100)),
        "record_count": 250,
        "columns": {"failures": 1, "sources": ["192.0.2.50"], "who": "Ängström"},
    }
