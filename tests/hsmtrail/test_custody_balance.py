"""The ledger balances to the message: sent = received + kernel_dropped, received = spooled + refused, spooled = stored.

Real processes, real sockets; each listener has its own trouble, and one more message at the end brings the last figures.
"""

import json
import os
import signal
import socket
import struct
from contextlib import suppress

import pytest

from support.installation import Site, eventually

LISTENERS = {
    "udp": 'protocol = "udp"',
    "small": 'protocol = "udp"\nreceive_buffer = 4096',
    "odd": 'protocol = "udp"\nmax_message = 480',
    "tcp": 'protocol = "tcp"\nmax_connections_per_peer = 250',
    "short": 'protocol = "tcp"\nmax_message = 480',
    "counted": 'protocol = "tcp"\nframing = "octet-counted"\nmax_message = 480',
    "few": 'protocol = "tcp"\nmax_connections_per_peer = 2',
    "closed": 'protocol = "udp"\nallow = ["192.0.2.0/24"]',
}
CONFIGURATION = 'data_dir = "data"\n[web]\naddress = "127.0.0.1:0"\n' + "".join(
    f'[[listener]]\nname = "{name}"\naddress = "127.0.0.1:0"\n{keys}\n' for name, keys in LISTENERS.items()
)
MESSAGE = b"<13>Nov 23 08:15:01 hsm-1 counter[7]: number %d"
LAST = b"<13>Nov 23 08:15:01 hsm-1 counter[7]: the last"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Receiver and service, each a process of its own."""
    site = Site(tmp_path_factory.mktemp("balance"))
    site.write(CONFIGURATION)
    site.start("receive")
    site.start("work")
    site.running("receiver", "service")
    yield site
    site.stop()


def datagrams(site, name, messages):
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", site.port(name)))
        for message in messages:
            sender.send(message)


def connection(site, name):
    return socket.create_connection(("127.0.0.1", site.port(name)), 30)


def told(site):
    """What the receiver says of itself, at most half a second old."""
    return json.loads((site.folder / "data" / "spool" / "main" / "status.json").read_text())


def counters(site, name):
    return next(one for one in told(site)["listeners"] if one["name"] == name)


def receiving(site):
    """A receiver that has bound its sockets."""
    receiver = site.start("receive")
    file = site.folder / "data" / "spool" / "main" / "status.json"
    eventually(lambda: file.exists() and told(site)["pid"] == receiver.pid)
    return receiver


def ended(sender):
    """The receiver has closed the connection."""
    sender.settimeout(30)
    with suppress(ConnectionResetError):
        assert sender.recv(1) == b""


def counted(site, name, sent):
    """Wait until the receiver has counted as many messages as were sent."""

    def enough():
        found = counters(site, name)
        return found if found["received"] + found["kernel_dropped"] >= sent else None

    return eventually(enough)


def balanced(site, name, sent):
    """The ledger of one listener, when `sent` messages and one more are in it; every minute of it must balance."""
    counted(site, name, sent)
    if "udp" in LISTENERS[name]:
        datagrams(site, name, [LAST])
    else:
        with connection(site, name) as sender:
            sender.sendall(b"%d %b" % (len(LAST), LAST) if name == "counted" else LAST + b"\n")
    sums = (
        "SELECT sum(sent)::BIGINT AS sent, sum(received)::BIGINT AS received, sum(refused)::BIGINT AS refused,"
        " sum(kernel_dropped)::BIGINT AS kernel_dropped, sum(cut)::BIGINT AS cut, sum(spooled)::BIGINT AS spooled,"
        " sum(stored)::BIGINT AS stored, count(*) FILTER (unaccounted <> 0 OR not_stored <> 0) AS off,"
        f" (SELECT count(*) FROM records WHERE listener = '{name}') AS records"
        f" FROM custody_balance WHERE listener = '{name}'"
    )
    site.running("service")
    ledger = eventually(lambda: next((one for one in site.query(sums) if (one["sent"] or 0) > sent), None))
    assert ledger["sent"] == sent + 1 == ledger["received"] + ledger["kernel_dropped"]
    assert ledger["received"] == ledger["spooled"] + ledger["refused"]
    assert ledger["spooled"] == ledger["stored"] == ledger["records"]
    assert ledger["off"] == 0
    found = counted(site, name, sent + 1)
    assert {key: found[key] for key in ("received", "kernel_dropped", "cut", "spooled")} == {
        key: ledger[key] for key in ("received", "kernel_dropped", "cut", "spooled")
    }
    assert sum(found["refused"].values()) == ledger["refused"]
    return ledger


def test_normal_load(running):
    """Everything that was sent is stored."""
    for begin in range(0, 500, 100):
        datagrams(running, "udp", [MESSAGE % number for number in range(begin, begin + 100)])
        counted(running, "udp", begin + 100)
    ledger = balanced(running, "udp", 500)
    assert (ledger["stored"], ledger["kernel_dropped"], ledger["refused"]) == (501, 0, 0)


def test_a_buffer_that_is_too_small(running):
    """What the kernel drops is in the ledger to the datagram."""
    datagrams(running, "small", [MESSAGE % number + b"x" * 900 for number in range(20_000)])
    ledger = balanced(running, "small", 20_000)
    assert ledger["kernel_dropped"] > 0
    assert ledger["stored"] > 0


def test_two_hundred_connections(running):
    """Interleaved lines, some without their end: each is one message, whole or incomplete."""
    senders = [connection(running, "tcp") for _ in range(200)]
    for number in range(20):
        for sender in senders:
            sender.sendall(MESSAGE % number + b"\n")
    for place, sender in enumerate(senders):
        if place % 2:
            sender.sendall(b"<13>no line feed behind it")
        sender.close()
    balanced(running, "tcp", 200 * 20 + 100)
    incomplete = running.query("SELECT count(*) AS n FROM records WHERE listener = 'tcp' AND trouble = 'incomplete'")
    assert incomplete == [{"n": 100}]


def test_messages_that_are_too_long(running):
    """They are cut, counted and stored; what is left of one is no message."""
    with connection(running, "short") as sender:
        sender.sendall(b"".join(b"x" * size + b"\n" for size in (479, 480, 481, 10_000, 200_000)) + b"after\n")
    assert balanced(running, "short", 6)["cut"] == 3
    datagrams(running, "odd", [b"y" * 480, b"y" * 481, b"y" * 60_000, b"", b"\n", b""])
    ledger = balanced(running, "odd", 6)
    assert (ledger["cut"], ledger["refused"]) == (2, 2)


def test_frames_that_are_wrong(running):
    """Each ends its connection and is one refusal; what came before it is stored."""
    wrong = (b"no count", b"99999999999 x", b"-5 hello", b"5 hello12x")
    for octets in wrong:
        with connection(running, "counted") as sender:
            sender.sendall(b"5 first" + octets)
            ended(sender)
    with connection(running, "counted") as sender:
        sender.sendall(b"600 " + b"z" * 600 + b"300 half of it")
    ledger = balanced(running, "counted", 2 * len(wrong) + 1 + 2)
    assert ledger["refused"] == len(wrong)
    assert ledger["cut"] == 1


def test_senders_that_are_not_let_in(running):
    """Datagrams are refused one by one; connections are counted apart, and what they sent never came."""
    before = counters(running, "closed")
    datagrams(running, "closed", [b"one", b"two"])
    eventually(lambda: counters(running, "closed")["received"] == before["received"] + 2)
    assert sum(counters(running, "closed")["refused"].values()) == 2
    kept = [connection(running, "few") for _ in range(2)]
    for sender in kept:
        sender.sendall(b"mine\n")
    counted(running, "few", 2)
    with connection(running, "few") as third:
        ended(third)
    for sender in kept:
        sender.close()
    eventually(lambda: counters(running, "few")["connections_open"] == 0)  # else the last message is refused too
    balanced(running, "few", 2)
    assert counters(running, "few")["connections"]["refused"] == 1


def test_all_of_it_together(running):
    """`status` says that everything balances, for programs and for people."""
    sums = running.status()["service"]["balance"]
    assert sums["sent"] == sums["received"] + sums["kernel_dropped"]
    assert sums["received"] == sums["spooled"] + sums["refused"]
    assert (sums["unaccounted"], sums["not_stored"], sums["minutes_off"]) == (0, 0, 0)
    assert sums["stored"] == sums["spooled"] == running.query("SELECT count(*) AS n FROM records")[0]["n"]
    assert ": it balances\n" in running.command("status").stdout


def test_restarts_and_kills_of_the_receiver(site):
    """Counters go on from where they were, drops and refusals too; nothing is stored twice."""
    site.write(CONFIGURATION)
    site.start("work")
    sent = 0
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        receiver = receiving(site)
        datagrams(site, "small", [MESSAGE % number + b"x" * 900 for number in range(sent, sent + 3000)])
        datagrams(site, "odd", [b"", MESSAGE % sent])
        sent += 3000
        counted(site, "small", sent)
        counted(site, "odd", sent // 3000 * 2)
        os.kill(receiver.pid, end)
        receiver.wait(60)
    receiving(site)
    ledger = balanced(site, "small", sent)
    assert ledger["kernel_dropped"] > 0
    assert balanced(site, "odd", 8)["refused"] == 4
    numbers = site.query("SELECT count(*) - count(DISTINCT message) AS twice FROM records WHERE listener = 'small'")
    assert numbers == [{"twice": 0}]


def test_kills_under_load(site):
    """Lines in flight are lost with a killed receiver, and only they: the ledger balances, no number is stored twice."""
    site.write(CONFIGURATION)
    site.start("work")
    sent = 0
    for _ in range(3):
        receiver = receiving(site)
        before = counters(site, "tcp")["spooled"]
        with connection(site, "tcp") as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.sendall(b"".join(MESSAGE % number + b"\n" for number in range(sent, sent + 20_000)))
            eventually(lambda before=before: counters(site, "tcp")["spooled"] > before)
            receiver.kill()
            receiver.wait(60)
        sent += 20_000
    receiving(site)
    spooled = counters(site, "tcp")["spooled"]
    assert 0 < spooled <= sent
    assert balanced(site, "tcp", spooled)["kernel_dropped"] == 0
    rows = site.query(
        "SELECT count(*) - count(DISTINCT message) AS twice, max(record_id) - min(record_id) + 1 - count(*) AS gaps"
        " FROM records"
    )
    assert rows == [{"twice": 0, "gaps": 0}]
