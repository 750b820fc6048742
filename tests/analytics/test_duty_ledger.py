"""When detectors run, what the ledger says of it, and what happens when one fails."""

import threading
from datetime import timedelta

import pytest

from analytics.asking import CannotJudge
from analytics.detector import Detectors, Override, load, load_all
from analytics.duty import Duty, Limits
from support.bench import NOON, STATE, Bench, at, bench, in_memory, write_detector

FAILED = [{"time": "10:00:00", "device": "hsm1", "operation": "login", "outcome": "failed"}]
OFF = [{"time": "10:00:00", "device": "hsm1", "setting": "ipcheck", "value": "off"}]
ON = [{"time": "10:05:00", "device": "hsm1", "setting": "ipcheck", "value": "on"}]
BROKEN = """
SELECT device AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence
FROM events WHERE event_at BETWEEN $window_start AND $window_end AND CAST(message AS INTEGER) > 0"""
ENDLESS = """
SELECT 'x' AS subject, $window_start AS first_seen, $window_end AS last_seen, CAST([count(*)] AS UBIGINT[]) AS evidence
FROM events, range(3000000) AS a, range(3000000) AS b WHERE hash(a.range, b.range, event_at) = 7"""


def runs(here):
    return here.ask(
        "SELECT detector, state, from_position, to_position, times, error FROM runs ORDER BY started_at, detector"
    )


def test_live_runs_that_follow_one_another_are_one_row(tmp_path):
    """The first is filled (the detector is new), the rest count up, across a restart too."""
    here = bench(tmp_path)
    here.arrive(FAILED)
    here.arrive(FAILED)
    here.arrive(FAILED)
    here.begin_duty()
    here.arrive(FAILED)
    assert runs(here) == [("TEST-01", "filled", 0, 1, 1, ""), ("TEST-01", "ran", 1, 4, 3, "")]


def test_nothing_new_means_that_no_live_detector_runs(tmp_path):
    """Looking twice writes nothing."""
    here = bench(tmp_path)
    here.arrive(FAILED)
    assert here.judge() == []
    assert len(runs(here)) == 1


def test_a_detector_that_fails_delays_nobody_and_catches_up(tmp_path):
    """Its error is in the ledger once, it rests, and what it missed is filled."""
    paths = [write_detector(tmp_path, BROKEN, name="broken"), write_detector(tmp_path, name="whole", id="TEST-02")]
    here = Bench([load(path) for path in paths])
    here.arrive([{**FAILED[0], "message": "no number"}])
    assert [one.detector for one in here.findings()] == ["TEST-02"]
    (broken, _) = runs(here)
    assert broken[:5] == ("TEST-01", "failed", 0, 1, 1)
    assert "Could not convert string 'no number'" in broken[5]
    with here.db.transaction() as cursor:
        cursor.execute("UPDATE lines SET message = '7'")
    assert here.judge() == []
    here.now += timedelta(minutes=10)
    here.judge()
    assert [one.detector for one in here.findings()] == ["TEST-02", "TEST-01"]
    assert runs(here)[-1][:4] == ("TEST-01", "filled", 0, 1)


def test_failures_of_the_same_are_one_row(tmp_path):
    """A detector that fails all night fills no ledger."""
    here = bench(tmp_path, query=BROKEN)
    here.arrive([{**FAILED[0], "message": "no number"}])
    for _ in range(3):
        here.now += timedelta(hours=1)
        here.judge()
    assert [row[:5] for row in runs(here)] == [("TEST-01", "failed", 0, 1, 4)]


def test_a_detector_that_takes_too_long_is_stopped(tmp_path):
    """Its time is up, and the ledger says so."""
    here = bench(tmp_path, query=ENDLESS)
    here.begin_duty(limits=Limits(seconds=0.2, seconds_for_history=0.2))
    here.arrive(FAILED)
    assert runs(here)[0][5] == "took longer than 0.2 s"


def test_an_alert_leaves_before_the_next_detector_is_asked(tmp_path):
    """Whoever sends is told at once, not after all have been asked."""
    paths = [write_detector(tmp_path), write_detector(tmp_path, ENDLESS, name="endless", id="TEST-02")]
    here, judged = Bench([load(path) for path in paths]), []
    limits = Limits(seconds=0.2, seconds_for_history=0.2)
    here.begin_duty(limits=limits, on_told=lambda: judged.append([run[0] for run in runs(here)]))
    here.arrive(FAILED)
    assert judged == [["TEST-01"]]
    assert [run[0] for run in runs(here)] == ["TEST-01", "TEST-02"]


