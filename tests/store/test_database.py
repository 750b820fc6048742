"""Opening the store, its limits, one writer, readers beside it."""

import functools
import operator
import struct
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from store import database
from store.database import Database, StoreBroken, StoreError, StoreHeld, StoreTooNew

HOLD = """
import sys
from pathlib import Path
from store.database import Database
db = Database.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
db.close()
"""


@pytest.fixture
def held(tmp_path):
    """A store that another process has open; give its standard input an end, and it lets go."""
    path = tmp_path / "store.duckdb"
    words = [sys.executable, "-c", HOLD, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=Path(__file__).parents[2], **pipes) as holder:
        assert holder.stdout.readline() == "open\n"
        yield path, holder
        holder.stdin.close()


def test_new_store_is_its_owners_alone(db):
    """Nobody but its owner may read the store."""
    assert db.path.stat().st_mode & 0o777 == 0o600


def test_settings_hold_and_are_locked(db):
    """No statement reaches files, loads extensions, or changes that."""
    with db.transaction() as cursor:
        said = dict(cursor.execute("SELECT name, value FROM duckdb_settings()").fetchall())
        with pytest.raises(duckdb.Error, match="locked"):
            cursor.execute("SET threads = 1")
    with db.reader() as cursor, pytest.raises(duckdb.PermissionException):
        cursor.execute("SELECT * FROM read_text('/etc/hostname')")
    assert said["enable_external_access"] == "false"
    assert said["autoload_known_extensions"] == "false"
    assert said["autoinstall_known_extensions"] == "false"
    assert said["checkpoint_threshold"] == "244.1 MiB"
    assert said["threads"] == "2"
    assert said["disabled_optimizers"] == "common_subplan"


def test_reader_sees_its_moment_and_cannot_write(db):
    """A reader keeps the commit that it began with, and beside it the writer goes on."""
    with db.reader() as reader:
        assert reader.execute("SELECT count(*) FROM queries").fetchall() == [(0,)]
        with db.transaction() as writer:
            writer.execute("INSERT INTO queries VALUES (now()::TIMESTAMP, 'a', 'b', 'answered', 1, 0.1)")
        assert reader.execute("SELECT count(*) FROM queries").fetchall() == [(0,)]
    with db.reader() as reader:
        assert reader.execute("SELECT count(*) FROM queries").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error, match="read-only"):
            reader.execute("DELETE FROM queries")


def test_error_in_transaction_leaves_nothing(db, ask):
    """All of a transaction or nothing."""

    def add_and_fail():
        with db.transaction() as cursor:
            cursor.execute("INSERT INTO queries VALUES (now()::TIMESTAMP, 'a', 'b', 'answered', 1, 0.1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert ask("SELECT count(*) FROM queries") == [(0,)]


def test_writers_take_turns(db, ask):
    """Transactions of several threads never conflict."""

    def add():
        for _ in range(20):
            with db.transaction() as cursor:
                ((number,),) = cursor.execute("SELECT count(*) FROM reviews").fetchall()
                cursor.execute("DELETE FROM queries")
                cursor.execute("INSERT INTO queries VALUES (now()::TIMESTAMP, 'a', 'b', 'c', ?, 0)", [number])
                cursor.execute("INSERT INTO reviews SELECT 'p', now(), now(), '', '', '', '', now()")

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask("SELECT count(*) FROM reviews") == [(60,)]
    assert ask("SELECT rows FROM queries") == [(59,)]


def test_held_store_names_the_process(held):
    """A store that another process has open: one sentence with its number, at once."""
    path, holder = held
    with pytest.raises(StoreHeld, match=rf"{path}: held by process {holder.pid} \("):
        Database.open(path)


def test_held_store_is_waited_for(held):
    """Within wait_seconds the store is opened as soon as it is free."""
    path, holder = held
    waited = threading.Thread(target=lambda: Database.open(path, wait_seconds=60).close())
    waited.start()
    holder.stdin.close()
    waited.join(60)
    assert not waited.is_alive()


def test_store_that_this_process_holds(db):
    """A second opening by the same process is refused as well; DuckDB's lock would let it through."""
    with pytest.raises(StoreHeld, match=r"held by this process"):
        Database.open(db.path)


def test_store_of_a_newer_version_is_refused(tmp_path):
    """A schema that this version does not know is left alone."""
    path = tmp_path / "store.duckdb"
    db = Database.open(path)
    with db.transaction() as cursor:
        cursor.execute("INSERT INTO migrations VALUES (9999, 'later', now())")
    db.close()
    with pytest.raises(StoreTooNew, match="schema 9999"):
        Database.open(path)


def test_file_of_a_newer_duckdb_is_refused(tmp_path):
    """The version in the file's header decides, and the sentence does not speak of damage."""
    path = tmp_path / "store.duckdb"
    Database.open(path).close()
    octets = bytearray(path.read_bytes())
    octets[12:20] = struct.pack("<Q", 250)  # the version of the format, behind checksum and magic bytes
    words = (word * 0xBF58476D1CE4E5B9 % 2**64 for (word,) in struct.iter_unpack("<Q", octets[8:4096]))
    octets[:8] = struct.pack("<Q", functools.reduce(operator.xor, words, 5381))
    path.write_bytes(octets)
    with pytest.raises(StoreTooNew, match="newer DuckDB"):
        Database.open(path)


@pytest.mark.parametrize("octets", [b"no database at all\n" * 300, b"\0" * 8192])
def test_damaged_store_says_recover(tmp_path, octets):
    """A file that DuckDB cannot read: what is wrong, and what to do."""
    path = tmp_path / "store.duckdb"
    path.write_bytes(octets)
    with pytest.raises(StoreBroken, match="hsmtrail recover"):
        Database.open(path)


def test_damaged_log_says_recover(tmp_path):
    """A flipped bit in the write-ahead log is damage too."""
    path = tmp_path / "store.duckdb"
    made = (
        "import os, sys; from pathlib import Path; from store.database import Database\n"
        "db = Database.open(Path(sys.argv[1]))\n"
        "with db.transaction() as c: c.execute(\"INSERT INTO reviews SELECT repeat('x', 500), now(), now(), '', '', '', '', now() FROM range(9)\")\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", made, str(path)], check=True, cwd=Path(__file__).parents[2])
    log = path.with_name("store.duckdb.wal")
    octets = bytearray(log.read_bytes())
    octets[len(octets) // 2] ^= 0x10
    log.write_bytes(octets)
    with pytest.raises(StoreBroken, match="hsmtrail recover"):
        Database.open(path)


def test_folder_that_is_not_there(tmp_path):
    """The sentence names the file."""
    with pytest.raises(StoreError, match=r"missing/store\.duckdb: "):
        Database.open(tmp_path / "missing" / "store.duckdb")


@pytest.mark.parametrize(
    ("reason", "words"),
    [("No space left on device", "no room left"), ("Permission denied", "permission denied")],
)
def test_trouble_that_is_no_damage(tmp_path, reason, words):
    """A full disk and a file of somebody else's do not call for `recover`."""
    error = database._explained(tmp_path / "store.duckdb", duckdb.IOException(f'Could not write file "x": {reason}'))
    assert words in str(error)
    assert not isinstance(error, StoreBroken)
