"""UDP: every datagram is spooled, refused with a reason, or in the kernel's count of drops."""

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.counters import Counted, Ledger
from ingest.crowd import Crowd
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.portions import Source, spool_table
from ingest.receiving import log
from ingest.sockets import ListenerError
from ingest.udp import MOST_PEERS, Peers, UdpListener, peer_in


def now():
    return datetime.now(UTC).replace(tzinfo=None)


def run_out(listener):
    """Let a listener take what its socket holds, and end."""
    listener.stop()
    for _, work in listener.work():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


def delivered(intake):
    intake.pending.close()
    found = []
    while portions := intake.pending.take(1 << 30, 0):
        found += spool_table(portions).to_pylist()
    return found


def test_a_datagram_is_kept_to_the_byte(site, settings):
    """With its trailing marks, where it came from and when."""
    messages = [b"<13>one\n", b"two\0", b"three\r\n", b"\xff\xfe\n\nx", b"5 abcde"]
    site.start(settings("udp"))
    before = now()
    source = site.datagrams("udp", *messages)
    rows = site.stop()
    assert [row["raw"] for row in rows] == messages
    assert {(row["listener"], row["transport"], row["trouble"], row["peer_identity"]) for row in rows} == {
        ("udp", "udp", "", "")
    }
    assert {(row["peer"], row["peer_port"]) for row in rows} == {source}
    assert all(before <= row["received_at"] <= now() for row in rows)


def test_ipv6_and_ipv4_side_by_side(site, settings):
    """The same port on 0.0.0.0 and [::] is two listeners."""
    site.start(settings("udp", "0.0.0.0", name="four"))
    port = site.address("four")[1]
    site.stop()
    site.start(settings("udp", "0.0.0.0", name="four", port=port), settings("udp", "::", name="six", port=port))
    assert site.listener("six")["address"] == f"[::]:{port}"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six, socket.socket(type=socket.SOCK_DGRAM) as four:
        six.sendto(b"over six", ("::1", port))
        four.sendto(b"over four", ("127.0.0.1", port))
        rows = {row["listener"]: (row["peer"], row["raw"]) for row in site.stop()}
    assert rows == {"six": ("::1", b"over six"), "four": ("127.0.0.1", b"over four")}


def test_an_empty_datagram_is_refused_and_counted(site, settings):
    """And received = spooled + refused."""
    site.start(settings("udp"))
    site.datagrams("udp", b"", b"line", b"")
    assert [row["raw"] for row in site.stop()] == [b"line"]
    listener = site.listener("udp")
    assert (listener["received"], listener["refused"], listener["spooled"]) == (3, {"empty": 2}, 1)


def test_a_long_datagram_is_cut_marked_and_counted(site, settings):
    """One of exactly the limit is whole."""
    site.start(settings("udp", max_message=100))
    site.datagrams("udp", b"x" * 100, b"y" * 101, b"z" * 60000)
    rows = site.stop()
    assert [(row["raw"], row["trouble"]) for row in rows] == [
        (b"x" * 100, ""),
        (b"y" * 100, "cut"),
        (b"z" * 100, "cut"),
    ]
    assert (site.listener("udp")["cut"], site.listener("udp")["spooled"]) == (2, 3)


def test_the_largest_datagram_is_whole(site, settings):
    """65,507 bytes is what UDP over IPv4 can carry."""
    site.start(settings("udp"))
    message = os.urandom(65507)
    site.datagrams("udp", message)
    assert [row["raw"] for row in site.stop()] == [message]


