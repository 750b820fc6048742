"""The sums of custody: received = spooled + refused, spooled = stored."""

import json

import pytest

from store.custody import Balance, balance
from store.writer import Writer
from support.rows import AT, batch, counted, frame, identity, later, record

SUMS = "received, kernel_dropped, refused, cut, spooled, stored, copies"


def stored(writer, number, listeners, counters, committed_at=AT, receiver=1):
    """Store a batch that has one record of each listener named."""
    rows = [record(number * 10 + place, in_batch=number, listener=name) for place, name in enumerate(listeners)]
    writer.store([batch(number, rows, receiver, committed_at, counters)], frame(rows))


def test_each_batch_adds_what_its_counters_grew(db, ask):
    """Counters are cumulative; a row holds what belongs to its minute."""
    writer = Writer(db)
    stored(writer, 1, ["udp", "udp"], {"udp": counted(2, {"empty": 1}, kernel_dropped=4, cut=1)})
    stored(writer, 2, ["udp"], {"udp": counted(3, {"empty": 2, "allow": 5}, kernel_dropped=4, cut=1)})
    stored(writer, 3, ["udp"], {"udp": counted(4, {"empty": 2, "allow": 5}, kernel_dropped=9, cut=2)}, later(minutes=1))
    rows = ask(f"SELECT minute, {SUMS}, refused_reasons FROM custody ORDER BY minute")
    assert [row[:-1] for row in rows] == [
        (AT.replace(second=0), 10, 4, 7, 1, 3, 3, 0),
        (AT.replace(second=0, minute=16), 1, 5, 0, 1, 1, 1, 0),
    ]
    assert [json.loads(row[-1]) for row in rows] == [{"empty": 2, "allow": 5}, {}]


def test_sums_balance_over_restarts_of_the_service(db, ask):
    """A new writer goes on from the counters of the last batch stored."""
    for number in range(1, 6):
        stored(Writer(db), number, ["udp"], {"udp": counted(number, {"empty": number * 2})}, later(seconds=20 * number))
    assert ask(f"SELECT {SUMS.replace(', ', '), sum(').join(['sum(', ')'])} FROM custody") == [(15, 0, 10, 0, 5, 5, 0)]
    assert ask("SELECT count(*) FROM custody WHERE received <> spooled + refused OR spooled <> stored") == [(0,)]


def test_listener_without_a_line_is_counted(db, ask):
    """What a listener only refused or lost stands there as well."""
    stored(Writer(db), 1, ["udp"], {"udp": counted(1), "tcp": counted(0, {"allow": 3})})
    assert ask(f"SELECT listener, {SUMS} FROM custody ORDER BY listener") == [
        ("tcp", 3, 0, 3, 0, 0, 0, 0),
        ("udp", 1, 0, 0, 0, 1, 1, 0),
    ]


def test_lost_batch_shows(db, ask):
    """A batch of the spool that never came makes spooled larger than stored."""
    writer = Writer(db)
    stored(writer, 1, ["udp"], {"udp": counted(1)})
    stored(writer, 3, ["udp"], {"udp": counted(8)})
    assert ask("SELECT spooled, stored FROM custody") == [(8, 2)]


@pytest.mark.parametrize("counters", [{"udp": counted(1_000_000, {"empty": 9})}, {}])
def test_unknown_beginning_is_not_made_up(db, ask, counters):
    """Where the batch before is not known, or none was counted, only what the batch holds is said."""
    stored(Writer(db), 77, ["udp", "udp"], counters)
    assert ask(f"SELECT {SUMS} FROM custody") == [(2, 0, 0, 0, 2, 2, 0)]


def test_counters_that_began_anew(db, ask):
    """A counter that fell counts from nothing, never backwards."""
    writer = Writer(db)
    stored(writer, 1, ["udp"], {"udp": counted(5, {"empty": 7})})
    stored(writer, 2, ["udp"], {"udp": counted(1, {"empty": 2})})
    assert ask("SELECT received, refused, spooled FROM custody") == [(15, 9, 6)]


def test_receivers_are_counted_apart(db, ask):
    """Two receivers with a listener of the same name do not disturb each other."""
    writer = Writer(db)
    for number in (1, 2):
        for receiver in (1, 2):
            rows = [record(number, receiver=receiver, in_batch=number, peer=f"192.0.2.{receiver}")]
            writer.store([batch(number, rows, receiver, AT, {"udp": counted(number)})], frame(rows))
    assert ask("SELECT received, spooled, stored FROM custody") == [(4, 4, 4)]
    assert ask("SELECT max(record_id) FROM records") == [(identity(2, 2),)]


def test_what_does_not_balance_is_said_by_minute(db, ask):
    """One minute too many and one too few do not make up for one another."""
    writer = Writer(db)
    stored(writer, 1, ["udp"], {"udp": counted(1, {"empty": 2}, kernel_dropped=3)})
    stored(writer, 3, ["udp", "udp"], {"udp": counted(4, {"empty": 2}, kernel_dropped=3)}, later(minutes=1))
    stored(writer, 4, ["udp", "udp"], {"udp": counted(5, {"empty": 2}, kernel_dropped=3)}, later(minutes=2))
    assert ask("SELECT sent, received, unaccounted, not_stored FROM custody_balance ORDER BY minute") == [
        (6, 3, 0, 0),
        (3, 3, 0, 1),
        (1, 1, 0, -1),
    ]
    with db.reader() as cursor:
        said = balance(cursor)
    assert (said.sent, said.kernel_dropped, said.received, said.refused) == (10, 3, 7, 2)
    assert (said.spooled, said.stored, said.unaccounted, said.not_stored, said.minutes_off) == (5, 5, 0, 0, 2)


def test_an_empty_store_balances(db):
    with db.reader() as cursor:
        assert balance(cursor) == Balance(*[0] * 11)
