"""Batches without lines: a receiver that listens and hears nothing says so in the evidence."""

import itertools
import logging
import threading

import pyarrow as pa
import pytest

from ingest.counters import Counted, Ledger
from ingest.group_commit import GroupCommit
from ingest.intake import Intake
from ingest.loader import Loader
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.portions import Portion, Source
from ingest.spool import SpoolReader, SpoolSettings, SpoolWriter
from parsers import patterns
from parsers.batch import Parser
from parsers.inventory import Inventory
from store.database import Database
from support.installation import eventually
from support.spooled import Receiver

SOURCE = Source("tcp", "tcp", "192.0.2.1", 514)


@pytest.fixture
def idle(tmp_path):
    """A receiver that rests a hundredth of a second instead of a minute, with the spool's thread running."""
    writer = SpoolWriter.open(tmp_path / "spool" / "main", 1, SpoolSettings(seal_seconds=0.05))
    intake = Intake(Pending(1 << 20), Ledger({"tcp": Counted()}), Notices(logging.getLogger("test")))
    commits = GroupCommit(writer, SpoolSettings(commit_seconds=0), intake, rest=0.01)
    thread = threading.Thread(target=commits.run)
    thread.start()
    yield writer, intake
    intake.pending.close()
    thread.join()
    writer.close()


def test_an_idle_receiver_says_that_it_listens(idle, tmp_path):
    """At the start and after each rest, chained and numbered like all others, with the counters of now."""
    writer, intake = idle
    intake.ledger.refuse("tcp", "empty")
    after = eventually(lambda: writer.last_batch & 0xFFFF) + 2
    eventually(lambda: writer.last_batch & 0xFFFF >= after)
    intake.pending.put(Portion(pa.array([b"one"], pa.binary()), 0, (SOURCE,)))
    eventually(lambda: intake.ledger.now()["tcp"].spooled)
    found = SpoolReader(tmp_path / "spool" / "main").next_batches()
    assert found[0].rows == 0
    assert sum(batch.rows for batch in found) == 1
    assert {batch.first_record & 0xFFFF for batch in found} <= {1, 2}
    assert found[after - 1].counters["tcp"].refused == {"empty": 1}
    assert all(later.previous == earlier.sha256 for earlier, later in itertools.pairwise(found))


def test_an_idle_segment_is_closed_in_time(idle, tmp_path):
    """Although no line comes that would find it old."""
    assert idle
    eventually(lambda: len(list((tmp_path / "spool" / "main").glob("*.arrow"))) > 1)


def test_a_batch_without_lines_is_stored(tmp_path):
    """It is in the chain and in custody, with what was refused meanwhile; lines keep their numbers."""
    receiver = Receiver(tmp_path)
    receiver.commit()
    receiver.ledger.refuse("udp", "empty", 3)
    receiver.commit()
    receiver.commit(b"one", b"two")
    receiver.commit()
    receiver.close()
    db = Database.open(tmp_path / "store.duckdb")
    loader = Loader(db, tmp_path, Parser(patterns.load(), Inventory()), max_bytes=1)
    loader.catch_up()
    with db.reader() as cursor:
        batches = cursor.execute("SELECT rows FROM batches ORDER BY position").fetchall()
        custody = cursor.execute("SELECT sum(received), sum(refused), sum(stored) FROM custody").fetchall()
        records = cursor.execute("SELECT record_id & 65535 FROM records ORDER BY 1").fetchall()
    db.close()
    assert batches == [(0,), (0,), (2,), (0,)]
    assert custody == [(5, 3, 2)]
    assert records == [(1,), (2,)]
    assert loader.lag_seconds() == 0.0