def test_senders_that_are_not_allowed(site, settings, caplog):
    """Refused by reason, others kept; the log says who it was."""
    site.start(settings("udp", allow=("127.0.0.2/32", "2001:db8::/32")))
    site.datagrams("udp", b"no", b"")
    site.datagrams("udp", b"yes", source="127.0.0.2")
    assert [row["raw"] for row in site.stop()] == [b"yes"]
    assert site.listener("udp")["refused"] == {"not_allowed": 2}
    assert [r.facts["peer"] for r in caplog.records if r.getMessage() == "refused"] == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_lines_of_many_senders_keep_their_own(intake, settings, host):
    """However they are mixed in one take."""
    listener = UdpListener(settings("udp", host), intake)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    senders = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(5)]
    port = int(listener.address.rsplit(":", 1)[1])
    for number in range(200):
        senders[number % 5 if number % 3 else 0].sendto(b"%d" % number, (host, port))
    ports = [sender.getsockname()[1] for sender in senders]
    run_out(listener)
    for sender in senders:
        sender.close()
    rows = delivered(intake)
    assert [row["raw"] for row in rows] == [b"%d" % number for number in range(200)]
    wanted = [(host, ports[number % 5 if number % 3 else 0]) for number in range(200)]
    assert [(row["peer"], row["peer_port"]) for row in rows] == wanted


def test_what_the_kernel_dropped_is_counted(intake, settings):
    """When the buffer is too small, sent = received + kernel_dropped."""
    listener = UdpListener(settings("udp", receive_buffer=4096), intake)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", int(listener.address.rsplit(":", 1)[1])))
        for number in range(1000):
            sender.send(b"line %d" % number)
    dropped = listener.kernel_dropped()
    run_out(listener)
    kept = len(delivered(intake))
    assert dropped > 900
    assert kept + dropped == 1000
    assert listener.kernel_dropped() == dropped


def test_drops_are_summed_over_restarts(site, settings):
    """Cumulative for the spool's life."""
    site.start(settings("udp"))
    site.receiver._intake.ledger.dropped("udp", 7)
    site.receiver._dropped_before["udp"] = 7
    site.stop()
    site.start()
    site.datagrams("udp", b"line")
    site.stop()
    assert (site.listener("udp")["kernel_dropped"], site.listener("udp")["received"]) == (7, 1)


def test_a_stop_leaves_nothing_in_the_socket(site, settings):
    """Every datagram that was sent before is spooled."""
    site.start(settings("udp"))
    site.datagrams("udp", *(b"line %d" % number for number in range(20000)))
    rows = site.stop()
    assert [row["raw"] for row in rows] == [b"line %d" % number for number in range(20000)]


def test_a_steady_sender_does_not_delay_the_stop(site, settings):
    """The kernel counts what comes too late."""
    site.start(settings("udp"))
    address = site.address("udp")
    going, sent = threading.Event(), []

    def flood():
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            while not going.is_set():
                sender.sendto(b"line", address)
                sent.append(1)

    thread = threading.Thread(target=flood)
    thread.start()
    begun = time.monotonic()
    site.stop()
    ended = time.monotonic()
    going.set()
    thread.join()
    assert ended - begun < 5
    listener = site.listener("udp")
    assert 0 < listener["spooled"] + listener["kernel_dropped"] <= len(sent)


def test_while_the_disk_is_full_datagrams_are_refused(intake, settings):
    """And counted by that reason."""
    listener = UdpListener(settings("udp"), intake)
    intake.pending.blocked = "disk_full"
    intake.pending._most = 1
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for _ in range(2):
            sender.sendto(b"x" * 2000, ("127.0.0.1", int(listener.address.rsplit(":", 1)[1])))
            while listener._workers[0].receive():
                pass
    listener.close()
    assert intake.ledger.now() == {"udp": Counted(refused={"disk_full": 1})}
    assert len(delivered(intake)) == 1


CODE = """
import encodings.idna, logging, os, sys
from ingest.counters import Ledger
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.receiving import ListenerSettings
from ingest.udp import UdpListener
logging.basicConfig(format="%(message)s %(facts)s")
if os.getuid() == 0:
    os.setuid(65534)
UdpListener(ListenerSettings("udp", "udp", "127.0.0.1", 0), Intake(Pending(1), Ledger({}), Notices(logging.getLogger())))
"""


