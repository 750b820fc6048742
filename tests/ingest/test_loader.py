"""From the spool to the store, exactly once."""

import threading
from datetime import timedelta

import duckdb
import polars as pl
import pytest

from ingest.loader import Loader, lag_seconds
from ingest.parsed import unparsed
from ingest.spool import SpoolSettings
from parsers import patterns
from parsers.batch import Parser
from parsers.columns import PARSED
from parsers.inventory import Inventory
from store.database import Database
from store.writer import stored_batches
from support.spooled import Receiver, utc_now

COMMAND = b"<142>Nov 23 08:15:01 luna-a lunash [4242]: info : 0 : Command: hsm show  : admin : Console"


class Plain:
    """Knows no pattern; fast, and the same for every line."""

    def parse(self, lines):
        return unparsed(lines).with_columns(trouble=lines["trouble"])


@pytest.fixture
def db(tmp_path):
    database = Database.open(tmp_path / "store.duckdb")
    yield database
    database.close()


@pytest.fixture
def receiver(tmp_path):
    here = Receiver(tmp_path)
    yield here
    here.close()


@pytest.fixture
def ask(db):
    def rows(sql):
        with db.reader() as cursor:
            return cursor.execute(sql).fetchall()

    return rows


def lines(count, start=0):
    return [b"line %d" % number for number in range(start, start + count)]


@pytest.fixture
def loading(db, tmp_path, eventually):
    """Loaders that follow one another; `stored(n)` waits for so many records."""
    running = []

    class Loading:
        def start(self, parser=None, **more):
            self.loader = Loader(db, tmp_path, parser or Plain(), **more)
            running.append(self.loader)
            self.loader.start()
            return self.loader

        def stored(self, records):
            eventually(lambda: self.loader.status().records >= records and self.loader.lag_seconds() == 0.0)

        def stop(self):
            running.pop().stop()

    yield Loading()
    for loader in running:
        loader.stop()


def test_lines_become_records(db, tmp_path, receiver, ask):
    """Identity from the spool, the rest from the real parser."""
    receiver.commit(COMMAND, b"nobody knows me", peer="192.0.2.10")
    receiver.commit(COMMAND, listener="tcp", transport="tcp", peer_identity="CN=luna-a")
    Loader(db, tmp_path, Parser(patterns.load(), Inventory())).catch_up()
    rows = ask(
        "SELECT record_id - (1::UBIGINT << 48), batch - (1::UBIGINT << 48), listener, transport, peer, peer_port,"
        " peer_identity, family, command, status FROM records ORDER BY record_id"
    )
    assert rows == [
        (1, 1, "udp", "udp", "192.0.2.10", 514, "", "lunash", "hsm show", "parsed"),
        (2, 1, "udp", "udp", "192.0.2.10", 514, "", "other", None, "unparsed"),
        (3, 2, "tcp", "tcp", "127.0.0.1", 514, "CN=luna-a", "lunash", "hsm show", "parsed"),
    ]
    assert ask("SELECT segment FROM batches ORDER BY position") == [("spool/main/000000000001.arrow",)] * 2


def test_running_loader_follows_the_spool(receiver, loading, ask):
    """What is spooled while it runs is stored, in order, with the sums of custody."""
    stored = []
    loading.start(on_stored=stored.append)
    for number in range(20):
        receiver.commit(*lines(50, number * 50))
    loading.stored(1000)
    assert ask("SELECT count(*), count(DISTINCT record_id), min(record_id), max(record_id) FROM records") == [
        (1000, 1000, (1 << 48) + 1, (1 << 48) + 1000)
    ]
    assert ask("SELECT count(*) FROM records WHERE message <> 'line ' || (record_id - (1::UBIGINT << 48) - 1)") == [
        (0,)
    ]
    assert ask("SELECT sum(received), sum(spooled), sum(stored) FROM custody") == [(1000, 1000, 1000)]
    assert sum(commit.records for commit in stored) == 1000
    assert [commit.from_position for commit in stored[1:]] == [commit.to_position for commit in stored[:-1]]
    assert stored[-1].to_position == 20