def test_a_scheduled_detector_holds_up_no_live_one(tmp_path):
    """A question about a year may take its time; a wrong secret is judged meanwhile."""
    paths = [write_detector(tmp_path), write_detector(tmp_path, ENDLESS, name="endless", id="TEST-02", every="1h")]
    here, asked = Bench([load(path) for path in paths]), threading.Event()
    here.arrive(FAILED, judge=False)

    def now():
        if threading.current_thread() is asking:
            asked.set()
        return here.now

    duty = Duty(here.db, here.detectors, now, limits=Limits(seconds_for_history=5.0))
    asking = threading.Thread(target=duty.run, args=(["TEST-02"],))
    asking.start()
    assert asked.wait(60)
    assert [run.detector for run in duty.judge_arrivals()] == ["TEST-01"]
    assert asking.is_alive()
    asking.join()
    assert runs(here)[-1][1] == "failed"


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        (
            "'' AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence",
            "a row without subject",
        ),
        (
            "'x' AS subject, event_at AS first_seen, event_at - INTERVAL 1 DAY AS last_seen, [record_id] AS evidence",
            "none",
        ),
        (
            "'x' AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence, 'bad' AS severity",
            "'bad'",
        ),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(tmp_path, columns, what):
    """It opens no finding that nobody could read."""
    here = bench(tmp_path, query=f"SELECT {columns} FROM events WHERE event_at BETWEEN $window_start AND $window_end")
    here.arrive(FAILED)
    assert here.findings() == []
    assert what in runs(here)[0][5]


def test_a_new_version_judges_what_was_there_before(tmp_path):
    """What the old version found and the new one does not is superseded."""
    here = bench(tmp_path)
    here.arrive(FAILED)
    here.detectors = [load(write_detector(tmp_path, CHANGED))]
    here.begin_duty()
    here.judge()
    assert [one.subject for one in here.findings()] == ["new words on hsm1"]
    assert here.findings("superseded")[0].superseded_by == 2
    assert len(here.alerts) == 1, "the same records were told before"
    assert [row[1] for row in runs(here)] == ["filled", "filled"]


CHANGED = """
SELECT 'new words on ' || device AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence
FROM events WHERE event_at BETWEEN $window_start AND $window_end"""


def test_scheduled_detectors_are_due_when_their_time_has_come(tmp_path):
    """Live ones never are; a new one is at once."""
    paths = [write_detector(tmp_path, every="5m"), write_detector(tmp_path, name="other", id="TEST-02")]
    here = Bench([load(path) for path in paths])
    assert here.duty.until_due(here.now) == {"TEST-01": timedelta()}
    (run,) = here.duty.run(["TEST-01"])
    assert (run.detector, run.state, run.findings, run.error) == ("TEST-01", "ran", 0, "")
    assert here.duty.until_due(here.now + timedelta(minutes=4)) == {"TEST-01": timedelta(minutes=1)}
    assert here.duty.until_due(here.now + timedelta(minutes=5)) == {"TEST-01": timedelta()}
    assert here.duty.until_due(here.now + timedelta(days=5)) == {"TEST-01": timedelta()}
    here.begin_duty()
    assert here.duty.until_due(here.now + timedelta(minutes=4)) == {"TEST-01": timedelta(minutes=1)}


def test_run_judges_the_whole_store_when_it_never_ran(tmp_path):
    """`detectors run` on a store that was filled while nobody judged."""
    here = bench(tmp_path, every="1h")
    here.arrive(FAILED)
    here.arrive(FAILED)
    assert here.findings() == []
    (run,) = here.duty.run()
    assert (run.state, run.from_position, run.to_position, run.findings) == ("filled", 0, 2, 1)


def test_a_detector_that_is_switched_off_is_not_on_duty(tmp_path):
    """The site's configuration says so."""
    write_detector(tmp_path, id="TEST-01", every="5m")
    detectors = load_all([tmp_path], {"TEST-01": Override(enabled=False)})
    assert isinstance(detectors, Detectors)
    duty = Duty(in_memory(), detectors, lambda: NOON)
    assert "TEST-01" not in duty.until_due(NOON)
    assert duty.run(["TEST-01"]) == []
    assert {run.detector for run in duty.run()} == {detector.id for detector in detectors} - {"TEST-01"}
    assert "TEST-01" in {detector.id for detector in duty.detectors}, "packs name what is switched off"


