"""What becomes of findings when records arrive: identity, growth, joining, splitting, voiding, closing."""

import pytest

from analytics.detector import load
from support.bench import CHAINS, Bench, at, bench, write_detector


def failed(*times, device="hsm1"):
    return [{"time": time, "device": device, "operation": "login", "outcome": "failed"} for time in times]


@pytest.fixture
def here(tmp_path):
    return bench(tmp_path)


def test_an_episode_opens_a_finding_with_its_evidence_and_one_alert(here):
    """A finding keeps the detector's digest, its parameters and the records; people are told once."""
    records = here.arrive(failed("10:00:00", "10:01:00"))
    (finding,) = here.findings()
    assert (finding.detector, finding.subject, finding.device, finding.severity, finding.state) == (
        "TEST-01",
        "failures on hsm1",
        "hsm1",
        "medium",
        "open",
    )
    assert finding.detector_sha256 == here.detectors[0].sha256
    assert finding.columns == {"failures": 2}
    assert finding.record_count == 2
    assert here.evidence(finding.id) == records
    assert here.alerts == [("opened", "medium", "failures on hsm1")]
    assert here.actions(finding.id) == ["opened"]


def test_growth_updates_in_silence_and_a_rise_is_told(here):
    """The second record changes nothing for people; the third makes it high."""
    for time in ("10:00:00", "10:01:00", "10:02:00", "10:03:00"):
        here.arrive(failed(time))
    (finding,) = here.findings()
    assert (finding.id, finding.severity, finding.columns) == (1, "high", {"failures": 4})
    assert here.alerts == [("opened", "medium", "failures on hsm1"), ("raised", "high", "failures on hsm1")]
    assert here.actions(1) == ["opened", "updated", "raised", "updated"]


def test_judging_again_changes_nothing(here):
    """A restart, an explicit run and a run over everything write no history and tell nobody."""
    here.arrive(failed("10:00:00", "10:01:00"))
    before = here.findings()
    here.begin_duty()
    here.judge()
    here.duty.run()
    here.duty.run(everything=True)
    assert here.findings() == before
    assert len(here.alerts) == 1
    assert here.actions(1) == ["opened"]


def test_a_late_record_joins_two_findings_into_the_older_one(here):
    """The younger one is superseded by it."""
    here.arrive(failed("10:00:00"))
    here.arrive(failed("10:15:00"))
    here.arrive(failed("10:08:00"))
    (finding,) = here.findings()
    (other,) = here.findings("superseded")
    assert (finding.id, finding.record_count, finding.severity) == (1, 3, "high")
    assert (other.id, other.superseded_by) == (2, 1)
    assert here.evidence(1) == [1, 2, 3]


def test_one_very_old_line_finds_its_own_place(here):
    """A line of last year neither touches today's finding nor is lost."""
    here.arrive(failed("10:00:00"))
    here.arrive(failed("2025-01-01 08:00", "10:05:00"))
    assert [(one.first_seen.year, one.record_count) for one in here.findings()] == [(2026, 2), (2025, 1)]


def test_a_long_chain_that_arrives_from_its_end_is_one_finding(here):
    """An episode far longer than looks_back is found whole: the window grows until nothing is cut off."""
    times = [f"{hour:02}:{minute:02}:00" for hour in range(4, 10) for minute in range(0, 60, 9)]
    for time in reversed(times):
        here.arrive(failed(time))
    (finding,) = here.findings()
    assert finding.record_count == len(times)
    assert (finding.first_seen.hour, finding.last_seen.hour) == (4, 9)


SPLITS = """
WITH marks AS (
    SELECT *, coalesce(sum(CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END) OVER (PARTITION BY device ORDER BY event_at), 0) AS streak
    FROM events WHERE event_at BETWEEN $window_start AND $window_end AND operation = 'login'
)
SELECT 'streak on ' || device AS subject, min(event_at) AS first_seen, max(event_at) AS last_seen,
    if(count(*) >= 3, 'critical', 'high') AS severity, list_sort(list(record_id)) AS evidence
FROM marks WHERE outcome = 'failed' GROUP BY device, streak
"""


