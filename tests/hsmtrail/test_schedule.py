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


def waits(timetable, begun, wait, detector="TEST-01"):
    """Whether its next run is so long after a start that was not before `begun` and is over now."""
    at = timetable._scheduler.get_job(detector).next_run_time
    return begun + wait <= at <= datetime.now(UTC) + wait


def test_what_is_due_once_a_day_runs_once_a_day(life):
    """Two short lives a day later each: the second waits, and the third catches up what neither had the time for."""
    with life(NOON, settle=timedelta()) as (_, ran):
        eventually(ran)
    begun = datetime.now(UTC)
    with life(NOON + 23 * HOUR, settle=timedelta()) as (timetable, ran):
        assert waits(timetable, begun, HOUR)
        assert ran() == [(1, NOON)]
    begun = datetime.now(UTC)
    with life(NOON + 25 * HOUR, settle=timedelta()) as (timetable, ran):
        eventually(lambda: ran() == [(2, NOON + 25 * HOUR)])
        assert waits(timetable, begun, DAY)


def test_what_is_overdue_waits_until_the_rest_is_read(life):
    """A service that has just begun does not know yet what came while it was down."""
    begun = datetime.now(UTC)
    with life(NOON) as (timetable, _):
        assert waits(timetable, begun, SETTLE)
        assert waits(timetable, begun, timedelta(minutes=1), "LOGS-01")


def test_the_room_on_the_disk_is_kept_for_detectors(life):
    """At the start, and then each hour."""
    with life(NOON, settle=timedelta()) as (timetable, _):
        timetable.look_after_evidence()
        with timetable._desk.db.reader() as cursor:
            ((at, total, free),) = cursor.execute(
                "SELECT DISTINCT looked_at, total_bytes, free_bytes > 0 FROM room"
            ).fetchall()
    assert (at, total > 0, free) == (NOON, True, True)
