"""TCP: lines of each connection, limits, and a sender that is slowed rather than lost."""

import select
import socket
import struct
import threading
import time
from contextlib import suppress

import pytest

from ingest.counters import Connections, Ledger
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.portions import spool_table
from ingest.receiving import log
from ingest.tcp import TcpListener, waiting_bytes


def messages(rows):
    return [(row["raw"], row["trouble"]) for row in rows]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_lines_of_one_connection(site, settings, host):
    """In order, without their marks, with where they came from."""
    site.start(settings("tcp", host))
    with site.connect("tcp", b"one\n5 t\nwo\nthree\0") as sender:
        source = sender.getsockname()[:2]
    rows = site.stop()
    assert messages(rows) == [(b"one", ""), (b"t\nwo\n", ""), (b"three", "")]
    assert {(row["peer"], row["peer_port"], row["transport"]) for row in rows} == {(*source, "tcp")}
    assert site.listener("tcp")["connections"] == {"accepted": 1, "refused": 0, "tls_failed": 0, "without_message": 0}


def test_framing_is_of_each_listener(site, settings):
    """Line feed only, NUL only, counts only."""
    kinds = {"lf": b"5 a\0b\n", "nul": b"a\nb\0", "octet-counted": b"3 a\nb"}
    site.start(*(settings("tcp", name=kind, framing=kind) for kind in kinds))
    for kind, octets in kinds.items():
        site.connect(kind, octets).close()
    assert {row["listener"]: row["raw"] for row in site.stop()} == {
        "lf": b"5 a\0b",
        "nul": b"a\nb",
        "octet-counted": b"a\nb",
    }


@pytest.mark.parametrize("linger", [None, struct.pack("ii", 1, 0)])
def test_what_is_left_at_the_end_or_at_a_reset_is_kept(site, settings, linger):
    """One record, marked incomplete, without its count."""
    site.start(settings("tcp"))
    with site.connect("tcp", b"whole\n10 half") as sender:
        if linger:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert messages(site.stop()) == [(b"whole", ""), (b"half", "incomplete")]


def test_a_long_message_is_cut_and_counted(site, settings):
    """Its remainder is skipped, the next one is whole."""
    site.start(settings("tcp", max_message=10))
    site.connect("tcp", b"0123456789abc\nnext\n14 0123456789abcdlast\n").close()
    assert messages(site.stop()) == [
        (b"0123456789", "cut"),
        (b"next", ""),
        (b"0123456789", "cut"),
        (b"last", ""),
    ]
    assert (site.listener("tcp")["cut"], site.listener("tcp")["spooled"]) == (2, 4)


@pytest.mark.parametrize(
    ("framing", "octets", "reason"),
    [("auto", b"ok\n99999999999 x", "count_too_large"), ("octet-counted", b"2 okno number", "no_count")],
)
def test_a_count_that_cannot_be_closes_the_connection(site, settings, closed, framing, octets, reason):
    """Refused once; what came before is kept."""
    site.start(settings("tcp", framing=framing))
    with site.connect("tcp", octets) as sender:
        assert closed(sender)
    assert messages(site.stop()) == [(b"ok", "")]
    listener = site.listener("tcp")
    assert (listener["received"], listener["refused"], listener["spooled"]) == (2, {reason: 1}, 1)


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"3 first4 next\n", [(b"fir", ""), (b"st4 next", "")]),
        (b"9 first4 next\n", [(b"first4 ne", ""), (b"xt", "")]),
        (b"99 first4 next\n", [(b"first4 next\n", "incomplete")]),
        (b"000000000000000000005 first\n", [(b"first", ""), (b"", "")]),
    ],
)
def test_a_count_that_does_not_fit(site, settings, octets, wanted):
    """Is believed; what is left over, or missing, shows."""
    site.start(settings("tcp"))
    site.connect("tcp", octets).close()
    assert messages(site.stop()) == wanted


def test_a_stop_takes_what_the_sockets_hold(site, settings):
    """From open connections, and from those nobody had accepted yet."""
    site.start(settings("tcp"))
    senders = [site.connect("tcp", b"".join(b"line %d of %d\n" % (i, j) for i in range(500))) for j in range(30)]
    rows = site.stop()
    for sender in senders:
        sender.close()
    wanted = [b"line %d of %d" % (i, j) for i in range(500) for j in range(30)]
    assert sorted(row["raw"] for row in rows) == sorted(wanted)


def test_more_connections_than_allowed_are_refused(site, settings, closed):
    """Counted apart; an end makes room."""
    site.start(settings("tcp", max_connections=2))
    with site.connect("tcp", b"a\n"), site.connect("tcp", b"b\n") as second:
        with site.connect("tcp") as third:
            assert closed(third)
        second.shutdown(socket.SHUT_WR)
        assert closed(second)
        site.connect("tcp", b"c\n").close()
        assert sorted(row["raw"] for row in site.stop()) == [b"a", b"b", b"c"]
    assert site.listener("tcp")["connections"]["refused"] == 1
    assert site.listener("tcp")["connections"]["accepted"] == 3


