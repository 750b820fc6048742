"""Every detector proves itself on its own cases; and the format of cases says what is wrong."""

from collections import Counter

import pytest

from analytics.cases import CasesError, cases_path, read_cases, run_case, run_cases
from analytics.detector import load, load_all
from analytics.state import GONE, MOMENTARY
from support.bench import write_detector

DETECTORS = load_all(thorough=True)
CASES = [(detector, case) for detector in DETECTORS for case in read_cases(cases_path(detector))]


def test_all_built_in_detectors_can_be_read():
    """No mistake in any of them."""
    assert [str(mistake) for mistake in DETECTORS.mistakes] == []


@pytest.mark.parametrize(("detector", "case"), CASES, ids=[f"{detector.id}: {case.name}" for detector, case in CASES])
def test_case(detector, case):
    """What must be found is found, and nothing else; records that are not watched do not matter."""
    assert run_case(detector, case).trouble == ""


@pytest.mark.parametrize("detector", DETECTORS.all, ids=lambda detector: detector.id)
def test_a_detector_has_cases_of_both_kinds(detector):
    """At least six, with names of their own: at least half of them find nothing, or say what is none."""
    cases = read_cases(cases_path(detector))
    assert len(cases) >= 6
    assert max(Counter(case.name for case in cases).values()) == 1
    quiet = sum(not case.expect for case in cases)
    assert quiet >= 3
    assert quiet * 3 >= len(cases)


@pytest.mark.parametrize("detector", DETECTORS.all, ids=lambda detector: detector.id)
def test_the_words_around_a_detector(detector):
    """It says what it cannot see; each runbook has numbered steps and names a column of the result."""
    columns = {name for case in read_cases(cases_path(detector)) for row in case.expect for name in row}
    assert detector.written["blind_spots"].strip().endswith(".")
    assert detector.runbook.startswith("1. ")
    assert any(f"`{name}`" in detector.runbook for name in columns)
    assert detector.written["recommendations"]
    assert detector.written["attack"]["version"] == "19"


def test_drift_and_baseline_agree_on_what_is_gone_and_what_passes():
    """The detector's parameters are those that `baseline approve` goes by."""
    drift = DETECTORS.get("CONF-07")
    assert drift.parameters["gone"] == list(GONE)
    assert drift.parameters["ignore"] == list(MOMENTARY)


CASE = '''
[[case]]
name = "a failure"
events = """
time | device | operation | outcome
10:00:00 | hsm1 | login | failed
"""
expect = """
{expect}
"""
{more}
'''


def cases_of(folder, expect="subject\nfailures on hsm1", more="", text=None, **options):
    path = write_detector(folder, **options)
    path.with_suffix(".cases.toml").write_text(text if text is not None else CASE.format(expect=expect, more=more))
    return run_cases(load(path))


def test_a_case_compares_only_the_columns_it_names(tmp_path):
    """Also how many records are evidence, which, and when it was seen."""
    (result,) = cases_of(tmp_path, "records | evidence | last_seen | severity\n1 | 1 | 10:00:00 | medium")
    assert (result.name, result.passed, result.trouble) == ("a failure", True, "")


@pytest.mark.parametrize(
    ("expect", "more", "trouble"),
    [
        ("", "", "not expected: failures on hsm1 | 2026-11-23T10:00:00.000000Z | 2026-11-23T10:00:00.000000Z"),
        ("subject\nfailures on hsm2", "", "missing: failures on hsm2; not expected: failures on hsm1"),
        ("subject | wishes\nfailures on hsm1 | 3", "", "no such column: wishes"),
        ("subject | failures\nfailures on hsm1", "", "has 1 cells, not 2"),
        ("subject\nfailures on hsm1", "parameters = { most = 3 }", "no such parameter: most"),
        ("subject\nfailures on hsm1", "wishes = 3", "case 'a failure': wishes is no key of a case"),
        ("subject\nfailures on hsm1", 'devices = """\nwishes\n3\n"""', "devices: no such column: wishes"),
        ("subject\nfailures on hsm1", 'at = "noon"', "Invalid isoformat string"),
    ],
)
def test_a_case_that_fails_says_what_was_different(tmp_path, expect, more, trouble):
    """In one line."""
    (result,) = cases_of(tmp_path, expect, more)
    assert not result.passed
    assert trouble in result.trouble


def test_a_detector_without_cases_says_so(tmp_path):
    """As a result, so that `detectors test` fails."""
    (result,) = run_cases(load(write_detector(tmp_path)))
    assert (result.passed, result.trouble) == (
        False,
        "something.cases.toml is not there: a detector has at least one case",
    )
    with pytest.raises(CasesError):
        read_cases(tmp_path / "something.cases.toml")


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("[[case]]", "'name' is missing"),
        ("case = ", "something.cases.toml: Invalid"),
        ('[[case]]\nname = "x"\nexpect = ""\nevents = """\ndevice\nhsm1\n"""', "'event_at' is missing"),
    ],
)
def test_a_file_of_cases_that_is_wrong_says_where(tmp_path, text, trouble):
    """With the file's name."""
    (result,) = cases_of(tmp_path, text=text)
    assert trouble in result.trouble


def test_a_case_of_a_state_wants_its_moment(tmp_path):
    """A state is judged at a moment, never at none."""
    query = """
    SELECT device AS subject, event_at AS first_seen, $window_end AS last_seen, [record_id] AS evidence
    FROM events WHERE event_at BETWEEN $window_start AND $window_end"""
    (result,) = cases_of(tmp_path, query=query, kind="state")
    assert result.trouble == "a case of a state wants `at`, the moment at which it is judged"


def test_a_case_finds_out_that_unwatched_records_matter(tmp_path):
    """`watches` must name every record that can change the answer."""
    (result,) = run_watching(tmp_path)
    assert result.trouble.startswith("records that it does not watch matter: missing: failures on hsm1")


def run_watching(folder):
    path = write_detector(folder, more="watches = \"operation = 'logout'\"")
    path.with_suffix(".cases.toml").write_text(CASE.format(expect="subject\nfailures on hsm1", more=""))
    return run_cases(load(path))


def test_values_are_shown_as_people_write_them(tmp_path):
    """Yes and no, nothing, lists, times and spans of time."""
    query = """
    SELECT 'x' AS subject, event_at AS first_seen, event_at AS last_seen, [record_id] AS evidence,
        true AS yes, NULL AS nothing, [1, 2] AS numbers, event_at AS moment, CAST(event_at AS DATE) AS day,
        INTERVAL 90 SECOND AS span, {'a': 1} AS pair, repeat('x', 1002) AS long, range(102) AS many
    FROM events WHERE event_at BETWEEN $window_start AND $window_end"""
    expect = (
        "yes | nothing | numbers | moment | day | span | pair\n"
        "true |  | 1, 2 | 2026-11-23T10:00:00.000000Z | 2026-11-23 | 0:01:30 | {'a': 1}"
    )
    (result,) = cases_of(tmp_path, expect, query=query)
    assert result.trouble == ""
