"""What is demanded, and which detectors serve it."""

import re
from dataclasses import replace

import pytest

from analytics.coverage import ATTACK_VERSION, coverage, rows, within
from analytics.detector import load_all

DETECTORS = load_all()
DEMANDS = {demand.name: demand for demand in coverage(DETECTORS)}


@pytest.mark.parametrize(
    ("named", "clause", "serves"),
    [
        ("PCI DSS 4.0.1 10.2.1.4", "PCI DSS 4.0.1 10.2.1", True),
        ("PCI DSS 4.0.1 10.2.1", "PCI DSS 4.0.1 10.2.1", True),
        ("PCI DSS 4.0.1 10.2.1", "PCI DSS 4.0.1 10.2.1.4", False),
        ("PCI DSS 4.0.1 10.21", "PCI DSS 4.0.1 10.2", False),
        ("NIST SP 800-53 AU-12(3)", "NIST SP 800-53 AU-12", True),
        ("NIST SP 800-53 AU-12", "NIST SP 800-53 AU-1", False),
        ("CA/B NSR 3a", "CA/B NSR 3", True),
        ("NIST SP 800-57", "NIST SP 800-57", True),
    ],
)
def test_a_part_of_a_clause_serves_it(named, clause, serves):
    """And a whole serves no part of itself."""
    assert within(named, clause) is serves


def test_there_are_29_recommendations_and_each_is_served():
    """By a detector or by an answer that a person gives; the last one by nothing but that."""
    numbers = [row["number"] for row in rows("recommendations")]
    assert len(numbers) == len(set(numbers)) == 29
    assert all(DEMANDS[number].detectors or DEMANDS[number].otherwise for number in numbers)
    assert [number for number in numbers if not DEMANDS[number].detectors] == ["7.3"]
    assert {"AUTH-01", "AUTH-02"} <= set(DEMANDS["3.2"].detectors)


@pytest.mark.parametrize("detector", DETECTORS.all, ids=lambda detector: detector.id)
def test_what_a_detector_says_it_serves_is_known(detector):
    """Recommendations, techniques and clauses by the names that the tables have, so that none is counted nowhere."""
    clauses = [name for name, demand in DEMANDS.items() if demand.kind == "clause"]
    assert set(detector.written["recommendations"]) <= DEMANDS.keys()
    assert set(detector.written["attack"]["techniques"]) <= DEMANDS.keys()
    assert detector.written["attack"]["version"] == ATTACK_VERSION
    assert [one for one in detector.written["frameworks"] if not any(within(one, clause) for clause in clauses)] == []


def test_what_no_detector_serves_says_why():
    """An open demand is never without a word."""
    assert [name for name, demand in DEMANDS.items() if not demand.detectors and not demand.otherwise] == []
    assert not DEMANDS["T1040"].detectors


def test_rows_are_whole():
    """Names are told once, and techniques have their form."""
    assert len(DEMANDS) == sum(len(rows(table)) for table in ("recommendations", "clauses", "techniques"))
    assert all(re.fullmatch(r"T1\d{3}(\.\d{3})?", row["technique"]) for row in rows("techniques"))
    assert {row["logs_show"] for row in rows("recommendations")} == {"yes", "partly", "hint", "no"}


def test_a_detector_that_is_off_serves_nothing():
    """What a site switched off is a gap, and shown as one."""
    off = [replace(one, enabled=one.id != "CONF-02") for one in DETECTORS]
    demands = {demand.name: demand for demand in coverage(off)}
    assert demands["1.6"].detectors == ()
    assert DEMANDS["1.6"].detectors == ("CONF-02",)
