"""The receiver as a whole: counters, status, starts that are refused."""

import json
import resource
import socket
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import counters
from ingest.counters import Counted, Ledger, Taken, furthest
from ingest.door import Allowed
from ingest.group_commit import GroupCommit
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.portions import Portion, Source, spool_table
from ingest.receiving import Receiver, ReceiverError, ReceiverSettings, log
from ingest.sockets import ListenerError, bound
from ingest.spool import SpoolReader, SpoolSettings, SpoolWriter
from ingest.status_file import read_status, write_status


def test_status_has_the_words_of_the_contract(site, settings):
    """Figures, and the address that was really bound."""
    site.start(settings("udp"), settings("tcp", "::1"))
    site.datagrams("udp", b"line", b"")
    live = site.receiver.status()
    assert [item["address"].rsplit(":", 1)[0] for item in live["listeners"]] == ["127.0.0.1", "[::1]"]
    site.stop()
    status = json.loads((site.folder / "status.json").read_text())
    assert status["listeners"][0] == {
        "name": "udp",
        "protocol": "udp",
        "address": live["listeners"][0]["address"],
        "received": 2,
        "kernel_dropped": 0,
        "refused": {"empty": 1},
        "cut": 0,
        "spooled": 1,
        "connections": {"accepted": 0, "refused": 0, "tls_failed": 0, "without_message": 0},
        "connections_refused": {},
        "connections_closed": {},
        "connections_open": 0,
    }
    assert status["last_batch"] == 1 << 48 | 2  # the first one says that we listen
    assert status["spool_bytes"] == (site.folder / "000000000001.arrow").stat().st_size
    assert (status["pid"], status["blocked"]) == (live["pid"], "")
    assert datetime.fromisoformat(status["started_at"]).tzinfo is not None


def test_the_status_is_fresh_without_being_asked(site, settings, eventually):
    """Within a second of what it says."""
    site.start(settings("udp"))
    site.datagrams("udp", b"line")
    eventually(lambda: site.listener("udp")["spooled"] == 1)


def test_counters_go_on_after_a_restart(site, settings):
    """Spooled, cut and refused; in the status and in each batch."""
    for _ in range(3):
        site.start(settings("udp", max_message=100))
        site.datagrams("udp", b"", b"x" * 200, b"line")
        site.stop()
    listener = site.listener("udp")
    assert (listener["spooled"], listener["cut"], listener["refused"]) == (6, 3, {"empty": 3})
    assert listener["received"] == 9
    last = SpoolReader(site.folder).next_batches()[-1]
    assert last.counters["udp"].spooled == 6


def test_refusals_since_the_last_batch_are_not_forgotten(site, settings):
    """They stand in the status alone until the next batch carries them; so do listeners that are gone."""
    site.start(settings("udp"), settings("udp", name="old"))
    site.datagrams("udp", b"")
    site.datagrams("old", b"")
    site.stop()
    site.start(settings("udp"))
    site.datagrams("udp", b"line")
    site.stop()
    *_, batch = SpoolReader(site.folder).next_batches()
    assert batch.counters == {
        "udp": Counted(spooled=1, refused={"empty": 1}),
        "old": Counted(refused={"empty": 1}),
    }


def test_what_a_receiver_cannot_follow_is_said(site, settings):
    """Listeners that come, go or move; everything else counts at once."""
    site.start(settings("udp"), settings("tcp"), settings("tcp", name="gone"))
    old = site.receiver._settings
    udp, tcp, _ = site.listeners
    wanted = (
        replace(udp, max_message=1000, workers=2),
        replace(tcp, max_message=10, max_connections=1),
        settings("udp", name="new"),
    )
    assert site.receiver.follow(replace(old, listeners=wanted, number=7)) == [
        "number",
        "listener udp: workers, max_message",
        "listener gone: it is no more",
        "listener new: it is new",
    ]
    site.connect("tcp", b"0123456789abc\n").close()
    assert [row["raw"] for row in site.stop()] == [b"0123456789"]