def test_a_site_sets_parameters_and_severity(tmp_path):
    """Its severity holds over the detector's own words, its parameters go into the finding."""
    query = """
    SELECT 'x' AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence, 'low' AS severity
    FROM events WHERE event_at BETWEEN $window_start AND $window_end AND NOT list_contains(map_keys($limits), role) AND $most > 0"""
    more = '[parameters]\nmost = { default = 3, why = "x" }\nlimits = { default = { po = 1, co = 2 }, why = "x" }'
    write_detector(tmp_path, query, more=more)
    given = {"TEST-01": Override(severity="critical", parameters={"most": 5, "limits": {"co": 9}})}
    here = Bench([load_all([tmp_path], given).get("TEST-01")])
    here.arrive(FAILED)
    (finding,) = here.findings()
    assert (finding.severity, finding.parameters) == ("critical", {"most": 5, "limits": {"po": 1, "co": 9}})
    header = here.detectors[0].header()
    assert header["severity"] == "critical"
    assert header["parameters"]["most"] == {"default": 3, "why": "x", "value": 5}


def test_a_state_opens_and_is_cleared_when_it_is_over(tmp_path):
    """Cleared by itself, and a finding of its own when it comes back."""
    here = bench(tmp_path, query=STATE, kind="state")
    here.arrive(OFF)
    here.judge()
    assert [(one.state, one.columns) for one in here.findings()] == [("open", {"value": "off"})]
    here.arrive(ON)
    (finding,) = here.findings()
    assert (finding.state, finding.disposition, finding.closed_at) == ("closed", "cleared", here.now)
    here.arrive([{**OFF[0], "time": "10:10:00"}])
    assert [(one.id, one.state) for one in here.findings()] == [(1, "closed"), (2, "open")]
    assert [reason for reason, *_ in here.alerts] == ["opened", "opened"]


def test_a_state_that_people_closed_stays_closed_while_it_lasts(tmp_path):
    """Only when it begins anew it is found again."""
    here = bench(tmp_path, query=STATE, kind="state")
    here.arrive(OFF)
    here.close_finding(1)
    here.judge()
    assert [one.state for one in here.findings()] == ["closed"]
    here.now = at("13:00:00")
    here.arrive([{**OFF[0], "time": "12:30:00"}])
    assert [(one.id, one.state) for one in here.findings()] == [(1, "closed"), (2, "open")]


def test_a_closed_state_with_new_evidence_opens_again(tmp_path):
    """It was told to have been so before it was closed, by a line that nobody had then."""
    here = bench(tmp_path, query=STATE, kind="state")
    here.arrive(OFF)
    here.close_finding(1)
    here.arrive([{**OFF[0], "time": "10:30:00"}])
    assert [(one.id, one.state) for one in here.findings()] == [(1, "open")]
    assert here.alerts[-1][0] == "reopened"


def test_a_state_is_judged_at_the_moment_up_to_which_all_is_stored(tmp_path):
    """While the loader lags, nothing is said about the time that it has not reached."""
    here = bench(tmp_path, query=STATE, kind="state")
    here.begin_duty(complete_until=lambda: at("09:59:00"))
    here.arrive(OFF)
    assert here.findings() == []
    here.begin_duty(complete_until=lambda: at("10:30:00"))
    here.judge()
    assert [one.last_seen for one in here.findings()] == [at("10:30:00")]


def test_a_change_window_that_ends_raises_a_state(tmp_path):
    """Inside it is lower; what lasts longer than approved is told."""
    here = bench(tmp_path, query=STATE, kind="state")
    here.change("09:00:00", "12:10:00")
    here.arrive(OFF)
    assert [one.severity for one in here.findings()] == ["low"]
    here.now = at("12:11:00")
    here.judge()
    assert [one.severity for one in here.findings()] == ["medium"]
    assert [reason for reason, *_ in here.alerts] == ["opened", "raised"]


