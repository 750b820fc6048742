"""Rows, chain and custody in one transaction, each batch once."""

import json

import duckdb
import polars as pl
import pytest

from store.database import ROW_GROUP
from store.writer import StoredBatch, Writer, store_batches, stored_batches
from support.rows import AT, audit, batch, counted, frame, identity, later, record


def test_every_column_comes_back_as_it_was(db, ask):
    """What the parser gave is what `records` holds, JSON as JSON, nothing as NULL."""
    row = audit(
        7,
        41,
        details='{"level": 1}',
        structured_data='{"a": {"b": "c"}}',
        strike=True,
        return_code=0xFFFFFFFF,
        session=2**64 - 1,
        role_id=255,
        source_port=65535,
        sent_at=later(seconds=1),
    )
    store_batches(db, [batch(1, [row])], frame([row]))
    with db.reader() as cursor:
        stored = cursor.sql("SELECT * FROM records").to_arrow_table().to_pylist()[0]
        kinds = dict(cursor.execute("SELECT column_name, column_type FROM (DESCRIBE records)").fetchall())
    assert stored.pop("copy_of") is None
    assert stored == row
    assert (kinds["details"], kinds["structured_data"], kinds["event_at"]) == ("JSON", "JSON", "TIMESTAMP")


def test_a_batch_is_stored_once(db, ask):
    """A batch that is there already is left out with its rows, also beside a new one; nothing else is lost."""
    first, second = [record(1), record(2)], [record(3, in_batch=2)]
    store_batches(db, [batch(1, first)], frame(first))
    again = store_batches(db, [batch(1, first), batch(2, second)], frame(first + second))
    assert (again.batches, again.records, again.from_position, again.to_position) == (1, 1, 1, 2)
    assert ask("SELECT record_id FROM records ORDER BY ALL") == [(identity(1, n),) for n in (1, 2, 3)]
    assert ask("SELECT sum(stored) FROM custody") == [(3,)]


def test_positions_follow_the_order_of_arrival(db, ask):
    """1, 2, 3 … whatever receiver a batch comes from."""
    rows = [record(1), record(1, receiver=0, listener="import", transport="import"), record(2, in_batch=2)]
    for row, number, receiver in zip(rows, (1, 1, 2), (1, 0, 1), strict=True):
        store_batches(db, [batch(number, [row], receiver)], frame([row]))
    assert ask("SELECT position, batch FROM batches ORDER BY position") == [
        (1, identity(1, 1)),
        (2, identity(0, 1)),
        (3, identity(1, 2)),
    ]
    assert stored_batches(db) == {0: identity(0, 1), 1: identity(1, 2)}


def test_the_chain_is_kept(db, ask):
    """`batches` has the digests, the segment and both times."""
    row = record(1)
    store_batches(db, [batch(1, [row])], frame([row]))
    rows = ask(
        "SELECT sha256, previous, segment, first_record, rows, committed_at, stored_at > committed_at FROM batches"
    )
    assert rows == [(f"{1:064d}", f"{0:064d}", "spool/main/000000000001.arrow", identity(1, 1), 1, AT, True)]


def test_error_leaves_neither_rows_nor_batch(db, ask):
    """A row that the table refuses takes its batch with it, and the writer goes on as if it had never come."""
    writer, row = Writer(db), record(1)
    with pytest.raises(duckdb.Error, match="NOT NULL"):
        writer.store([batch(1, [row])], frame([row]).with_columns(host=pl.lit(None, pl.String)))
    assert ask("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM batches)") == [(0, 0)]
    assert writer.store([batch(1, [row])], frame([row])).records == 1


def test_batches_without_rows(db, ask):
    """An empty batch has its place in the chain."""
    writer = Writer(db)
    assert writer.store([batch(1, [])], frame([])).batches == 1
    assert writer.store([], frame([])).batches == 0
    assert ask("SELECT rows FROM batches") == [(0,)]


def test_arrow_tables_are_taken_too(db, ask):
    """Rows may come as Arrow."""
    row = record(1)
    store_batches(db, [batch(1, [row])], frame([row]).to_arrow())
    assert ask("SELECT count(*) FROM events") == [(1,)]


def test_counters_of_the_batch_are_kept(db, ask):
    """`batches.counters` is what the receiver had counted when it committed the batch."""
    row = record(1)
    store_batches(db, [batch(1, [row])], frame([row]))
    figures = {"received": 1, "kernel_dropped": 0, "refused": {}, "cut": 0, "spooled": 1}
    assert json.loads(ask("SELECT counters FROM batches")[0][0]) == {"udp": figures}


def test_large_commits_keep_the_order(db, ask):
    """More rows than a row group, in several chunks: all there, in the order of their ids."""
    count = ROW_GROUP * 2 + 77
    row = frame([record(1)])
    many = pl.concat([row] * 11).with_columns(record_id=pl.int_range(11, dtype=pl.UInt64))
    many = pl.concat([many] * (count // 11 + 1), rechunk=False).head(count)
    many = many.with_columns(record_id=pl.int_range(identity(1, 1), identity(1, 1) + count, dtype=pl.UInt64))
    first = StoredBatch(
        identity(1, 1), identity(1, 1), count, "", "", AT, "spool/main/1.arrow", {"udp": counted(count)}
    )
    assert store_batches(db, [first], many).records == count
    assert ask("SELECT count(*), max(record_id) - min(record_id) + 1 FROM records") == [(count, count)]
    assert ask("SELECT count(*) FROM (SELECT record_id - rowid AS d FROM lines) WHERE d <> (1::UBIGINT << 48) + 1") == [
        (0,)
    ]
    assert ask("SELECT DISTINCT length(raw), message FROM records") == [(0, row["message"][0])]
