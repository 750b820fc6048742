"""What repeats is kept once; the view `records` gives back exactly what was put in."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers.columns import PARSED
from store import migrate, narrow
from store.database import Database
from support.records import put_one
from support.rows import AT, audit, frame, record

TEXT = st.text(max_size=12)
WORD = st.sampled_from(["", "login", "a", "\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 40])
SAID = st.fixed_dictionaries(
    {
        "host": WORD, "program": WORD, "device": WORD, "operation": WORD, "outcome": st.sampled_from(["", "ok", "failed"]),
        "strike": st.none() | st.booleans(), "role_id": st.none() | st.integers(0, 9), "trouble": TEXT,
        "facility": st.none() | st.integers(0, 23), "return_code": st.none() | st.integers(0, 2**32 - 1),
        "hsm_serial": st.none() | WORD, "account": st.none() | TEXT, "message": TEXT, "before": TEXT,
        "is_the_end": st.booleans(),
    }
)  # fmt: skip


def said(values):
    """A record whose message is the end of its raw line, or is not."""
    before, is_the_end = values.pop("before"), values.pop("is_the_end")
    raw = before + values["message"] if is_the_end else before
    return values | {"raw": raw}


def everything(cursor):
    rows = pl.DataFrame(cursor.execute("SELECT * FROM records ORDER BY record_id").to_arrow_table())
    return rows.with_columns(pl.col(name).cast(kind) for name, kind in PARSED.items())


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    db = Database.open(tmp_path_factory.mktemp("narrow") / "store.duckdb")
    yield db
    db.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SAID, min_size=1, max_size=8), st.integers(1, 8))
def test_records_are_given_back_as_they_were(shared, several, commits):
    """Any texts, absent values, however they are cut into commits: the same columns with the same values."""
    rows = frame([record(number, **said(values)) for number, values in enumerate(several, 1)])
    with shared.transaction() as cursor:
        cursor.execute("DELETE FROM lines")
        for part in rows.iter_slices(commits):
            shared.narrow.insert(cursor, part)
    with shared.reader() as cursor:
        stored = everything(cursor)
    assert stored.drop("copy_of").equals(rows.select(stored.drop("copy_of").columns), null_equal=True)


def test_what_repeats_is_kept_once(db, ask):
    """A thousand lines of two hosts that say one thing: two origins, one meaning; no message is written twice."""
    rows = frame([audit(n, n, host=f"luna-{n % 2}", raw=f"<1>{n},26/11/23 08:15:01,S/N 1483") for n in range(1, 1001)])
    for part in rows.iter_slices(100):
        with db.transaction() as cursor:
            db.narrow.insert(cursor, part)
    assert ask("SELECT count(*) FROM origins") == [(2,)]
    assert ask("SELECT count(*) FROM meanings") == [(1,)]
    assert ask("SELECT count(message), count(message_at) FROM lines") == [(0, 1000)]
    assert ask("SELECT message FROM records WHERE record_id % 65536 = 7") == [("7,26/11/23 08:15:01,S/N 1483",)]


def test_another_service_goes_on_with_the_same_numbers(tmp_path):
    """A restart does not write them again."""
    for number in (1, 2):
        db = Database.open(tmp_path / "store.duckdb")
        with db.transaction() as cursor:
            db.narrow.insert(cursor, frame([record(number)]))
        db.close()
    db = Database.open(tmp_path / "store.duckdb")
    with db.reader() as cursor:
        assert cursor.execute("SELECT count(*) FROM origins").fetchall() == [(1,)]
        assert cursor.execute("SELECT count(*) FROM records").fetchall() == [(2,)]
    db.close()


def test_a_transaction_that_fails_leaves_no_number_behind(db, ask):
    """A number that was rolled back is not given to the next record."""
    rows = frame([record(1, host="gone")])
    with pytest.raises(duckdb.Error), db.transaction() as cursor:  # noqa: PT012  (both belong to the transaction)
        db.narrow.insert(cursor, rows)
        cursor.execute("SELECT error('disk')")
    with db.transaction() as cursor:
        db.narrow.insert(cursor, frame([record(2, host="gone")]))
    assert ask("SELECT host FROM records") == [("gone",)]


def test_strangers_do_not_fill_the_memory(db, ask, monkeypatch):
    """Beyond the limit what repeats may be written again; every record still has its own words."""
    monkeypatch.setattr(narrow, "LARGEST", 10)
    for start in range(0, 100, 5):
        with db.transaction() as cursor:
            db.narrow.insert(cursor, frame([record(n, host=f"h{n % 40}") for n in range(start, start + 5)]))
    assert ask("SELECT count(*) FROM records WHERE host = 'h' || (record_id % 65536 % 40)") == [(100,)]
    assert ask("SELECT count(*) - count(DISTINCT origin) FROM origins") == [(0,)]


def test_long_words_of_strangers_are_not_remembered(db, ask):
    """100,000 hosts of 65,000 characters would be six gigabytes; their records have their words all the same."""
    long = "h" * narrow.LONGEST
    for start in range(0, 6, 2):
        with db.transaction() as cursor:
            db.narrow.insert(cursor, frame([record(n, host=f"{long}{n % 2}") for n in (start, start + 1)]))
            db.narrow.insert(cursor, frame([record(10 + start, host="short")]))
    assert ask("SELECT count(*), count(DISTINCT origin), max(length(host)) FROM origins") == [(7, 7, len(long) + 1)]
    assert ask(
        "SELECT count(*) FROM records WHERE host LIKE 'h%' AND right(host, 1) = ((record_id % 65536) % 2)::VARCHAR"
    ) == [(6,)]
    db.narrow.forget()
    with db.transaction() as cursor:
        db.narrow.insert(cursor, frame([record(20, host="short"), record(21, host=f"{long}1")]))
    assert ask("SELECT count(*), count(DISTINCT origin) FROM origins") == [(8, 8)]


def test_an_update_changes_no_other_record(db, ask):
    """Two records share their words; one of them is to say something else."""
    rows = frame([record(1), record(2)])
    with db.transaction() as cursor:
        db.narrow.insert(cursor, rows)
        new = rows.head(1).with_columns(operation=pl.lit("reboot"), message=pl.lit("other"))
        db.narrow.update(cursor, new, ["operation", "message"])
    assert ask("SELECT operation, message = 'other' FROM records ORDER BY record_id") == [("reboot", True), ("", False)]


def test_a_store_of_wide_records_becomes_narrow():
    """The migration keeps every column of every record."""
    versions = {migration.version: migration for migration in migrate.migrations()}
    with duckdb.connect() as connection:
        migrate.migrate(connection, [versions[1], versions[2]], "SELECT 1")
        rows = frame(
            [
                audit(1, 7, strike=True, raw="<1>7,26/11/23 08:15:01,S/N 1483"),
                record(2, account="admin", raw="no end", details='{"a":1}'),
                record(3, message="\N{GREEK SMALL LETTER ALPHA}b", raw="\N{GREEK SMALL LETTER ALPHA}\N{GREEK SMALL LETTER ALPHA}b"),
            ]
        )  # fmt: skip
        connection.register("rows", rows.to_arrow())
        connection.execute("INSERT INTO records BY NAME FROM rows")
        before = everything(connection)
        migrate.migrate(connection, migrate.migrations(), migrate.views())
        assert everything(connection).equals(before, null_equal=True)
        assert connection.execute("SELECT count(message), count(message_at) FROM lines").fetchall() == [(1, 2)]


def test_what_is_not_said_is_empty(db, ask):
    """A record of nothing but its identity can be read."""
    with db.transaction() as cursor:
        put_one(cursor, record_id=1, received_at=AT, event_at=AT)
    assert ask("SELECT message, raw, operation, strike, hsm_serial FROM records") == [("", "", "", None, None)]