def test_rejudging_goes_on_when_a_detector_fails(tmp_path, caplog):
    """One bad detector does not keep an approved change from counting for the others."""
    paths = [write_detector(tmp_path, BROKEN, name="broken"), write_detector(tmp_path, name="whole", id="TEST-02")]
    here = Bench([load(path) for path in paths])
    here.arrive([{**FAILED[0], "message": "no number"}])
    here.change("09:00:00", "11:00:00")
    assert here.duty.rejudge("hsm1", at("09:00:00"), at("11:00:00")) == 1
    assert "rejudging_failed" in caplog.text


def test_trying_shows_what_differs_and_writes_nothing(tmp_path):
    """New, same, changed and gone, beside the findings that are there."""
    here = bench(tmp_path)
    here.arrive(FAILED)
    here.arrive([{**FAILED[0], "device": "hsm2"}])
    here.arrive([{**FAILED[0], "device": "hsm3"}])
    before = here.findings()
    here.arrive([{**FAILED[0], "time": "10:01:00", "device": "hsm2"}, {**FAILED[0], "device": "hsm4"}], judge=False)
    with here.db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO meanings SELECT * REPLACE (meaning + 1000 AS meaning, 'ok' AS outcome) FROM meanings"
        )
        cursor.execute(
            "UPDATE lines SET meaning = meaning + 1000 FROM origins"
            " WHERE lines.origin = origins.origin AND device = 'hsm3'"
        )
    tried = here.duty.try_out("TEST-01", at("09:00:00"), at("11:00:00"))
    assert [(one.difference, one.episode.device, one.severity) for one in tried] == [
        ("same", "hsm1", "medium"),
        ("changed", "hsm2", "medium"),
        ("gone", "hsm3", "medium"),
        ("new", "hsm4", "medium"),
    ]
    assert here.findings() == before


CAME_AND_WENT = STATE.replace("event_at <= $window_end", "event_at > $judged_until AND event_at <= $window_end")


def test_trying_a_state_judges_the_moment_of_its_last_judgement(tmp_path):
    """What it says then is what it said, however much later it is tried; one that never ran is judged at the end."""
    here = bench(tmp_path, query=STATE, kind="state", every="5m")
    here.arrive(OFF, judge=False)
    assert [one.difference for one in here.duty.try_out("TEST-01", at("08:00:00"), at("11:00:00"))] == ["new"]
    here.duty.run()
    for until in ("12:30:00", "23:00:00"):
        assert [one.difference for one in here.duty.try_out("TEST-01", at("08:00:00"), at(until))] == ["same"]
    here.begin_duty()
    assert [one.difference for one in here.duty.try_out("TEST-01", at("22:00:00"), at("23:00:00"))] == ["same"]


def test_trying_a_state_knows_what_came_and_went(tmp_path):
    """It was off between two judgements: found by the first of them, closed by the second, and no difference."""
    here = bench(tmp_path, query=CAME_AND_WENT, kind="state", every="5m")
    here.duty.run()
    here.arrive([{**OFF[0], "time": "12:00:10"}], judge=False)
    for now in ("12:00:30", "12:01:00"):
        here.now = at(now)
        here.duty.run()
    assert [one.disposition for one in here.findings()] == ["cleared"]
    assert [one.difference for one in here.duty.try_out("TEST-01", at("08:00:00"), here.now)] == ["same"]


def test_trying_says_what_is_allowed_and_what_waits(tmp_path):
    """What an allow-list hides opens no finding and is no difference; batches that nobody judged are counted."""
    here = bench(tmp_path)
    here.put(
        "suppressions",
        """
        detector | match                     | owner | reason | starts_at        | ends_at
        TEST-01  | {"device": "hsm1"}        | ops   | drill  | 2026-11-01 00:00 | 2026-12-01 00:00
        """,
    )
    assert here.duty.waiting("TEST-01") == 0
    here.arrive(FAILED)
    assert [one.difference for one in here.duty.try_out("TEST-01", at("09:00:00"), at("11:00:00"))] == ["allowed"]
    here.arrive([{**FAILED[0], "device": "hsm2"}], judge=False)
    assert here.duty.waiting("TEST-01") == 1


def test_trying_says_when_the_detector_cannot_answer(tmp_path):
    """The same error that the ledger would have."""
    here = bench(tmp_path, query=BROKEN)
    here.arrive([{**FAILED[0], "message": "no number"}], judge=False)
    with pytest.raises(CannotJudge, match="Could not convert"):
        here.duty.try_out("TEST-01", at("09:00:00"), at("11:00:00"))
