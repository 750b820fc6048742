"""UDP: every datagram is spooled, refused with a reason, or in the kernel's count of drops."""

import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.counters import Counted
from ingest.portions import spool_table
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


def test_senders_that_are_not_allowed(site, settings):
    """Refused by reason, others kept."""
    site.start(settings("udp", allow=("127.0.0.2/32", "2001:db8::/32")))
    site.datagrams("udp", b"no", b"")
    site.datagrams("udp", b"yes", source="127.0.0.2")
    assert [row["raw"] for row in site.stop()] == [b"yes"]
    assert site.listener("udp")["refused"] == {"not_allowed": 2}


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


def test_a_link_local_sender_keeps_its_zone():
    """fe80::1 means nothing without it."""
    name = b"\x0a\0" + (514).to_bytes(2, "big") + bytes(4) + socket.inet_pton(socket.AF_INET6, "fe80::1")
    assert peer_in(name + b"\x02\0\0\0" + bytes(4), socket.AF_INET6) == ("fe80::1%2", 514)