def test_restart_goes_on_where_it_was(receiver, loading, ask):
    """Batches that are stored are not read again, those that came meanwhile are."""
    receiver.commit(*lines(10))
    loading.start()
    loading.stored(10)
    loading.stop()
    receiver.commit(*lines(10, 10))
    loading.start()
    loading.stored(10)
    assert ask("SELECT count(*), max(batch) - (1::UBIGINT << 48) FROM records") == [(20, 2)]


def test_spools_of_several_receivers(tmp_path, receiver, loading, ask, db):
    """Every folder below spool/ is followed, also one that appears later; files there disturb nobody."""
    (tmp_path / "spool" / "README").write_text("no spool")
    (tmp_path / "spool" / "empty").mkdir()
    loading.start()
    receiver.commit(*lines(3))
    imports = Receiver(tmp_path, "import", 0)
    imports.commit(*lines(4, 100), listener="import", peer="/srv/logs/messages")
    imports.close()
    loading.stored(7)
    assert ask("SELECT transport, count(*) FROM records GROUP BY ALL ORDER BY ALL") == [("import", 4), ("udp", 3)]
    assert stored_batches(db) == {0: 1, 1: (1 << 48) + 1}


def test_large_spool_is_cut_into_pieces(db, tmp_path, receiver, ask):
    """A backlog is stored in pieces of at most max_bytes, in its order."""
    for number in range(30):
        receiver.commit(*lines(10, number * 10))
    commits = []
    Loader(db, tmp_path, Plain(), commits.append, max_bytes=200).catch_up()
    assert len(commits) > 5
    assert ask("SELECT count(*), count(DISTINCT batch) FROM records") == [(300, 30)]


def test_a_flood_lasts_until_its_last_piece_is_stored(receiver, loading, eventually):
    """Who waits for its end does not begin while the last lines, fewer than are read at once, are on their way."""
    flooded = []
    for number in range(9):
        receiver.commit(*lines(50, number * 50))
    loader = loading.start(max_bytes=4000, on_stored=lambda commit: flooded.append((commit.records, loader.flooded())))
    loading.stored(450)
    assert not loader.flooded()
    assert len(flooded) > 2
    assert [over for _, over in flooded] == [True] * (len(flooded) - 1) + [False]


def test_lag_is_the_age_of_the_oldest_line(db, tmp_path, receiver, eventually):
    """The oldest line that a socket brought and that is not stored; imports do not count; 0.0 when all is stored."""
    old = utc_now() - timedelta(hours=1)
    receiver.commit(b"first", received_at=old)
    receiver.commit(b"second")
    assert 3600 <= lag_seconds(db, tmp_path, utc_now()) < 3700
    parser, held = Held(), Loader(db, tmp_path, None)
    held._parser = parser
    held.start()
    parser.asked.wait()
    assert 3600 <= held.lag_seconds() < 3700
    parser.go.set()
    eventually(lambda: held.lag_seconds() == 0.0)
    held.stop()
    imports = Receiver(tmp_path, "import", 0)
    imports.commit(b"third", listener="import", received_at=old)
    imports.close()
    assert lag_seconds(db, tmp_path, utc_now()) == 0.0


class Held(Plain):
    """Parses when it is told to."""

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()

    def parse(self, lines):
        self.asked.set()
        self.go.wait()
        return super().parse(lines)


class Failing(Plain):
    """Fails for any batch that holds a certain line; or gives too few rows."""

    def __init__(self, few=False):
        self.few = few

    def parse(self, lines):
        if b"poison" in lines["raw"].to_list():
            if self.few:
                return super().parse(lines.head(0))
            raise ZeroDivisionError
        return super().parse(lines)