def test_a_port_in_use_is_one_sentence(site, settings, tmp_path):
    """What, where and what to do; nothing stays open, so the next start works."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Receiver(ReceiverSettings(tmp_path, (settings("udp"), settings("tcp", port=port))))
        with pytest.raises(ReceiverError, match=rf'listener "tcp": tcp 127.0.0.1:{port} cannot be bound; it is in use'):
            refused.start()
    site.start(settings("tcp", port=port))


def test_a_spool_in_use_is_one_sentence(site, settings, tmp_path):
    """Two receivers on one spool would share numbers."""
    writer = SpoolWriter.open(site.folder, 1)
    with pytest.raises(ReceiverError, match="writes this spool"):
        site.start(settings("udp"))
    site.receiver = None
    writer.close()


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("203.0.113.9", "this machine has no such address"),
        ("no such host", "correct its address"),
    ],
)
def test_an_address_that_cannot_be_bound(settings, host, sentence):
    """Is named with its listener."""
    with pytest.raises(ListenerError, match=sentence):
        bound(settings("tcp", host, name="edge"))


def test_a_thread_that_fails_is_noticed(site, settings, eventually, caplog):
    """So that the process can end and be started again."""
    site.start(settings("udp"))
    site.receiver._listeners[0]._workers[0]._hand_over = None
    site.datagrams("udp", b"line")
    eventually(site.receiver.failed.is_set)
    assert "thread_failed" in caplog.text


@contextmanager
def largest_file(octets):
    """No file of this process may grow beyond it: the next write fails as on a full disk (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def lines(*messages):
    return Portion(pa.array(messages, pa.binary()), 0, (Source("tcp", "tcp", "192.0.2.1", 514),))


@pytest.mark.parametrize("segment_bytes", [1, 1 << 20])
def test_a_batch_that_the_disk_does_not_take_changes_nothing(tmp_path, segment_bytes):
    """In the same segment or a new one: numbers, file and head are as before, and the batch goes in later."""
    folder = tmp_path / "main"
    writer = SpoolWriter.open(folder, 1, SpoolSettings(segment_bytes=segment_bytes))
    writer.commit(spool_table([lines(b"one")]), {})
    before = {path.name: path.read_bytes() for path in folder.glob("*.arrow")}
    with largest_file(max(map(len, before.values())) - 100), pytest.raises(OSError, match="File too large"):
        writer.commit(spool_table([lines(b"two")]), {})
    assert {path.name: path.read_bytes() for path in folder.glob("*.arrow")} == before
    assert writer.commit(spool_table([lines(b"two")]), {}).batch == 1 << 48 | 2
    assert writer.spool_bytes == sum(path.stat().st_size for path in folder.glob("*.arrow"))
    writer.close()
    found = SpoolReader(folder).next_batches()
    assert [batch.table.column("raw").to_pylist() for batch in found] == [[b"one"], [b"two"]]


def test_lines_that_the_disk_never_takes_are_refused_at_the_stop(tmp_path):
    """To the last line: received = spooled + refused."""
    writer = SpoolWriter.open(tmp_path / "main", 1)
    intake = Intake(Pending(1 << 20), Ledger({}), Notices(log))
    commits = GroupCommit(writer, SpoolSettings(commit_seconds=0), intake)
    intake.pending.put(lines(b"one", b"two"))
    intake.pending.close()
    commits.stop_waiting()
    with largest_file(100):
        commits.run()
    writer.close()
    assert intake.ledger.now() == {"tcp": Counted(refused={"disk_full": 2})}


def test_a_batch_that_cannot_be_made_is_counted(tmp_path, caplog):
    """The spool's thread goes on with the next."""
    writer = SpoolWriter.open(tmp_path / "main", 1)
    intake = Intake(Pending(1 << 20), Ledger({}), Notices(log))
    wrong = Portion(pa.array([b"x"], pa.binary()), 0, (Source("tcp", "tcp", "192.0.2.1", 70000),))
    for portion in (wrong, lines(b"good")):
        intake.pending.put(portion)
    intake.pending.close()
    GroupCommit(writer, SpoolSettings(commit_bytes=1), intake).run()
    writer.close()
    assert intake.ledger.now()["tcp"] == Counted(spooled=1, refused={"spool_error": 1})
    assert "batch_failed" in caplog.text


def test_a_status_on_a_full_disk_is_written_over_in_place(tmp_path):
    """The file has its room already."""
    write_status(tmp_path, {"listeners": [], "round": 1})
    (tmp_path / ".status.json").mkdir()
    (tmp_path / ".status.json").rmdir()
    (tmp_path / ".status.json").symlink_to(tmp_path / "no such folder" / "file")
    write_status(tmp_path, {"round": 2})
    assert read_status(tmp_path) == {"round": 2}


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_status_that_cannot_be_read_is_none(tmp_path, text):
    """A kill, or a stranger, may leave anything."""
    (tmp_path / "status.json").write_text(text)
    assert read_status(tmp_path) == {}


def test_allowed_networks():
    """By address of either family, with or without a zone."""
    allowed = Allowed(["192.0.2.0/24", "2001:db8::/32", "fe80::/10"])
    assert "192.0.2.7" in allowed
    assert "198.51.100.7" not in allowed
    assert "2001:db8::5" in allowed
    assert "fe80::1%2" in allowed
    assert "203.0.113.1" in Allowed([])


def test_a_warning_is_said_once_a_minute(caplog):
    """With how often it was not said."""
    clock = [0.0]
    notices = Notices(log, lambda: clock[0])
    for second in (0, 1, 59, 60, 61):
        clock[0] = second
        notices.warn("refused", "udp", reason="empty")
    assert [record.facts.get("not_logged_before") for record in caplog.records] == [None, 2]


def test_each_sender_is_named_while_there_are_few(caplog):
    """Thousands of them cannot fill the log or the memory."""
    clock = [0.0]
    notices = Notices(log, lambda: clock[0])
    for round_ in range(3):
        clock[0] = round_ * 61.0
        for number in range(5000):
            notices.warn("refused", "tcp", about=str(number), peer=str(number))
        assert len(notices._said) <= 201
        assert len(caplog.records) <= 201 * (round_ + 1)
    assert [record.facts["peer"] for record in caplog.records[:3]] == ["0", "1", "2"]


FIGURES = st.builds(
    Counted,
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(["empty", "disk_full"]), st.integers(0, 9)),
)


@given(FIGURES, FIGURES)
def test_of_two_accounts_nothing_is_lost(one, other):
    """Neither spooled lines nor refusals; the sum holds."""
    both = furthest(one, other)
    assert both.spooled == max(one.spooled, other.spooled)
    assert both.received == both.spooled + sum(both.refused.values())
    assert furthest(both, one) == both


@given(st.dictionaries(st.text(max_size=3), FIGURES))
def test_counters_survive_their_text(figures):
    """As a batch's metadata carries them."""
    assert counters.read(counters.written(figures)) == figures


def test_lines_count_when_they_are_spooled():
    """Not before: a kill must not leave a figure that no line stands behind."""
    ledger = Ledger({"tcp": Counted(spooled=5)})
    later = ledger.with_taken([Taken("tcp", 3, 1), Taken("udp", 1, 0)])
    assert ledger.now() == {"tcp": Counted(spooled=5)}
    ledger.take([Taken("tcp", 3, 1), Taken("udp", 1, 0)])
    assert ledger.now() == later == {"tcp": Counted(spooled=8, cut=1), "udp": Counted(spooled=1)}
