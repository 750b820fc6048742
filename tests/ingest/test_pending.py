"""What waits for the spool: grouped, bounded, and never waited for without end."""

import threading
import time

import numpy as np
import pyarrow as pa
import pytest

from ingest.pending import Pending
from ingest.portions import Portion, Source, gathered, spool_table

SOURCE = Source("udp", "udp", "192.0.2.1", 514)


def portion(*messages, **more):
    return Portion(pa.array(messages, pa.binary()), 1_000_000, (SOURCE,), **more)


def test_lines_that_came_together_are_taken_together():
    """When there are enough bytes, at once."""
    pending = Pending(1 << 20)
    for _ in range(5):
        pending.put(portion(b"x" * 1000))
    begun = time.monotonic()
    assert len(pending.take(3000, 60)) == 3
    assert time.monotonic() - begun < 10


def test_a_line_waits_no_longer_than_it_may():
    """Then it goes alone."""
    pending = Pending(1 << 20)
    pending.put(portion(b"x"))
    begun = time.monotonic()
    assert len(pending.take(1 << 20, 0.05)) == 1
    assert 0.03 < time.monotonic() - begun < 10


def test_a_full_queue_makes_room_when_lines_are_spooled():
    """Whoever waits goes on."""
    pending = Pending(2000)
    first = portion(b"x" * 1500)
    pending.put(first)
    waiting = threading.Thread(target=pending.put, args=(portion(b"y" * 1500),))
    waiting.start()
    assert pending.take(1, 0) == [first]
    waiting.join(0.1)
    assert waiting.is_alive()
    pending.done(first.size)
    waiting.join()
    assert len(pending.take(1, 0)) == 1


@pytest.mark.parametrize("patient", [True, False])
def test_nobody_waits_for_a_blocked_spool_that_stops(patient):
    """The impatient not at all."""
    pending = Pending(1)
    pending.put(portion(b"x"))
    pending.blocked = "disk_full"
    if patient:
        threading.Timer(0.05, pending.stop_waiting).start()
    assert pending.put(portion(b"y"), patient=patient) is False


def test_a_closed_queue_gives_what_it_has_and_then_nothing():
    """So that the spool's thread can end."""
    pending = Pending(1 << 20)
    pending.put(portion(b"x"))
    pending.close()
    assert len(pending.take(1 << 20, 60)) == 1
    assert pending.take(1 << 20, 60) is None


def test_gathering_drops_what_lies_between():
    """Pieces of any length, empty ones too."""
    starts, ends = np.array([0, 4, 4, 6]), np.array([3, 4, 5, 9])
    assert gathered(b"abc\nd\nefg\n", starts, ends).to_pylist() == [b"abc", b"", b"d", b"efg"]


def test_portions_become_rows_in_order():
    """Each with its own source, moment and trouble."""
    other = Source("tcp", "tcp", "2001:db8::1", None, "CN=hsm")
    mixed = Portion(
        pa.array([b"c", b"d", b"e"], pa.binary()),
        np.array([1, 2, 3]),
        (other, SOURCE),
        np.array([1, 0, 0]),
        ((2, "cut"),),
    )
    rows = spool_table([portion(b"a", b"b", troubles=((1, "incomplete"),)), mixed]).to_pylist()
    assert [(row["raw"], row["peer"], row["peer_port"], row["trouble"]) for row in rows] == [
        (b"a", "192.0.2.1", 514, ""),
        (b"b", "192.0.2.1", 514, "incomplete"),
        (b"c", "192.0.2.1", 514, ""),
        (b"d", "2001:db8::1", None, ""),
        (b"e", "2001:db8::1", None, "cut"),
    ]
    assert [row["received_at"].microsecond for row in rows] == [0, 0, 1, 2, 3]
    assert rows[3]["peer_identity"] == "CN=hsm"
    assert mixed.taken.cut == 1
