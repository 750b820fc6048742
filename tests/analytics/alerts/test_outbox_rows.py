"""What is written into the outbox, for whom, and when it is tried again."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.outbox import LONGEST_DELAY, delay, enqueue
from analytics.alerts.sinks import EmailSink, WebhookSink
from analytics.case_tables import fill
from support.alerting import NOON
from support.outboxes import ask, finding, put, states
from support.records import put_one

RAW = "2026-11-23T12:00:00Z hsm1 lunash: HSM Admin Login: incorrect password \u202e<b>"


@given(row=st.integers(1, 2**62), attempts=st.integers(1, 10_000))
def test_delay(row, attempts):
    """Doubling from 2 s to 15 minutes, up to a fifth shorter, never longer, the same each time it is asked."""
    seconds = delay(row, attempts).total_seconds()
    longest = min(2.0 * 2 ** (attempts - 1), LONGEST_DELAY) if attempts < 30 else LONGEST_DELAY
    assert 0.79 * longest <= seconds <= longest
    assert delay(row, attempts) == delay(row, attempts)


def test_rows_spread():
    """Rows that failed together do not come back together."""
    assert len({delay(row, 5) for row in range(100)}) > 90


def test_enqueue_writes_for_those_who_want_it(db, clock):
    """One row for each sink whose least severity is reached, due at once."""
    sinks = [
        EmailSink("low", "h", 25, "a@example.org", ("b@example.org",), "low"),
        EmailSink("top", "h", 25, "a@example.org", ("b@example.org",), "critical"),
        WebhookSink("hook", "http://127.0.0.1/", min_severity="high"),
    ]
    assert put(db, sinks, clock) == 2
    rows = ask(db, "SELECT id, finding, sink, kind, severity, created_at, next_attempt_at, attempts FROM outbox")
    assert sorted(rows) == [
        (1, 7, "low", "finding", "high", NOON, NOON, 0),
        (2, 7, "hook", "finding", "high", NOON, NOON, 0),
    ]
    assert put(db, sinks, clock, finding(severity="info")) == 0


def test_enqueue_is_part_of_the_transaction(db, clock):
    """A finding that is rolled back sends nothing."""
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]

    def write_and_fail():
        with db.transaction() as cursor:
            assert enqueue(cursor, finding(), "opened", sinks, clock()) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert states(db) == {}


def record(cursor, number, raw):
    """A row of records; what is not named here is empty."""
    put_one(cursor, record_id=number, received_at=NOON, event_at=NOON - timedelta(seconds=number), raw=raw)


def test_enqueue_takes_the_newest_lines(db, clock):
    """Five lines at most, the newest, in the order of their time; a device that is not configured is left out."""
    with db.transaction() as cursor:
        for number in range(1, 9):
            record(cursor, number, raw=f"{RAW} {number} " + "x" * 5000)
            cursor.execute("INSERT INTO finding_records VALUES (7, ?), (8, ?)", [number, number])
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]
    put(db, sinks, clock, finding(record_count=8, columns=json.dumps({"tries_left": 2})))
    ((text,),) = ask(db, "SELECT message FROM outbox")
    message = json.loads(text)
    assert message["records"] == list(range(1, 9))
    assert [line["record_id"] for line in message["lines"]] == [8, 7, 6, 5, 4]
    assert all(len(line["raw"]) < 2100 for line in message["lines"])
    assert message["columns"] == {"tries_left": 2}
    assert message["device"] == ""
    with db.transaction() as cursor:
        fill(cursor, "devices", [{"name": "hsm1"}])
    put(db, sinks, clock)
    assert json.loads(ask(db, "SELECT message FROM outbox ORDER BY id DESC")[0][0])["device"] == "hsm1"


def test_no_two_rows_share_an_id(db, clock):
    """Not even in a store that was rebuilt and counts from 1 again: keys are drawn, not counted."""
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]
    put(db, sinks, clock, finding(1), finding(2))
    keys = [json.loads(text)["key"] for (text,) in ask(db, "SELECT message FROM outbox")]
    assert len(set(keys)) == 2