def test_a_small_receive_buffer_is_said_with_its_remedy():
    """Without the right to force it, the warning names the command."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "small_receive_buffer" in done.stderr
    assert "sysctl -w net.core.rmem_max=134217728" in done.stderr


def test_the_memory_of_senders_is_bounded(settings):
    """Ten thousand forged ports are not kept."""
    peers = Peers(settings("udp"), socket.AF_INET)
    names = np.zeros((5000, 32), np.uint8)
    names[:, 2:4] = np.arange(5000, dtype=">u2").view(np.uint8).reshape(-1, 2)
    for block in np.split(names, 5):
        sources, permitted, which = peers.of(block)
        assert permitted.all()
        ports = np.arange(5000)[which] if len(sources) == 5000 else [sources[i].peer_port for i in which]
        assert list(ports) == block[:, 2:4].copy().view(">u2").ravel().tolist()
        assert len(peers._known) <= MOST_PEERS + 1000


def listening(settings, intake, **more):
    """A UDP listener whose threads run; (listener, port, stop)."""
    listener = UdpListener(settings("udp", **more), intake)
    threads = [threading.Thread(target=work) for _, work in listener.work()]
    for thread in threads:
        thread.start()

    def stop():
        listener.stop()
        for thread in threads:
            thread.join()

    return listener, ("127.0.0.1", listener._workers[0].port), stop


def paced(address, source, messages, at_once=100, pause=0.005):
    """So many at a time, with a pause between: 20,000 a second."""
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        for number, message in enumerate(messages):
            sender.sendto(message, address)
            if number % at_once == at_once - 1:
                time.sleep(pause)


def test_a_flood_takes_nothing_from_quiet_senders(settings):
    """While the disk is behind: they lose nothing, who floods is refused by that reason, and the sums hold."""
    intake = Intake(Pending(1 << 20, reserve=4 << 20), Ledger({}), Notices(log))
    listener, address, stop = listening(settings, intake, receive_buffer=4 << 20, crowded_rate=500)
    quiet = [b"quiet %d" % number for number in range(100)]
    flooding = [b"flood %d " % number + b"x" * 1000 for number in range(20_000)]
    flood = threading.Thread(target=paced, args=(address, "127.0.0.1", flooding))
    flood.start()
    paced(address, "127.0.0.2", quiet, 1, 0.01)
    flood.join()
    stopping = threading.Thread(target=stop)
    stopping.start()
    lines = []
    while stopping.is_alive() or intake.pending._portions:
        portions = intake.pending.take(1, 0, 0.05)
        lines += spool_table(portions).column("raw").to_pylist()
        intake.pending.done(sum(portion.size for portion in portions))
    stopping.join()
    refused = intake.ledger.now()["udp"].refused
    assert [line for line in lines if line.startswith(b"quiet")] == quiet
    assert refused["flooding"] > 1000
    assert len(lines) + sum(refused.values()) + listener.kernel_dropped() == len(quiet) + len(flooding)
    assert listener.kernel_dropped() == 0


def test_one_sender_alone_is_not_held_back(settings):
    """The kernel keeps its burst until the disk has time for it."""
    intake = Intake(Pending(1 << 16, reserve=0), Ledger({}), Notices(log))
    listener, address, stop = listening(settings, intake, receive_buffer=4 << 20, crowded_rate=1)
    messages = [b"%d " % number + b"x" * 1000 for number in range(3500)]
    paced(address, "127.0.0.1", messages)
    stopping = threading.Thread(target=stop)
    stopping.start()
    lines = []
    while stopping.is_alive() or intake.pending._portions:
        portions = intake.pending.take(1, 0, 0.05)
        lines += spool_table(portions).column("raw").to_pylist()
        intake.pending.done(sum(portion.size for portion in portions))
    assert lines == messages[: len(lines)]
    assert len(lines) + listener.kernel_dropped() == len(messages)
    assert intake.ledger.now() == {}


def test_the_fair_share_of_each_address(settings, intake):
    """A second's worth at first, then as time goes by; ports of one address share it."""
    with socket.socket(type=socket.SOCK_DGRAM) as receiving:
        clock = [100.0]
        crowd = Crowd(receiving, 10, lambda: clock[0])
        sources = tuple(Source("udp", "udp", peer, port) for peer, port in (("a", 1), ("b", 1), ("a", 2)))
        which = np.array([0, 2] * 8 + [1] * 3)
        assert np.flatnonzero(crowd.within_rate(sources, which)).tolist() == [*range(10), 16, 17, 18]
        assert crowd.within_rate(sources, np.array([0, 1])).tolist() == [False, True]
        clock[0] += 0.5
        assert crowd.within_rate(sources, np.array([2] * 8)).sum() == 5
        clock[0] += 100
        assert crowd.within_rate(sources, np.array([2] * 20)).sum() == 10


