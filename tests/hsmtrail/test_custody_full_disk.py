"""The ledger over a full disk, from the sender's count to the rows: TCP waits and loses nothing, UDP is refused and counted."""

import resource
import socket

from support.installation import BASIC, eventually

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
LINES = [
    f"<134>Nov 23 08:15:01 hsm-1 counter[7]: number {number} ".encode().ljust(500, b".") for number in range(25_000)
]
DATAGRAMS = [line.ljust(1400, b".") for line in LINES[:500]]
SUMS = (
    "SELECT sum(sent)::BIGINT AS sent, sum(refused)::BIGINT AS refused, sum(stored)::BIGINT AS stored,"
    " count_if(unaccounted <> 0 OR not_stored <> 0) AS off FROM custody_balance WHERE listener = '{name}'"
)


def counted(site, name):
    """The receiver's own figures of one listener."""
    return next(one for one in site.status()["receiver"]["listeners"] if one["name"] == name)


def send_datagrams(site):
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", site.port("udp")))
        for datagram in DATAGRAMS:
            sender.send(datagram)


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


def test_the_ledger_balances_over_a_full_disk(site):
    """It is full for the receiver only (RLIMIT_FSIZE), in the middle of a stream, until datagrams were refused."""
    site.write(BASIC + "[receiver]\npending_bytes = 1048576\n")
    site.start("work")
    receiver, bursts = site.start("receive"), 0
    site.running("receiver", "service")
    resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with socket.create_connection(("127.0.0.1", site.port("tcp")), 30) as sender:
        left = as_far_as_it_goes(sender, memoryview(b"\n".join(LINES) + b"\n"))
        eventually(lambda: site.status()["receiver"]["blocked"] == "disk_full")
        while not counted(site, "udp")["refused"]:
            send_datagrams(site)
            bursts += 1
        resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, UNLIMITED)
        sender.settimeout(60)
        sender.sendall(left)
    send_datagrams(site)  # its batch brings the last figures
    for name, sent in (("tcp", len(LINES)), ("udp", (bursts + 1) * len(DATAGRAMS))):
        row = eventually(
            lambda name=name, sent=sent: next(
                (one for one in site.query(SUMS.format(name=name)) if one["sent"] == sent), None
            )
        )
        assert row["refused"] + row["stored"] == sent
        assert row["off"] == 0
        assert (row["refused"] > 0) == (name == "udp")
        assert site.query(f"SELECT count(*) AS n FROM records WHERE listener = '{name}'")[0]["n"] == row["stored"]