@pytest.mark.parametrize("few", [False, True])
def test_parser_that_fails_loses_nothing(receiver, loading, ask, few, caplog):
    """The lines around the one at fault are kept unparsed, all others are parsed, and our log says so."""
    receiver.commit(*lines(500), b"poison", *lines(500, 500))
    loading.start(Failing(few))
    loading.stored(1001)
    failed = ask("SELECT count(*), bool_or(raw = 'poison') FROM records WHERE trouble = 'parser failed'")
    assert failed[0][1]
    assert failed[0][0] <= 64
    assert ask("SELECT count(*), count(DISTINCT raw) FROM records WHERE trouble = ''") == [(1001 - failed[0][0],) * 2]
    assert "parser_failed" in {record.message for record in caplog.records}


def test_trouble_of_the_line_stays_when_the_parser_fails():
    """What framing said is kept beside it."""
    given = pl.DataFrame(
        {"received_at": [utc_now()], "peer": [""], "peer_identity": [""], "raw": [b"a\xff\0"], "trouble": ["cut"]}
    )
    row = unparsed(given).row(0, named=True)
    assert list(row) == list(PARSED)
    assert (row["trouble"], row["raw"], row["status"]) == ("cut; parser failed", "a\\xff\\x00", "unparsed")


def test_store_that_fails_ends_the_loader(db, receiver, loading, ask, eventually, caplog):
    """A store that takes no rows (a full disk) ends the loader and says so, so that the service starts anew."""
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE batches RENAME TO away")
    with pytest.raises(duckdb.Error):
        loading.start()  # it cannot even read where it stands
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO batches")
    failed = threading.Event()
    loader = loading.start(on_failure=failed.set)
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE lines RENAME TO gone")
    for number in range(8):
        receiver.commit(*lines(10, number * 10))
    assert failed.wait(60)
    assert loader.status().failed
    assert "loading_failed" in {record.message for record in caplog.records}
    loading.stop()
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE gone RENAME TO lines")
    loading.start()
    loading.stored(80)
    assert ask("SELECT count(*) FROM records") == [(80,)]


def test_catching_up_raises_what_went_wrong(db, tmp_path, receiver):
    """A command gets the error itself."""
    receiver.commit(*lines(10))
    loader = Loader(db, tmp_path, Plain())
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE lines RENAME TO gone")
    with pytest.raises(duckdb.Error, match="lines"):
        loader.catch_up()
    with db.transaction() as cursor:
        cursor.execute("ALTER TABLE gone RENAME TO lines")


def test_damaged_batch_is_passed_over(tmp_path, loading, ask, eventually, caplog):
    """What can be read of a damaged spool is stored, later segments too, and our log names the place."""
    receiver = Receiver(tmp_path, settings=SpoolSettings(segment_bytes=1))
    for number in range(4):
        receiver.commit(*lines(10, number * 10))
    receiver.close()
    segments = sorted((tmp_path / "spool" / "main").glob("*.arrow"))
    assert len(segments) > 2
    octets = bytearray(segments[1].read_bytes())
    octets[len(octets) // 2 :] = bytes(len(octets) - len(octets) // 2)
    segments[1].write_bytes(octets)
    loading.start()
    loading.stored(30)
    assert ask("SELECT count(DISTINCT batch) FROM records") == [(3,)]
    assert "spool_damaged" in {record.message for record in caplog.records}


def test_damaged_end_is_asked_for_again(tmp_path, loading, ask, eventually, caplog):
    """A last batch that cannot be read is named once, and lag keeps growing."""
    receiver = Receiver(tmp_path)
    for number in range(2):
        receiver.commit(*lines(10, number * 10))
    receiver.close()
    (segment,) = (tmp_path / "spool" / "main").glob("*.arrow")
    octets = bytearray(segment.read_bytes())
    octets[-400:] = bytes(400)
    segment.write_bytes(octets)
    loader = loading.start()
    eventually(lambda: loader.status().records == 10)
    eventually(lambda: "spool_damaged" in {record.message for record in caplog.records})
    assert loader.lag_seconds() > 0


def test_no_spool_at_all(db, tmp_path, loading):
    """A service may start before its receiver has made anything."""
    assert lag_seconds(db, tmp_path / "nowhere", utc_now()) == 0.0
    assert loading.start().lag_seconds() == 0.0