def test_a_late_success_splits_a_streak(tmp_path):
    """The whole is superseded by its parts, linked, and nobody is told again."""
    here = bench(tmp_path, query=SPLITS)
    here.arrive(failed("10:00:00", "10:01:00", "10:03:00"))
    here.arrive([{"time": "10:02:00", "device": "hsm1", "operation": "login", "outcome": "ok"}])
    assert [(one.id, one.severity, one.record_count) for one in here.findings()] == [(2, "high", 2), (3, "high", 1)]
    (whole,) = here.findings("superseded")
    assert (whole.id, whole.superseded_by) == (1, 2)
    assert here.alerts == [("opened", "critical", "streak on hsm1")]


def test_the_parts_of_a_closed_streak_stay_closed(tmp_path):
    """Nothing is new in them but what explains them."""
    here = bench(tmp_path, query=SPLITS)
    here.arrive(failed("10:00:00", "10:01:00", "10:03:00"))
    here.close_finding(1, "false_alarm")
    here.arrive([{"time": "10:02:00", "device": "hsm1", "operation": "login", "outcome": "ok"}])
    assert [(one.state, one.disposition) for one in here.findings()] == [("closed", "false_alarm")] * 2
    assert len(here.alerts) == 1


VOIDED = """
SELECT 'gap on ' || device AS subject, min(event_at) AS first_seen, max(event_at) AS last_seen, list_sort(list(record_id)) AS evidence
FROM events WHERE event_at BETWEEN $window_start AND $window_end
GROUP BY device, date_trunc('hour', event_at) HAVING count(*) = 2
"""


def test_a_finding_that_later_records_explain_is_void_and_comes_back_in_silence(tmp_path):
    """Superseded without a successor; the same again is not told again."""
    here = bench(tmp_path, query=VOIDED, name="void")
    here.arrive(failed("10:00:00", "10:05:00"))
    here.arrive(failed("10:03:00"))
    (void,) = here.findings("superseded")
    assert (here.findings(), void.superseded_by) == ([], None)
    with here.db.transaction() as cursor:
        cursor.execute("UPDATE lines SET copy_of = 1 WHERE record_id = 3")
    here.duty.run(everything=True)
    assert [one.id for one in here.findings()] == [2]
    assert len(here.alerts) == 1


def test_a_closed_finding_that_reappears_unchanged_stays_closed(here):
    """A record beside it, judged again: it is as it was decided."""
    here.arrive(failed("10:00:00", "10:01:00"))
    here.close_finding(1, "false_alarm")
    here.arrive([{"time": "10:00:30", "device": "hsm1", "operation": "login", "outcome": "ok"}])
    (finding,) = here.findings()
    assert (finding.state, finding.disposition, len(here.alerts)) == ("closed", "false_alarm", 1)


def test_growth_after_closing_opens_it_again(here):
    """New evidence: people are told that it is back."""
    here.arrive(failed("10:00:00", "10:01:00"))
    here.close_finding(1, "expected")
    here.arrive(failed("10:02:00"))
    (finding,) = here.findings()
    assert (finding.id, finding.state, finding.disposition, finding.closed_at) == (1, "open", "", None)
    assert here.alerts[1:] == [("reopened", "high", "failures on hsm1")]
    assert here.actions(1)[-1] == "reopened"


def test_an_acknowledged_finding_grows_in_silence(here):
    """Its owner keeps it."""
    here.arrive(failed("10:00:00"))
    here.acknowledge(1)
    here.arrive(failed("10:02:00"))
    (finding,) = here.findings()
    assert (finding.state, finding.owner, finding.record_count, len(here.alerts)) == ("acknowledged", "admin", 2, 1)