def test_one_sender_cannot_take_all_connections(site, settings, closed):
    """The limit for one address leaves room for others."""
    site.start(settings("tcp", max_connections_per_peer=1))
    with site.connect("tcp", b"a\n"), site.connect("tcp", b"b\n", source="127.0.0.2"):
        with site.connect("tcp") as third:
            assert closed(third)
        assert sorted(row["raw"] for row in site.stop()) == [b"a", b"b"]


def test_addresses_that_are_not_allowed(site, settings, closed):
    """Refused before a byte is read."""
    site.start(settings("tcp", allow=("127.0.0.2",)))
    with site.connect("tcp") as sender:
        assert closed(sender)
    site.connect("tcp", b"yes\n", source="127.0.0.2").close()
    assert messages(site.stop()) == [(b"yes", "")]
    assert site.listener("tcp")["connections"]["refused"] == 1


def test_a_silent_connection_is_closed(site, settings, closed):
    """What it had begun is kept; one that said nothing is counted."""
    site.start(settings("tcp", idle_seconds=0.05))
    with site.connect("tcp", b"begun") as one, site.connect("tcp") as other:
        assert closed(one)
        assert closed(other)
    assert messages(site.stop()) == [(b"begun", "incomplete")]
    assert site.listener("tcp")["connections"]["without_message"] == 1
    assert site.listener("tcp")["connections_closed"] == {"idle": 2}


def test_connections_are_counted_over_restarts(site, settings):
    """As messages are."""
    site.start(settings("tcp"))
    site.connect("tcp", b"one\n").close()
    site.stop()
    site.start()
    site.connect("tcp", b"two\n").close()
    site.stop()
    assert site.listener("tcp")["connections"]["accepted"] == 2
    assert site.listener("tcp")["spooled"] == 2


def test_a_sender_is_slowed_when_the_spool_is_behind(settings, eventually):
    """Nothing is read beyond the limit of waiting bytes, and nothing is lost."""
    most = 1 << 20
    intake = Intake(Pending(most), Ledger({}), Notices(log))
    listener = TcpListener(settings("tcp", receive_buffer=1 << 16), intake, Connections())
    thread = threading.Thread(target=listener.run)
    thread.start()
    lines = 300_000
    with socket.create_connection(("127.0.0.1", int(listener.address.rsplit(":", 1)[1]))) as sender:
        sender.setblocking(False)
        rest = memoryview(b"".join(b"%0100d\n" % number for number in range(lines)))
        rest = rest[eventually(lambda: sent_until_full(sender, rest)) :]
        assert intake.pending._bytes <= most
        assert len(rest) > 0
        sender.setblocking(True)
        rows = []
        sending = threading.Thread(target=sender.sendall, args=(rest,))
        sending.start()
        while len(rows) < lines:
            portions = intake.pending.take(1, 0.01)
            rows += spool_table(portions).column("raw").to_pylist()
            intake.pending.done(sum(portion.size for portion in portions))
        sending.join()
    listener.stop()
    thread.join()
    assert rows == [b"%0100d" % number for number in range(lines)]


def test_one_who_floods_gets_a_turn_like_others(settings, intake, eventually):
    """With 50 full connections no more than its bytes; the quiet one is heard in the same turn."""
    listener = TcpListener(settings("tcp", turn_bytes=1 << 16), intake, Connections())
    address = ("127.0.0.1", int(listener.address.rsplit(":", 1)[1]))
    line = b"x" * 999 + b"\n"
    senders = [socket.create_connection(address, 20) for _ in range(50)]
    senders.append(socket.create_connection(address, 20, ("127.0.0.2", 0)))
    for sender in senders[:-1]:
        sender.sendall(line * 50)
    senders[-1].sendall(b"quiet\n")
    listener._poll.register(listener._socket, select.EPOLLIN)
    listener._accept()
    eventually(lambda: all(waiting_bytes(one.socket) for one in listener._open.values()))
    first = listener._turn()
    assert first <= (1 << 16) + 50_000 + 6
    assert b"quiet" in spool_table(intake.pending.take(1 << 30, 0)).column("raw").to_pylist()
    turns = [first]
    while sum(turns) < 50 * 50 * 1000 + 6:
        turns.append(listener._turn())
    assert max(turns[1:]) > 1 << 16  # alone it is not held back
    listener.close()
    for sender in senders:
        sender.close()


def test_a_thousand_silent_connections_cost_nobody_a_line(site, settings, eventually):
    """Each takes a descriptor and no thread; those who speak are heard at once."""
    site.start(settings("tcp"))
    silent = [site.connect("tcp") for _ in range(1000)]
    eventually(lambda: site.listener("tcp")["connections_open"] == 1000)
    begun = time.monotonic()
    with site.connect("tcp", b"line\n"):
        eventually(lambda: site.listener("tcp")["spooled"] == 1)
    assert time.monotonic() - begun < 5
    assert threading.active_count() < 20
    site.stop()
    for one in silent:
        one.close()
    assert site.listener("tcp")["connections"]["without_message"] == 1000


