"""Stored records written anew: what differs and nothing else, copies judged again, and a mark of how far."""

import pytest

from store.reparse import Reach, Rewriter, changes, reach
from store.writer import Writer
from support.rows import AT, batch, frame, identity, later, record

FIRST = identity(1, 0)


@pytest.fixture
def stored(db):
    """Ten records of one batch, read by version 1 of a pattern."""
    rows = [record(number, pattern="lunash.command", pattern_version="1") for number in range(1, 11)]
    Writer(db).store([batch(1, rows)], frame(rows))
    return rows


def again(rows, **columns):
    return [{**row, **columns} for row in rows]


def test_only_what_differs_is_written(db, ask, stored):
    """Changed records, records with a new version alone, and unchanged ones are told apart and counted."""
    new = [
        *again(stored[:3], pattern_version="2", operation="show", details='{"level":"info"}'),
        *again(stored[3:7], pattern_version="2"),
        *stored[7:],
    ]
    done = Rewriter(db, "two").rewrite(FIRST, identity(1, 1), frame(new))
    assert (done.records, done.changed, done.renewed) == (10, 3, 4)
    assert ask("SELECT pattern_version, operation, details, count(*) FROM records GROUP BY ALL ORDER BY ALL") == [
        ("1", "", None, 3),
        ("2", "", None, 4),
        ("2", "show", '{"level":"info"}', 3),
    ]
    with db.reader() as cursor:
        told = [(one.version_before, one.pattern_version, one.records, one.changed) for one in changes(cursor, "two")]
    assert told == [("1", "1", 3, 0), ("1", "2", 7, 3)]


def test_a_portion_is_done_once(db, stored):
    """Whoever comes second with the same batches changes nothing; the next reading begins at the start."""
    rewriter = Rewriter(db, "two")
    assert rewriter.rewrite(FIRST, identity(1, 1), frame(stored)).records == 10
    assert rewriter.rewrite(FIRST, identity(1, 1), frame(again(stored, operation="show"))) is None
    with db.reader() as cursor:
        assert reach(cursor, "two") == [Reach(1, identity(1, 1), identity(1, 1), 10, 10)]
        assert reach(cursor, "three") == [Reach(1, FIRST, identity(1, 1), 10, 0)]


def test_a_reading_that_comes_back_begins_anew(db, stored):
    """A, B, A: the second A reads all of it again, and its summary does not count the first one's records."""
    for reading in ("a", "b", "a"):
        assert Rewriter(db, reading).rewrite(FIRST, identity(1, 1), frame(stored)).records == 10
    with db.reader() as cursor:
        assert sum(one.records for one in changes(cursor, "a")) == 10


def test_changed_moments_wait_for_detectors(db, ask, stored):
    """Where the records were and where they are now; a version alone is no reason to judge again."""
    rewriter = Rewriter(db, "two")
    rewriter.rewrite(FIRST, identity(1, 1), frame(again(stored, pattern_version="2")))
    assert ask("SELECT count(*) FROM unjudged") == [(0,)]
    moved = again(stored[:1], event_at=later(days=2)) + stored[1:]
    Rewriter(db, "three").rewrite(FIRST, identity(1, 1), frame(moved))
    spans = ask("SELECT begins_at, ends_at FROM unjudged ORDER BY ALL")
    assert [begin for begin, _ in spans] == [AT, later(days=2)]
    assert all(begin <= end < begin + (later(seconds=1) - AT) for begin, end in spans)


def relayed(device, *, receiver=1, number=1, **columns):
    """The same line by one of two relays."""
    peer = f"192.0.2.{receiver}"
    return record(number, receiver=receiver, peer=peer, device=device, **columns)


def store_both(db, *rows):
    for row in rows:
        receiver = row["record_id"] >> 48
        Writer(db).store([batch(1, [row], receiver=receiver)], frame([row]))


def copies_of(ask):
    return dict(ask("SELECT record_id >> 48, copy_of >> 48 FROM records ORDER BY 1"))


@pytest.mark.parametrize(
    ("before", "after", "copies", "counted"),
    [
        (("a", "a"), ("a", "a"), {1: None, 2: 1}, 1),
        (("a", "a"), ("a", "b"), {1: None, 2: None}, 0),
        (("a", "b"), ("a", "a"), {1: None, 2: 1}, 1),
        (("a", "a"), ("b", "b"), {1: None, 2: 1}, 1),
        (("a", "b"), ("b", "a"), {1: None, 2: None}, 0),
    ],
)
def test_copies_follow_what_the_records_now_say(db, ask, before, after, copies, counted):
    """By two relays: the same event when the device is the same, and the sums of custody with it."""
    store_both(db, relayed(before[0]), relayed(before[1], receiver=2))
    for receiver, device in enumerate(after, 1):
        row = relayed(device, receiver=receiver)
        Rewriter(db, "two").rewrite(identity(receiver, 0), identity(receiver, 1), frame([row]))
    assert copies_of(ask) == copies
    assert ask("SELECT sum(copies) FROM custody") == [(counted,)]
    assert ask("SELECT count(*), count(DISTINCT record_id) FROM records") == [(2, 2)]


def test_copies_whose_original_leaves_find_another(db, ask):
    """Three relays; the first one's record turns out to be another device's: the third is a copy of the second."""
    store_both(db, *(relayed("a", receiver=receiver) for receiver in (1, 2, 3)))
    assert copies_of(ask) == {1: None, 2: 1, 3: 1}
    Rewriter(db, "two").rewrite(FIRST, identity(1, 1), frame([relayed("b")]))
    assert copies_of(ask) == {1: None, 2: None, 3: 2}
    assert ask("SELECT sum(copies) FROM custody") == [(1,)]


def test_batches_that_the_spool_lost_are_passed(db, stored):
    """They are counted, and not asked for again."""
    rewriter = Rewriter(db, "two")
    assert rewriter.skip(FIRST, identity(1, 1)) == 10
    assert rewriter.skip(FIRST, identity(1, 1)) == 0
    with db.reader() as cursor:
        assert reach(cursor, "two")[0].done == 10


def test_a_loader_beside_it_learns_what_a_device_is_called_now(db):
    """A record is read again and named; a copy that arrives by another relay afterwards is found."""
    loader = Writer(db)
    first = relayed("old", receiver=1)
    loader.store([batch(1, [first])], frame([first]))
    assert Rewriter(db, "two").rewrite(FIRST, identity(1, 1), frame(again([first], device="new"))).changed == 1
    second = relayed("new", receiver=2)
    assert loader.store([batch(1, [second], receiver=2)], frame([second])).copies == 1