def test_what_joins_an_open_finding_with_a_closed_one_is_open_and_not_told_as_new(here):
    """Open wins; the older number stays."""
    here.arrive(failed("10:00:00"))
    here.arrive(failed("10:15:00"))
    here.close_finding(1)
    here.arrive(failed("10:08:00"))
    (finding,) = here.findings()
    assert (finding.id, finding.state) == (1, "open")
    assert [reason for reason, *_ in here.alerts] == ["opened", "opened", "raised"]


def test_copies_are_no_new_evidence(here):
    """The same event by another path changes nothing, and is not even judged."""
    here.arrive(failed("10:00:00"))
    here.arrive([{**failed("10:00:00")[0], "copy_of": "1"}])
    assert [one.record_count for one in here.findings()] == [1]


def test_an_approved_change_lowers_by_one_step_and_keeps_its_ticket(here):
    """The window must hold the whole episode."""
    here.change("09:55:00", "10:10:00")
    here.arrive(failed("10:00:00", "10:05:00"))
    (finding,) = here.findings()
    assert (finding.severity, finding.change_ticket) == ("low", "CHG-1")
    here.arrive(failed("10:12:00"))
    (finding,) = here.findings()
    assert (finding.severity, finding.change_ticket) == ("high", "")
    assert here.alerts == [("opened", "low", "failures on hsm1"), ("raised", "high", "failures on hsm1")]


def test_a_change_that_is_recorded_afterwards_lowers_without_an_alert(here):
    """And one on another device does not."""
    here.arrive(failed("10:00:00"))
    here.change("09:00:00", "11:00:00", device="hsm2")
    assert here.duty.rejudge("hsm2", *_span()) == 0
    here.change("09:00:00", "11:00:00")
    assert here.duty.rejudge("hsm1", *_span()) == 1
    (finding,) = here.findings()
    assert (finding.severity, finding.change_ticket, len(here.alerts)) == ("low", "CHG-1", 1)


def _span():
    from support.bench import at

    return at("09:00:00"), at("11:00:00")


@pytest.mark.parametrize(
    ("policy", "kind", "severity"),
    [
        ("never", "change", "medium"),
        ("decommission", "change", "medium"),
        ("decommission", "decommission", "info"),
        ("lower", "decommission", "low"),
    ],
)
def test_the_header_says_which_windows_lower(tmp_path, policy, kind, severity):
    """Some detectors are never lowered, some only by a decommission, and then to info."""
    here = bench(tmp_path, more=f'in_change_window = "{policy}"')
    here.change("09:00:00", "11:00:00", kind=kind)
    here.arrive(failed("10:00:00"))
    assert [one.severity for one in here.findings()] == [severity]


@pytest.mark.parametrize(("says", "severity"), [("never", "medium"), ("", "low")])
def test_an_episode_may_say_that_no_window_lowers_it(tmp_path, says, severity):
    """A column of the result goes before the header; one that says nothing leaves it."""
    query = CHAINS.replace(" device,", f" device, '{says}' AS in_change_window,", 1)
    here = bench(tmp_path, query=query)
    here.change("09:00:00", "11:00:00")
    here.arrive(failed("10:00:00"))
    assert [one.severity for one in here.findings()] == [severity]
    assert [one.severity for one in here.duty.try_out("TEST-01", at("09:00:00"), at("11:00:00"))] == [severity]
    assert [one.columns for one in here.findings()] == [{"failures": 1}]


def test_a_word_that_is_no_policy_is_told(tmp_path):
    """The run fails and says which."""
    here = bench(tmp_path, query=CHAINS.replace(" device,", " device, 'always' AS in_change_window,", 1))
    here.arrive(failed("10:00:00"))
    assert here.ask("SELECT state, error FROM runs") == [("failed", "'always' is no in_change_window")]


def test_a_new_device_is_let_off_for_its_first_week(tmp_path):
    """Only where the header says so, and only for seven days."""
    here = bench(tmp_path, more='on_new_device = "lower"')
    here.put("devices", "name | profile | since\nhsm1 | new | 2026-11-20 00:00")
    here.arrive(failed("10:00:00", "2026-11-28 10:00"))
    assert [one.severity for one in here.findings()] == ["low", "medium"]


