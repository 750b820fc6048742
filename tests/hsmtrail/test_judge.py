"""The thread of the live detectors: it judges what arrives, rests as long as it should, and outlives a failure."""

import threading
import time
from itertools import count

import pytest

from hsmtrail.judge import BREATH, LONGEST_REST, Judge, News, rest_after
from support.bench import bench
from support.installation import eventually

FAILED = [{"time": "10:00:00", "device": "hsm1", "operation": "login", "outcome": "failed"}]


@pytest.mark.parametrize(
    ("took", "rest"), [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5), (0.6, 2.4), (1.0, 4.0), (2.5, 5.0), (600.0, 5.0)]
)
def test_how_long_it_rests(took, rest):
    """To the end of the second; four times as long as a long judgement took; never so long that a person hears too late."""
    assert rest_after(took) == pytest.approx(rest)


def test_a_flood_cannot_keep_a_password_from_people():
    """A minute from the line to a person: the longest rest leaves most of it to judging and to the mail."""
    assert max(rest_after(tenth / 10) for tenth in range(1000)) == LONGEST_REST <= 60 / 10
    assert min(tenth / 10 + rest_after(tenth / 10) for tenth in range(1000)) == BREATH


@pytest.fixture
def start(tmp_path):
    """Starts a judge over a store with one detector; gives the bench, the news, when each judgement was over, and it."""
    judges = []

    def begin(**options):
        here, news, over = bench(tmp_path), News(), []
        judges.append(Judge(here.duty, news, lambda: over.append(time.monotonic()), **options))
        judges[0].start()
        eventually(lambda: len(over) == 1)
        return here, news, over, judges[0]

    yield begin
    for judge in judges:
        judge.stop()


def test_what_arrived_is_judged(start):
    """Also what came before it started: it looks once by itself."""
    here, news, over, _ = start(breath=0.0)
    here.arrive(FAILED, judge=False)
    news.tell()
    eventually(lambda: len(over) == 2)
    assert [finding.subject for finding in here.findings()] == ["failures on hsm1"]


def test_a_long_judgement_is_followed_by_a_rest(start):
    """By its clock each one takes 0.15 s: the next begins 0.3 s later at the earliest, whatever arrives."""
    ticks = count()
    _, news, over, _ = start(breath=0.0, clock=lambda: next(ticks) * 0.15)
    for judged in (2, 3):
        news.tell()
        eventually(lambda judged=judged: len(over) == judged)
        assert over[-1] - over[-2] >= 0.3


def test_what_is_urgent_ends_a_rest(start):
    """A wrong secret does not wait for an hour's rest to be over; anything else does."""
    here, news, over, _ = start(breath=3600.0)
    here.arrive(FAILED, judge=False)
    news.tell()
    assert not news.urgent.wait(0.2)
    assert (len(over), here.findings()) == (1, [])
    news.tell(urgent=1)
    eventually(lambda: len(over) == 2)
    assert [finding.subject for finding in here.findings()] == ["failures on hsm1"]


def test_what_is_urgent_lets_half_of_the_time_to_storing(start):
    """By its clock each judgement takes 0.3 s: so long it rests, whatever is urgent."""
    ticks = count()
    _, news, over, _ = start(breath=3600.0, clock=lambda: next(ticks) * 0.3)
    for judged in (2, 3):
        news.tell(urgent=1)
        eventually(lambda judged=judged: len(over) == judged)
        assert over[-1] - over[-2] >= 0.3


def test_a_flood_does_not_hold_up_what_is_urgent(start):
    """A wrong secret that is stored is judged, however much waits."""
    here, news, over, _ = start(breath=0.0, flooded=lambda: True)
    here.arrive(FAILED, judge=False)
    news.tell(urgent=1)
    eventually(lambda: len(over) == 2)
    assert here.findings()


def test_a_flood_is_stored_first(start):
    """While more waits than is stored at once nobody judges; when it is over, what arrived is judged once."""
    flooded = threading.Event()
    here, news, over, _ = start(breath=0.0, flooded=flooded.is_set)
    flooded.set()
    for _ in range(3):
        here.arrive(FAILED, judge=False)
        news.tell()
    assert not here.findings()
    flooded.clear()
    eventually(lambda: len(over) == 2)
    assert len(here.findings()) == 1


def test_a_flood_without_end_is_judged_too(start, monkeypatch):
    """The longest hold is a bound."""
    monkeypatch.setattr("hsmtrail.judge.LONGEST_HOLD", 0.2)
    _, news, over, _ = start(breath=0.0, flooded=lambda: True)
    for judged in (2, 3):
        news.tell()
        eventually(lambda judged=judged: len(over) == judged)


def test_a_rest_ends_with_the_service(start):
    """Nobody waits for it, were it an hour."""
    judge = start(breath=3600.0)[3]
    began = time.monotonic()
    judge.stop()
    assert time.monotonic() - began < 60


def test_one_that_fails_is_logged_and_the_next_is_judged(start, caplog):
    """A store that cannot be read for a while ends no thread."""
    here, news, over, _ = start(breath=0.0)
    with here.db.transaction() as cursor:
        cursor.execute("ALTER TABLE batches RENAME TO gone")
    news.tell()
    eventually(lambda: len(over) == 2)
    assert [record.getMessage() for record in caplog.records] == ["judging_failed"]
    with here.db.transaction() as cursor:
        cursor.execute("ALTER TABLE gone RENAME TO batches")
    here.arrive(FAILED, judge=False)
    news.tell()
    eventually(here.findings)
