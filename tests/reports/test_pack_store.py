"""What a pack says about a whole store: an empty one, a silent week, the week before, the same bytes again."""

from datetime import timedelta

import pytest

from reports.pack import make_pack
from support.shelf import MONDAY, RECEIVER, WEEK

DAY = timedelta(days=1)


def test_an_empty_store(pack):
    """An empty store gives a pack that says there is nothing to judge by."""
    made = pack()
    assert made.verdict == "No line of this period was received: there is no evidence to judge it by."
    assert [fact.value for fact in made.facts] == ["0", "0", "0", "0", "0 of 0", "0 of 0"]
    assert made.quality.answer == "No HSM is configured and none was heard"
    assert (made.evidence, made.findings.open, made.privileged.acts) == ((), (), ())


def test_the_week_before_stands_beside(shelf, pack):
    """Each number has that of the period before."""
    shelf.device("hsm-ams-1")
    shelf.every(60, MONDAY - 7 * DAY, MONDAY)
    shelf.strike(MONDAY - DAY)
    shelf.act(MONDAY - DAY, "user_add")
    shelf.finding(MONDAY - DAY, state="closed")
    shelf.line(MONDAY)
    assert [fact.change for fact in pack().facts] == [
        "1 last week",
        "1 last week",
        "1 last week",
        "0 % unread; 170 last week",
        "168 of 168 last week",
        "1 last week",
    ]


@pytest.mark.parametrize(
    ("begins", "change"),
    [
        (MONDAY, "not measured last week"),
        (MONDAY - timedelta(minutes=1), "0 last week"),
        (None, "not measured last week"),
    ],
)
def test_a_first_week_has_none_before_it(shelf, pack, begins, change):
    """What nobody watched is no nought: the week before counts once the store reaches into it, or beyond."""
    if begins is not None:
        shelf.line(begins)
    facts = {fact.name: fact.change for fact in pack().facts}
    assert facts["Privileged operations"] == change
    assert facts["Records"].startswith("0 % unread; ")
    assert (facts["Records"] == "0 % unread; not measured last week") is change.startswith("not")


def test_a_silent_week_is_measured(shelf, pack):
    """The store reaches further back: hours that were not heard are a figure."""
    shelf.device("hsm-ams-1")
    shelf.line(MONDAY - 30 * DAY)
    shelf.line(MONDAY)
    assert {fact.name: fact.change for fact in pack().facts}["Hours heard"] == "0 of 168 last week"


def test_later_lines_change_no_older_pack(shelf, pack):
    """The data digest reaches as far as the period's lines; the store's own head moves on."""
    shelf.line(MONDAY)
    shelf.batch(1, "aa" * 32, 1)
    shelf.line(WEEK.end + DAY, batch=RECEIVER + 2)
    shelf.batch(2, "bb" * 32, 1)
    source = pack().provenance
    assert [head.sha256[:2] for head in source.heads] == ["aa"]
    assert [head.sha256[:2] for head in source.chain] == ["bb"]


def test_made_twice(lively, settings):
    """The same store gives an equal pack."""
    assert make_pack(lively.con, WEEK, settings) == make_pack(lively.con, WEEK, settings)


def test_made_from_a_reading_cursor(lively, settings):
    """A pack is made inside a read-only transaction: it writes nothing."""
    cursor = lively.con.cursor()
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    assert make_pack(cursor, WEEK, settings).quality.counts.records > 2000
