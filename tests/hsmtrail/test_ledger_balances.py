"""The custody ledger balances to the line, from the sender's own count to the rows, whatever happens on the way."""

import resource
import signal
import socket
import struct

import pytest

from support.installation import Site, eventually

KEYS = {"small": "receive_buffer = 4096", "frames": "max_message = 480"}
UDP = ("steady_udp", "small", "full_udp", "restart_udp")
TCP = ("steady_tcp", "crowd", "frames", "full_tcp", "restart_tcp", "carrier")
LISTENER = '[[listener]]\nname = "{name}"\nprotocol = "{protocol}"\naddress = "127.0.0.1:0"\n{keys}\n'
FIGURES = ["received", "kernel_dropped", "refused", "cut", "spooled", "stored"]
SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in FIGURES)
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
CONNECTIONS = 200


class Ledger:
    """An installation, and what its custody says of one listener once everybody has counted."""

    def __init__(self, folder):
        self.site = Site(folder)
        names = [("udp", name) for name in UDP] + [("tcp", name) for name in TCP]
        listeners = [LISTENER.format(name=name, protocol=kind, keys=KEYS.get(name, "")) for kind, name in names]
        self.site.write('data_dir = "data"\n[web]\naddress = "127.0.0.1:0"\n' + "".join(listeners))
        self.carried = 0

    def receive(self):
        """Start the receiver and wait until it is this one that reports."""
        self.receiver = self.site.start("receive")
        eventually(lambda: self.site.running("receiver")["receiver"]["pid"] == self.receiver.pid)

    def connect(self, name):
        return socket.create_connection(("127.0.0.1", self.site.port(name)), 20)

    def stream(self, name, octets):
        with self.connect(name) as sender:
            sender.sendall(octets)

    def datagrams(self, name, messages):
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", self.site.port(name)))
            for message in messages:
                sender.send(message)

    def counted(self, name):
        """The receiver's own figures, at most a second old."""
        return next(one for one in self.site.status()["receiver"]["listeners"] if one["name"] == name)

    def balance(self, name, sent):
        """Custody's sums, checked: sent = received + dropped, received = spooled + refused, spooled = stored = rows."""
        eventually(lambda: self._complete(name, sent), 30)
        self._carry()
        row = self.site.query(f"SELECT {SUMS} FROM custody WHERE listener = '{name}'")[0]
        rows = self.site.query(f"SELECT count(*) AS n FROM records WHERE listener = '{name}'")[0]["n"]
        assert sent == row["received"] + row["kernel_dropped"], row
        assert row["received"] == row["spooled"] + row["refused"], row
        assert row["spooled"] == row["stored"] == rows, row
        return row

    def _complete(self, name, sent):
        counted = self.counted(name)
        return counted["received"] + counted["kernel_dropped"] == sent

    def _carry(self):
        """One more line, of another listener: its batch brings all figures into the store."""
        self.stream("carrier", b"<14>Nov 23 08:15:01 hsm-1 carrier: a line\n")
        self.carried += 1
        there = "SELECT count(*) AS n FROM records WHERE listener = 'carrier'"
        eventually(lambda: self.site.query(there)[0]["n"] == self.carried)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    it = Ledger(tmp_path_factory.mktemp("ledger"))
    it.site.start("work")
    it.receive()
    it.site.running("service")
    yield it
    it.site.stop()


def lines(count, size=120):
    return [
        f"<134>Nov 23 08:15:01 hsm-1 counter[7]: number {number} ".encode().ljust(size, b".") for number in range(count)
    ]


def test_under_a_normal_load(ledger):
    """Nothing is dropped, refused or cut."""
    ledger.stream("steady_tcp", b"\n".join(lines(20_000)) + b"\n")
    ledger.datagrams("steady_udp", lines(2000))
    for name, sent in (("steady_tcp", 20_000), ("steady_udp", 2000)):
        row = ledger.balance(name, sent)
        assert (row["kernel_dropped"], row["refused"], row["cut"], row["stored"]) == (0, 0, 0, sent)


