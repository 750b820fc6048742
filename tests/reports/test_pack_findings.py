"""What a pack says about findings, and which of them a change explains."""

from datetime import timedelta

import pytest

from reports.pack import PackSettings
from support.shelf import MONDAY, WEEK

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_which_findings_belong_to_a_pack(shelf, pack):
    """Those of the period and open ones from before; superseded, later and long handled ones do not."""
    old, later = MONDAY - 9 * DAY, WEEK.end + HOUR
    shelf.finding(MONDAY, title="now")
    shelf.finding(old, title="still open")
    shelf.finding(old, title="done", state="closed")
    shelf.finding(later, title="later")
    shelf.finding(MONDAY, title="replaced", state="superseded")
    shelf.finding(old, last_seen=MONDAY + HOUR, title="acknowledged", state="acknowledged")
    found = pack().findings
    assert [(row.row.title, row.carried_over) for row in found.open] == [("still open", True), ("now", False)]
    assert [row.row.title for row in found.handled] == ["acknowledged"]
    assert found.in_period == 2


@pytest.mark.parametrize(
    ("values", "decided"),
    [
        ({"severity": "low", "change_ticket": "CHG-1"}, True),
        ({"severity": "info", "change_ticket": "CHG-1"}, True),
        ({"severity": "medium", "change_ticket": "CHG-1"}, False),
        ({"severity": "low"}, False),
    ],
)
def test_an_approved_change_decides_what_is_low(shelf, pack, values, decided):
    """A low finding inside a change is listed with its ticket; what is worse, and what has no ticket, waits for a person."""
    shelf.line(MONDAY)
    finding = shelf.finding(MONDAY, **values)
    made = pack()
    found = made.findings
    assert [[one.row.id for one in some] for some in (found.open, found.covered)] == (
        [[], [finding]] if decided else [[finding], []]
    )
    assert (found.answer == "Nothing waits for a decision") is decided
    assert (found.remarks[:1] == ("One low finding is covered by an approved change.",)) is decided
    assert made.verdict.startswith("No finding needs a decision." if decided else "One finding needs a decision.")
    assert found.in_period == 1


def test_what_a_change_decided_is_told_once(shelf, pack):
    """In the pack of its own week; a person's decision may come later and is told then."""
    old, covered = MONDAY - 9 * DAY, {"severity": "low", "change_ticket": "CHG-1"}
    shelf.finding(old, **covered)
    shelf.finding(old, last_seen=MONDAY + HOUR, title="lasting", **covered)
    shelf.finding(MONDAY, state="closed", title="closed", **covered)
    found = pack(PackSettings(findings_shown=1)).findings
    assert [finding.row.title for finding in found.covered] == ["lasting"]
    assert [finding.row.title for finding in found.handled] == ["closed"]


def test_findings_are_worst_first(shelf, pack):
    """The worst comes first; among equals the oldest."""
    for place, severity in enumerate(("low", "critical", "info", "high", "critical")):
        shelf.finding(MONDAY + place * HOUR, severity=severity)
    assert [finding.row.id for finding in pack().findings.open] == [2, 5, 4, 1, 3]


def test_many_findings(shelf, pack):
    """A pack lists as many findings as were allowed, worst first, and counts the rest."""
    shelf.con.execute("BEGIN")
    for place in range(30):
        shelf.finding(MONDAY + timedelta(minutes=place), severity="critical" if place == 29 else "low")
    shelf.con.execute("COMMIT")
    made = pack(PackSettings(findings_shown=5))
    assert len(made.findings.open) == 5
    assert made.findings.not_shown == 25
    assert made.findings.open[0].row.severity == "critical"
    assert made.findings.answer == "30 findings to decide"


def test_evidence_is_limited_and_says_so(shelf, pack):
    """A finding shows its first lines by event time and says how many more there are."""
    records = [shelf.line(MONDAY + (20 - place) * HOUR) for place in range(20)]
    shelf.finding(MONDAY, records)
    made = pack(PackSettings(evidence_per_finding=3))
    (finding,) = made.findings.open
    assert finding.records == tuple(records[-3:])
    assert finding.more == 17
    assert [line.record_id for line in made.evidence] == records[-3:]


def test_long_evidence_is_cut_and_measured(shelf, pack):
    """A line of 100 kB is cut in the data too, and keeps its length."""
    shelf.finding(MONDAY, [shelf.line(MONDAY, raw="A" * 100_000)])
    (line,) = pack().evidence
    assert (len(line.raw), line.characters) == (2000, 100_000)