def test_workers_share_a_port(site, settings):
    """Each sender's lines stay in order; one listener, one address, one count."""
    site.start(settings("udp", workers=4))
    senders = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(40)]
    for number in range(4000):
        senders[number % 40].sendto(b"%d of %d" % (number, number % 40), site.address("udp"))
    ports = {sender.getsockname()[1]: number for number, sender in enumerate(senders)}
    for sender in senders:
        sender.close()
    rows = site.stop()
    for port, number in ports.items():
        wanted = [b"%d of %d" % (line, number) for line in range(number, 4000, 40)]
        assert [row["raw"] for row in rows if row["peer_port"] == port] == wanted
    assert (site.listener("udp")["spooled"], site.listener("udp")["kernel_dropped"]) == (4000, 0)


def test_workers_share_with_nobody_else(settings, intake):
    """Another receiver on the port would get some of the senders, and nobody would see it."""
    first = UdpListener(settings("udp", workers=2), intake)
    with pytest.raises(ListenerError, match="it is in use"):
        UdpListener(settings("udp", port=first._workers[0].port, workers=2), intake)
    first.close()


def test_what_workers_drop_is_added_up(settings, intake):
    """Of all sockets."""
    listener = UdpListener(settings("udp", receive_buffer=4096, workers=3), intake)
    address = ("127.0.0.1", listener._workers[0].port)
    for _ in range(60):
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(b"line", address)
    assert all(worker.kernel_dropped() > 0 for worker in listener._workers)
    run_out(listener)
    assert len(delivered(intake)) + listener.kernel_dropped() == 3000


def test_other_senders_are_let_in_without_a_new_socket(site, settings, eventually):
    """As SIGHUP asks for."""
    site.start(settings("udp", allow=("127.0.0.2/32",)))
    site.datagrams("udp", b"no")
    eventually(lambda: site.listener("udp")["refused"])
    fresh = replace(site.listeners[0], allow=("127.0.0.1/32",))
    assert site.receiver.follow(replace(site.receiver._settings, listeners=(fresh,))) == []
    site.datagrams("udp", b"yes")
    assert [row["raw"] for row in site.stop()] == [b"yes"]
    assert site.listener("udp")["refused"] == {"not_allowed": 1}


def test_a_clock_that_steps_back_breaks_nothing(settings):
    """Lines keep their order and have what the clock said."""
    moments = iter([3_000_000, 1_000_000, 2_000_000, 2_000_000])
    intake = Intake(Pending(1 << 20), Ledger({}), Notices(log), lambda: next(moments))
    listener = UdpListener(settings("udp"), intake)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for number in range(3):
            sender.sendto(b"%d" % number, ("127.0.0.1", listener._workers[0].port))
            while listener._workers[0].receive():
                pass
    listener.close()
    rows = delivered(intake)
    assert [row["raw"] for row in rows] == [b"0", b"1", b"2"]
    assert [row["received_at"].second for row in rows] == [3, 1, 2]


def test_a_link_local_sender_keeps_its_zone():
    """fe80::1 means nothing without it."""
    name = b"\x0a\0" + (514).to_bytes(2, "big") + bytes(4) + socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert peer_in(name + b"\x02\0\0\0" + bytes(4), socket.AF_INET6) == ("fe80::1%2", 514)
