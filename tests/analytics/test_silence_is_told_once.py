"""LOGS-01 on duty: a silence is told once, whether somebody looked while it lasted, afterwards, or not at all."""

from datetime import timedelta

import pytest

from analytics.detector import load_all
from support.bench import Bench, at

DEVICES = "name | since\nhsm1 | 2024-03-04 00:00"
CUSTODY = "minute | listener\n2026-11-01 00:00 | udp"


@pytest.fixture
def here():
    """One device, heard at nine, and a receiver that always listens."""
    bench = Bench([load_all().get("LOGS-01")])
    bench.put("devices", DEVICES)
    bench.put("custody", CUSTODY)
    heard(bench, "09:00:00")
    judge(bench, "09:00:30")
    return bench


def heard(bench, *times):
    bench.arrive([{"time": time, "device": "hsm1", "family": "lunash"} for time in times], judge=False)


def judge(bench, time):
    bench.now = at(time)
    bench.duty.run(["LOGS-01"])


def test_a_silence_that_is_seen_while_it_lasts(here):
    """One alert, and the finding closes itself when the device is back."""
    judge(here, "09:16:00")
    judge(here, "09:20:00")
    heard(here, "09:20:30")
    for minute in range(21, 24):
        judge(here, f"09:{minute}:00")
    assert here.alerts == [("opened", "critical", "hsm1")]
    assert [(one.state, one.disposition) for one in here.findings()] == [("closed", "cleared")]


def test_a_silence_that_nobody_saw(here):
    """The service was down while it began and ended: one alert after the start, with the true span."""
    heard(here, "09:05:00", "11:00:00", "11:10:00")
    here.begin_duty()
    for minute in range(15, 18):
        judge(here, f"11:{minute}:00")
    assert here.alerts == [("opened", "critical", "hsm1 from 2026-11-23 09:05")]
    (found,) = here.findings()
    assert (found.first_seen, found.last_seen, found.state) == (at("09:05:00"), at("11:00:00"), "closed")


def test_a_change_that_is_recorded_between_two_judgements_tells_nothing_twice(here):
    """Judging a span again looks as far back as the judgement before, and does not count as one."""
    heard(here, "09:30:00")
    here.now = at("09:31:00")
    here.duty.rejudge("hsm1", here.now - timedelta(hours=1), here.now)
    judge(here, "09:32:00")
    judge(here, "09:33:00")
    assert here.alerts == [("opened", "critical", "hsm1 from 2026-11-23 09:00")]
