"""The store's file and log, checked without opening them: whole ones have no fault, one changed byte is named."""

import random
import shutil

import pytest

from store.database import Database
from store.file_check import checksum, log_faults, store_faults

PLACES = 40


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store that was written more than once, with a log, as a kill leaves it."""
    folder = tmp_path_factory.mktemp("stored")
    path = folder / "open" / "store.duckdb"
    path.parent.mkdir()
    for _ in range(3):
        db = Database.open(path)
        fill(db, 40_000)
        db.close()
    db = Database.open(path)
    for rows in (3, 500, 1):
        fill(db, rows)
    shutil.copytree(path.parent, folder / "killed")
    db.close()
    return folder / "killed"


def fill(db, rows):
    with db.transaction() as cursor:
        cursor.execute(
            "INSERT INTO queries SELECT TIMESTAMP '2026-11-23 08:15:01', 'somebody', 'SELECT ' || i, 'answered', i, 0.1"
            " FROM range(?) AS t(i)",
            [rows],
        )


@pytest.fixture
def site(stored, tmp_path):
    shutil.copytree(stored, tmp_path / "data")
    return tmp_path / "data"


def test_whole_files_have_no_fault(site):
    """Also after DuckDB has read the log and written it into the file."""
    path = site / "store.duckdb"
    assert (store_faults(path), log_faults(site / "store.duckdb.wal", path)) == ([], ([], ""))
    Database.open(path).close()
    assert (store_faults(path), log_faults(site / "store.duckdb.wal", path)) == ([], ([], ""))
    assert store_faults(site / "none") == []


@pytest.mark.parametrize("name", ["store.duckdb", "store.duckdb.wal"])
def test_one_changed_byte_is_named(site, name):
    """In headers, blocks and entries: at random places, the first and the last."""
    path, chance = site / name, random.Random(name)
    octets = path.read_bytes()
    ends = (
        [*range(48), *range(len(octets) - 24, len(octets))]
        if name.endswith("wal")
        else [0, 8, 4096, 9000, len(octets) - 1]
    )
    for at in (*ends, *(chance.randrange(len(octets)) for _ in range(PLACES))):
        changed = bytearray(octets)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        faults = store_faults(path, 0.0) if name == "store.duckdb" else log_faults(path, site / "store.duckdb", 0.0)[0]
        assert [fault for fault in faults if fault.start <= at < fault.end], at
        assert len(faults) == 1, (at, faults)


def test_a_log_that_was_not_written_to_its_end_is_a_note(site):
    """At any length: its writer was killed."""
    path = site / "store.duckdb.wal"
    octets = path.read_bytes()
    for missing in (1, 5, 20, 21, 22, 40, 200, 1000):
        path.write_bytes(octets[:-missing])
        faults, note = log_faults(path, site / "store.duckdb")
        assert faults == []
        assert ("not written to its end" in note) == (missing != 21)


def test_a_log_of_another_store_is_a_fault(site, tmp_path):
    """Its identity is in its first bytes."""
    db = Database.open(tmp_path / "other.duckdb")
    fill(db, 2)
    other = (tmp_path / "other.duckdb.wal").read_bytes()
    db.close()
    (site / "store.duckdb.wal").write_bytes(other)
    (fault,), _ = log_faults(site / "store.duckdb.wal", site / "store.duckdb")
    assert fault.start == 0
    assert "not begin as one of this store" in fault.why


def test_what_is_too_short_is_a_fault(site):
    """Whether a block is missing at the end the headers do not say: free ones need not be there."""
    path = site / "store.duckdb"
    path.write_bytes(path.read_bytes()[:100])
    assert store_faults(path, 0.0)[0].why == "too short for a store"


def test_the_checksum_is_that_of_duckdb(site):
    """Of whole words and of each length of a rest: every entry of a log that it wrote."""
    octets = (site / "store.duckdb.wal").read_bytes()
    place, lengths = octets.index(b"\xff\xff") + 2, set()
    while place < len(octets):
        size = int.from_bytes(octets[place : place + 8], "little")
        data = octets[place + 16 : place + 16 + size]
        assert checksum(data) == int.from_bytes(octets[place + 8 : place + 16], "little")
        lengths.add(size % 8)
        place += 16 + size
    assert len(lengths) > 2