def test_with_a_receive_buffer_that_is_too_small(ledger):
    """What the kernel dropped is the difference, to the datagram."""
    ledger.datagrams("small", lines(5000))
    row = ledger.balance("small", 5000)
    assert row["kernel_dropped"] > 0
    assert row["refused"] == 0


def test_with_two_hundred_connections(ledger):
    """All open at once, each with lines in pieces; every third ends in a reset."""
    each = lines(30)
    senders = [ledger.connect("crowd") for _ in range(CONNECTIONS)]
    for message in each:
        for sender in senders:
            sender.sendall(message[:50])
        for sender in senders:
            sender.sendall(message[50:] + b"\n")
    eventually(lambda: ledger.counted("crowd")["received"] == CONNECTIONS * len(each))
    for number, sender in enumerate(senders):
        if number % 3 == 0:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
    assert ledger.balance("crowd", CONNECTIONS * len(each))["refused"] == 0


FRAMES = [  # what one connection sends; messages in it, those refused, those cut
    (b"<14>a line\n" * 5, 5, 0, 0),
    (b"<14>" + b"x" * 2000 + b"\n<14>after it\n", 2, 0, 1),
    (b"1500 <14>" + b"x" * 1496 + b"14 <14>after it..", 2, 0, 1),
    (b"<14>no end", 1, 0, 0),
    (b"50 <14>too short for its count", 1, 0, 0),
    (b"99999999999 <14>a count that cannot be\n<14>never read\n", 1, 1, 0),
    (b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", 3, 0, 0),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 3, 0, 0),
    (b"", 0, 0, 0),
]


def test_with_long_and_malformed_frames(ledger):
    """Cut, kept as they are, or refused once: nothing vanishes."""
    for octets, *_ in FRAMES:
        ledger.stream("frames", octets)
    messages, refused, cut = (sum(column) for column in list(zip(*FRAMES, strict=True))[1:])
    row = ledger.balance("frames", messages)
    assert (row["refused"], row["cut"]) == (refused, cut)


def test_while_the_disk_is_full(ledger):
    """TCP waits and loses nothing, UDP is refused and counted, and it goes on when there is room."""
    pid, sent, datagrams = ledger.receiver.pid, lines(60_000, 500), 0
    full = max(path.stat().st_size for path in (ledger.site.folder / "data" / "spool" / "main").glob("*.arrow"))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (full + 4096, resource.RLIM_INFINITY))
    try:
        with ledger.connect("full_tcp") as sender:
            left = as_far_as_it_goes(sender, memoryview(b"\n".join(sent) + b"\n"))
            eventually(lambda: ledger.site.status()["receiver"]["blocked"] == "disk_full")
            while not ledger.counted("full_udp")["refused"]:
                ledger.datagrams("full_udp", lines(500, 1400))
                datagrams += 500
            resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)
            sender.settimeout(30)
            sender.sendall(left)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, UNLIMITED)
    assert ledger.balance("full_tcp", len(sent))["refused"] == 0
    assert 0 < ledger.balance("full_udp", datagrams)["refused"] <= datagrams


def as_far_as_it_goes(sender, octets):
    """Send until the receiver reads no more; what is left."""
    sender.settimeout(0.5)
    place = 0
    while place < len(octets):
        try:
            place += sender.send(octets[place : place + (1 << 16)])
        except TimeoutError:
            break
    assert place < len(octets), "the receiver never stopped reading"
    return octets[place:]


def test_over_a_restart_of_the_receiver(ledger):
    """What its sockets held when it was told to stop is there, and the counters go on.

    Few enough bytes that the sockets hold them: what waits in a sender's own kernel was never acknowledged to it.
    """
    for _ in range(2):
        ledger.stream("restart_tcp", b"\n".join(lines(300)) + b"\n")
        ledger.datagrams("restart_udp", lines(500))
        ledger.receiver.send_signal(signal.SIGTERM)
        assert ledger.receiver.wait(60) == 0
        ledger.receive()
    for name, sent in (("restart_tcp", 600), ("restart_udp", 1000)):
        row = ledger.balance(name, sent)
        assert (row["kernel_dropped"], row["refused"]) == (0, 0)
