"""What happens by the clock, over several lives of a service: the ledger says what is due, not the start."""

import dataclasses
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hsmtrail import wiring
from hsmtrail.config import load
from hsmtrail.desk import open_desk
from hsmtrail.schedule import SETTLE, Timetable
from support.bench import NOON, write_detector
from support.installation import BASIC, eventually

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def life(site):
    """A service's timetable at a moment of its own clock; what it was waiting for, and what it ran."""
    (site.folder / "own").mkdir()
    write_detector(site.folder / "own", id="TEST-01", every="1d")
    site.write('detector_folders = ["own"]\n' + BASIC)
    configuration = load(site.config)

    @contextmanager
    def lives(now, **options):
        desk = open_desk(configuration)
        desk = dataclasses.replace(desk, now=lambda: now, duty=wiring.duty(desk.db, configuration, lambda: now))
        timetable = Timetable(desk, lambda: None, **options)
        timetable.start()
        try:
            yield timetable, lambda: runs(desk.db)
        finally:
            timetable.stop()
            desk.db.close()

    return lives


def runs(db):
    with db.reader() as cursor:
        return cursor.execute("SELECT times, finished_at FROM runs WHERE detector = 'TEST-01'").fetchall()


def wait_of(timetable):
    return timetable._scheduler.get_job("TEST-01").next_run_time - datetime.now(UTC)


def test_what_is_due_once_a_day_runs_once_a_day(life):
    """Two short lives a day later each: the second catches up what the first had no time for, the third waits."""
    with life(NOON, settle=timedelta()) as (_, ran):
        eventually(ran)
    with life(NOON + 23 * HOUR, settle=timedelta()) as (timetable, ran):
        assert HOUR - timedelta(minutes=5) < wait_of(timetable) <= HOUR
    with life(NOON + 25 * HOUR, settle=timedelta()) as (timetable, ran):
        eventually(lambda: ran() == [(2, NOON + 25 * HOUR)])
        assert DAY - timedelta(minutes=5) < wait_of(timetable) <= DAY


def test_what_is_overdue_waits_until_the_rest_is_read(life):
    """A service that has just begun does not know yet what came while it was down."""
    with life(NOON) as (timetable, ran):
        assert SETTLE - timedelta(seconds=50) < wait_of(timetable) <= SETTLE
        assert ran() == []
        often = timetable._scheduler.get_job("LOGS-01").next_run_time - datetime.now(UTC)
        assert often <= timedelta(minutes=1)