def test_what_is_allowed_opens_nothing_and_is_counted(here):
    """An allowance matches result columns, within its days of event time."""
    with here.db.transaction() as cursor:
        cursor.execute(
            """INSERT INTO suppressions VALUES (1, 'TEST-01', '{"device": "hsm1", "failures": 1}', 'tests', 'admin',
               '2026-11-01', '2026-11-30', 'admin')"""
        )
    here.arrive(failed("10:00:00"))
    here.arrive(failed("10:00:00", device="hsm2"))
    here.arrive(failed("2026-12-05 10:00"))
    assert [(one.device, one.first_seen.month) for one in here.findings()] == [("hsm2", 11), ("hsm1", 12)]
    assert here.ask("SELECT max(suppressed) FROM runs") == [(1,)]


@pytest.mark.parametrize(
    ("sources", "findings"), [("['192.0.2.60']", 0), ("['192.0.2.60', '192.0.2.61']", 1), ("[]", 1)]
)
def test_a_list_is_allowed_when_it_holds_nothing_else(tmp_path, sources, findings):
    """One more source, or none at all, is not what somebody has allowed."""
    here = bench(tmp_path, query=CHAINS.replace(" device,", f" device, CAST({sources} AS VARCHAR[]) AS sources,", 1))
    with here.db.transaction() as cursor:
        cursor.execute(
            """INSERT INTO suppressions VALUES (1, 'TEST-01', '{"sources": "192.0.2.60"}', 'tests', 'admin',
               '2026-11-01', '2026-11-30', 'admin')"""
        )
    here.arrive(failed("10:00:00"))
    assert len(here.findings()) == findings


def test_only_what_the_detector_watches_makes_it_run(tmp_path):
    """Other records are not judged, and the ledger says that they were looked at."""
    here = bench(tmp_path, more="watches = \"operation = 'login'\"")
    here.arrive([{"time": "10:00:00", "device": "hsm1", "operation": "key_use"}])
    assert here.ask("SELECT state, to_position, window_start FROM runs") == [("filled", 1, None)]


def test_rows_of_one_subject_that_overlap_are_one_finding(tmp_path):
    """Otherwise none could be told from the other at the next run."""
    query = """
    SELECT 'one' AS subject, event_at AS first_seen, event_at + INTERVAL 5 MINUTE AS last_seen, [record_id] AS evidence
    FROM events WHERE event_at BETWEEN $window_start AND $window_end"""
    here = bench(tmp_path, query=query)
    here.arrive(failed("10:00:00", "10:04:00", "10:20:00"))
    assert [one.record_count for one in here.findings()] == [2, 1]


def test_a_row_without_severity_is_no_finding_but_says_how_far_a_streak_reaches(tmp_path):
    """Six failures, each near the end of what is looked at, are counted from the first."""
    query = """
    WITH steps AS (
        SELECT *, coalesce(event_at - lag(event_at) OVER (ORDER BY event_at) > $looks_back, true) AS begins
        FROM events WHERE event_at BETWEEN $window_start AND $window_end
    ), runs AS (SELECT *, count_if(begins) OVER (ORDER BY event_at) AS run FROM steps)
    SELECT 'streak' AS subject, min(event_at) AS first_seen, max(event_at) AS last_seen,
        if(count(*) >= 6, 'high', NULL) AS severity, list(record_id) AS evidence
    FROM runs GROUP BY run"""
    here = bench(tmp_path, query=query)
    for minute in range(0, 54, 9):
        here.arrive(failed(f"10:{minute:02}:00"))
    assert [one.record_count for one in here.findings()] == [6]


def test_two_detectors_do_not_mix_their_findings(tmp_path):
    """Same subject, same time: each has its own."""
    paths = [write_detector(tmp_path), write_detector(tmp_path, name="other", id="TEST-02")]
    here = Bench([load(path) for path in paths])
    here.arrive(failed("10:00:00"))
    here.arrive(failed("10:01:00"))
    assert [one.detector for one in here.findings()] == ["TEST-01", "TEST-02"]
