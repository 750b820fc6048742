"""The law of every detector of episodes: how its records arrive makes no difference to what is found."""

import json
import os
from dataclasses import dataclass
from itertools import chain

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.case_tables import fill, moment_of
from analytics.cases import cases_path, read_cases
from analytics.detector import load_all
from support.bench import Bench, at, in_memory

EXAMPLES = int(os.environ.get("HSMTRAIL_ARRIVALS", "3"))
"""Of each detector; 200 are shown before a release."""

PHASES = (Phase.explicit, Phase.generate)
"""No shrinking: a counterexample of ten rows is read soon enough, and a failing run ends."""

EPISODES = [detector for detector in load_all() if detector.kind == "episodes"]


@dataclass(frozen=True)
class Arrival:
    """The same rows twice: in order and at once, and as hypothesis likes. `context`: what one of the cases configures."""

    rows: tuple
    batches: tuple
    context: dict


@st.composite
def arrivals(draw, cases):
    """Some rows of the detector's cases, moved a little in time; then any order, batches and repeats."""
    pool = [row for case in cases for row in case.tables.get("events", ())]
    tables = draw(st.sampled_from(cases)).tables
    context = {name: rows for name, rows in tables.items() if name not in {"events", "change_windows"}}
    chosen = draw(st.lists(st.tuples(st.sampled_from(pool), st.integers(0, 3)), min_size=1, max_size=10))
    rows = [
        moved(row, number * 97 + draw(st.sampled_from([0, 600, 3600, 86400])) * shift)
        for number, (row, shift) in enumerate(chosen)
    ]
    order = draw(st.permutations(range(len(rows))))
    again = draw(st.lists(st.sampled_from(order), max_size=3))
    cuts = draw(st.lists(st.booleans(), min_size=len(order) + len(again), max_size=len(order) + len(again)))
    batches, batch = [], []
    for number, cut in zip(chain(order, again), cuts, strict=True):
        batch.append(number)
        if cut:
            batches.append(tuple(batch))
            batch = []
    return Arrival(tuple(rows), (*batches, tuple(batch)) if batch else tuple(batches), context)


def moved(row, seconds):
    """Each row has a second of its own, so that no two happen at once."""
    from datetime import timedelta

    when = moment_of(row.get("time") or row["event_at"]) + timedelta(seconds=seconds)
    return {
        **{name: cell for name, cell in row.items() if name not in {"time", "event_at", "received", "copy_of"}},
        "time": str(when),
    }


def found(detector, rows, batches, context=None):
    """What is open at the end, with evidence named by the rows themselves."""
    here = Bench([detector], db=in_memory())
    here.put("change_windows", "device | starts_at | ends_at | ticket\nhsm1 | 09:00:00 | 10:30:00 | CHG-1")
    with here.db.transaction() as cursor:
        for name, configured in (context or {}).items():
            fill(cursor, name, configured)
    first, names = {}, {}
    for batch in batches:
        arriving = []
        for number in batch:
            names[here.records + len(arriving) + 1] = number
            arriving.append({**rows[number], "copy_of": str(first[number])} if number in first else rows[number])
            first.setdefault(number, here.records + len(arriving))
        here.arrive(arriving, judge=False)
        here.duty.run()
    return sorted(
        (
            one.subject,
            one.first_seen,
            one.last_seen,
            one.severity,
            one.change_ticket,
            json.dumps(one.columns, sort_keys=True),
            sorted(names[record] for record in here.evidence(one.id)),
        )
        for one in here.findings("open")
    )


@pytest.mark.parametrize("detector", EPISODES, ids=lambda detector: detector.id)
def test_any_order_delay_cutting_and_repeating_of_arrival_finds_the_same(detector):
    """Also when judged after each batch, with copies in between."""
    cases = read_cases(cases_path(detector))

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, phases=PHASES
    )
    @given(arrivals(cases))
    def check(arrival):
        at_once = found(detector, arrival.rows, [tuple(range(len(arrival.rows)))], arrival.context)
        assert found(detector, arrival.rows, arrival.batches, arrival.context) == at_once

    check()


def test_the_law_is_put_to_the_test():
    """A pool gives findings at all: otherwise the law would hold for nothing."""
    detector = next(one for one in EPISODES if one.id == "AUTH-01")
    rows = [
        {
            "time": str(at("10:00:00")),
            "device": "hsm1",
            "role": "so",
            "operation": "login",
            "outcome": "failed",
            "strike": "true",
        }
    ]
    assert len(found(detector, rows, [(0,)])) == 1
