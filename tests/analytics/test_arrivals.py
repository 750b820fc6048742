"""One reading for many detectors says the same as one reading for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import arrivals, detector
from analytics.arrivals import Arrivals, touched_by_each
from analytics.asking import CannotJudge
from analytics.spans import touched
from store import migrate
from store.database import Database
from support.records import put

BEGIN = datetime(2026, 11, 23)
FILE = Path(detector.__file__).parent / "detectors" / "policy_change.sql"
OPERATIONS = ("login", "show", "policy_set")
EVENTS = st.lists(
    st.tuples(st.integers(0, 60 * 24 * 40), st.sampled_from(OPERATIONS), st.booleans(), st.integers(1, 4)), max_size=60
)


def watching(identifier, watches, minutes):
    return replace(detector.load(FILE), id=identifier, watches=watches, looks_back=timedelta(minutes=minutes))


DETECTORS = [
    watching("ALL-01", "true", 10),
    watching("ONE-01", "operation = 'login' -- a remark", 5),
    watching("TWO-01", "operation IN ('show', 'login') OR false", 600),
    watching("NONE-01", "operation = 'nothing'", 10),
]


@pytest.fixture(scope="module")
def store():
    with duckdb.connect(":memory:") as connection:
        migrate.migrate(connection, migrate.migrations(), migrate.views())
        yield connection


def fill(cursor, events):
    """`events`: minute, operation, whether it is a copy, batch."""
    cursor.execute("DELETE FROM lines; DELETE FROM batches")
    for batch in range(1, 5):
        cursor.execute(
            "INSERT INTO batches VALUES ($1, $1, 's', 1, 1, '', '', TIMESTAMP '2026-11-23', TIMESTAMP '2026-11-23', '{}')",
            [batch],
        )
    for number, (minute, operation, copied, batch) in enumerate(events, 1):
        given = {"id": number, "at": BEGIN + timedelta(minutes=minute, seconds=number), "operation": operation}
        put(
            cursor,
            "SELECT $id::UBIGINT AS record_id, $at::TIMESTAMP AS event_at, event_at AS received_at,"
            " $operation AS operation, $batch::UBIGINT AS batch, if($copied, 1::UBIGINT, NULL) AS copy_of",
            {**given, "batch": batch, "copied": copied},
        )


@settings(max_examples=40, deadline=None)
@given(EVENTS, st.integers(0, 4), st.integers(0, 4))
def test_the_same_spans(store, events, first, last):
    """Any moments, copies, batches and conditions, far apart or near."""
    fill(store, events)
    together = touched_by_each(store, DETECTORS, first, last)
    assert together == {one.id: touched(store, one, first, last) for one in DETECTORS}


def test_of_many_gaps_the_widest_stay(store):
    """Records of thirty days, each a day from the next: sixteen spans at most, cut at the same gaps."""
    fill(store, [(60 * 24 * day + day * day, "login", False, 1) for day in range(30)])
    together = touched_by_each(store, DETECTORS, 0, 4)
    assert len(together["ALL-01"]) == 16
    assert together == {one.id: touched(store, one, 0, 4) for one in DETECTORS}


@pytest.fixture
def stored(tmp_path):
    db = Database.open(tmp_path / "store.duckdb")
    with db.transaction() as cursor:
        fill(cursor, [(5, "login", False, 1)])
    yield db
    db.close()


def test_one_that_fails_spoils_nothing_for_the_others(stored):
    """A condition that cannot be judged for a record is that detector's own failure."""
    broken = watching("BAD-01", "operation::INTEGER = 1", 5)
    here = Arrivals(stored, [(one, (0, 1)) for one in (broken, *DETECTORS)], 30)
    with pytest.raises(CannotJudge, match="login"):
        here.touched(broken, (0, 1), 30)
    assert [len(here.touched(one, (0, 1), 30)) for one in DETECTORS] == [1, 1, 1, 0]


def test_very_many_minutes_are_looked_at_one_by_one(stored, monkeypatch):
    """A sender whose clock jumps about makes the answer no longer than for one detector."""
    monkeypatch.setattr(arrivals, "MOST_MINUTES", 0)
    with stored.reader() as cursor:
        assert touched_by_each(cursor, DETECTORS, 0, 1) is None
    here = Arrivals(stored, [(one, (0, 1)) for one in DETECTORS], 30)
    assert [len(here.touched(one, (0, 1), 30)) for one in DETECTORS] == [1, 1, 1, 0]