def test_messages_without_end_cannot_take_the_memory(site, settings, eventually):
    """The largest is kept as it is and its connection closed, until all fit; a small one is waited for."""
    site.start(settings("tcp", max_unfinished=1 << 20))
    with site.connect("tcp", b"quiet ", source="127.0.0.2") as quiet:
        endless = [site.connect("tcp", b"%03d" % number + b"x" * 60_000) for number in range(50)]
        eventually(lambda: site.listener("tcp")["connections_closed"] == {"unfinished": 50 - (1 << 20) // 60_003})
        quiet.sendall(b"line\n")
        eventually(lambda: b"quiet line" in [row["raw"] for row in site.rows()])
        rows = site.stop()
    for one in endless:
        one.close()
    assert sorted(row["raw"][:3] for row in rows if row["trouble"] == "incomplete") == [b"%03d" % i for i in range(50)]
    assert {len(row["raw"]) for row in rows} == {60_003, 10}


def test_a_connection_that_another_one_ended_is_not_read(settings, intake, eventually):
    """In the same turn, for the room that its message took."""
    listener = TcpListener(settings("tcp", max_unfinished=100_000), intake, Connections())
    address = ("127.0.0.1", int(listener.address.rsplit(":", 1)[1]))
    with socket.create_connection(address, 20) as large, socket.create_connection(address, 20) as small:
        listener._accept()
        large.sendall(b"L" * 60_000)
        eventually(lambda: listener._turn(0.01) and listener._unfinished == 60_000)
        small.sendall(b"S" * 50_000)
        one, two = listener._open.values()
        eventually(lambda: waiting_bytes(two.socket) == 50_000)
        large.sendall(b"L")
        eventually(lambda: waiting_bytes(one.socket) == 1)
        listener._read_fairly([two, one])
        assert list(listener._open.values()) == [two]
        assert (listener._unfinished, listener.connections.closings) == (50_000, {"unfinished": 1})
        listener._take_the_rest()
    listener.close()


def test_a_slow_sender_is_waited_for(site, settings, eventually):
    """Byte by byte, its message is whole in the end; others do not wait for it."""
    site.start(settings("tcp"))
    with site.connect("tcp") as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in b"11 slow sender":
            slow.sendall(bytes([octet]))
            with site.connect("tcp", b"other\n"):
                pass
        eventually(lambda: site.listener("tcp")["spooled"] == 15)
    rows = site.stop()
    assert [row["raw"] for row in rows if row["raw"] != b"other"] == [b"slow sender"]
    assert {row["trouble"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("octets", "protocol"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32, 80)), "TLS"),
        (b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    ],
    ids=["TLS", "HTTP", "SSH"],
)
def test_other_protocols_are_kept_and_said(site, settings, caplog, octets, protocol):
    """Evidence like every line; one line of our log says who sent what; the next sender is heard."""
    site.start(settings("tcp"))
    site.connect("tcp", octets).close()
    site.connect("tcp", b"<13>line\n").close()
    lines = [row["raw"] for row in site.stop()]
    lines.remove(b"<13>line")
    assert b"".join(lines) == octets.replace(b"\n", b"").replace(b"\0", b"")
    said = [record.facts for record in caplog.records if record.getMessage() == "not_syslog"]
    assert [(one["looks_like"], one["peer"]) for one in said] == [(protocol, "127.0.0.1")]


def test_a_stop_after_a_count_that_cannot_be(site, settings):
    """What comes behind it is not read, and the stop does not stumble over it."""
    site.start(settings("tcp"))
    with site.connect("tcp", b"ok\n99999999999 x"):
        pass
    octets = b"ok\n99999999999 x" + b"y" * (3 << 20)
    senders = []
    for _ in range(5):
        sender = site.connect("tcp")
        sender.setblocking(False)
        with suppress(OSError):
            sender.send(octets)
        senders.append(sender)
    rows = site.stop()
    for sender in senders:
        sender.close()
    assert {row["raw"] for row in rows} == {b"ok"}
    assert site.listener("tcp")["refused"] == {"count_too_large": len(rows)}


def sent_until_full(sender, octets, patience=50):
    """Bytes sent when the other side has not read for a while."""
    sent = waits = 0
    while waits < patience:
        try:
            sent += sender.send(octets[sent:])
            waits = 0
        except BlockingIOError:
            waits += 1
            threading.Event().wait(0.01)
    return sent


def test_no_descriptors_left_is_said_and_survived(site, settings, monkeypatch, caplog, eventually):
    """Those at the door wait until there are some."""
    real, calls = socket.socket.accept, []

    def accept(listening):
        calls.append(1)
        if len(calls) == 1:
            raise OSError(24, "Too many open files")
        return real(listening)

    monkeypatch.setattr(socket.socket, "accept", accept)
    site.start(settings("tcp"))
    with site.connect("tcp", b"line\n"):
        eventually(lambda: len(calls) > 1)
        assert messages(site.stop()) == [(b"line", "")]
    assert "cannot_accept" in caplog.text
