"""`kill -9` of receiver, service and both at random moments under load: what was spooled is stored once, the rest counted.

`HSMTRAIL_KILL_ROUNDS=60 pytest -s tests/hsmtrail/test_kill_both.py` is shown before a release; it prints what it lost.
"""

import json
import os
import random
import socket
import threading
import time
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from ingest.spool import NUMBER_BITS, batches_of, segment_path, segments
from support.installation import BASIC, eventually

ROUNDS = int(os.environ.get("HSMTRAIL_KILL_ROUNDS", "6"))
SEED = int(os.environ.get("HSMTRAIL_KILL_SEED", "17"))
TARGETS = (("receive",), ("work",), ("receive", "work"))
LONGEST_CALM = 1.0
"""Seconds that both run under load at most before the next kill."""

EARLY = 0.25
"""The share of kills that do not wait until both run: they meet a start, a mending, a store that is being opened."""

PORTION, PAUSE = 50, 0.005
"""Lines sent at once, and seconds between: 10,000 lines a second at most."""

COMMIT_SECONDS, COMMIT_BYTES = 0.05, 4 << 20
"""One group commit, by its two limits: the defaults of [spool]."""

BUSY_SECONDS = 1.0
"""What a busy machine may add to the time that a line is on its way to the disk."""

LINE = b"<174>Nov 23 08:15:01 hsm-1 counter[7]: number %d"


@dataclass
class Connection:
    """Numbers first, first + 1 … below `end` were sent over it; `moments` has when each portion left."""

    opened: float
    first: int
    end: int
    moments: dict = field(default_factory=dict)

    def sent_at(self, number):
        return self.moments[number - (number - self.first) % PORTION]


class Sender(threading.Thread):
    """Numbered lines until it is stopped; connects again when the receiver is gone, and sends nothing twice."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self._port = port
        self.stopping = threading.Event()
        self.connections = []

    def run(self):
        number = 0
        while not self.stopping.is_set():
            opened = time.monotonic()
            if (sender := self._connect()) is not None:
                self.connections.append(connection := Connection(opened, number, number))
                with sender:
                    self._send_over(sender, connection)
                number = connection.end

    def connected_since(self, moment):
        """Lines go to a receiver that came after it."""
        return self.connections and self.connections[-1].opened > moment and self.connections[-1].moments

    def _connect(self):
        try:
            return socket.create_connection(("127.0.0.1", self._port), 10)
        except OSError:
            self.stopping.wait(PAUSE)
            return None

    def _send_over(self, sender, connection):
        while not self.stopping.is_set():
            portion = range(connection.end, connection.end + PORTION)
            connection.moments[connection.end] = time.monotonic()
            connection.end += PORTION  # on their way, whatever comes of it
            try:
                sender.sendall(b"".join(LINE % number + b"\n" for number in portion))
            except OSError:
                return
            self.stopping.wait(PAUSE)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def kill_again_and_again(site, running, sender, chance):
    """The moments at which a killed receiver was gone."""
    gone = [0.0]
    order = [TARGETS[number % len(TARGETS)] for number in range(ROUNDS)]
    chance.shuffle(order)
    for targets in order:
        if chance.random() > EARLY:
            eventually(lambda: sender.connected_since(gone[-1]) and serves(site, running["work"].pid))
        sender.stopping.wait(chance.uniform(0.0, LONGEST_CALM))
        for role in targets:
            running[role].kill()
        for role in targets:
            running[role].wait()
            if role == "receive":
                gone.append(time.monotonic())
            running[role] = site.start(role)
    return gone


def serves(site, pid):
    """The service that was started last says where it answers."""
    try:
        return json.loads((site.folder / "data" / "service.json").read_text())["pid"] == pid
    except FileNotFoundError:
        return False


def spooled(folder):
    """Record ids and raw lines, as the spool has them."""
    parts = [
        pa.table(
            {
                "record_id": pa.array(range(first, first + batch.table.num_rows), pa.uint64()),
                "raw": batch.table.column("raw").cast(pa.string()),
            }
        )
        for number in segments(folder)
        for batch in batches_of(segment_path(folder, number))
        for first in [int(batch.metadata["first_record"])]
    ]
    return pa.concat_tables(parts)


def stored(site):
    printed = site.command(
        "query", "SELECT record_id, raw FROM records ORDER BY record_id", "--format", "arrow", text=False
    )
    return (
        pa.ipc.open_stream(printed.stdout)
        .read_all()
        .cast(pa.schema([("record_id", pa.uint64()), ("raw", pa.string())]))
    )


def numbers_by_connection(raw, connections):
    """The numbers that are there, one list for each connection, as they stand."""
    numbers = [int(line.rpartition(" ")[2]) for line in raw.to_pylist()]
    assert len(set(numbers)) == len(numbers), "a line is there twice"
    found = [[] for _ in connections]
    place = 0
    for number in numbers:
        while number >= connections[place].end:
            place += 1
        assert number >= connections[place].first, "a line of an earlier connection came late"
        found[place].append(number)
    return found


def losses(connections, found, gone):
    """For each connection that lost lines: how many, and how long before its receiver was gone the first of them was sent."""
    for connection, numbers in zip(connections, found, strict=True):
        first_lost = connection.first + len(numbers)
        assert numbers == list(range(connection.first, first_lost)), "a line is missing between others"
        if first_lost < connection.end:
            end = next(moment for moment in gone if moment > connection.opened)
            yield connection.end - first_lost, end - connection.sent_at(first_lost)


@pytest.mark.timeout(120 + 15 * ROUNDS)
def test_killed_receivers_and_services_lose_at_most_one_commit_and_repeat_nothing(site):
    """The spool and the store hold the same lines with the same ids; what is lost was on its way when the receiver was killed."""
    port = free_port()
    site.write(
        BASIC.replace('protocol = "tcp"\naddress = "127.0.0.1:0"', f'protocol = "tcp"\naddress = "127.0.0.1:{port}"')
    )
    running = {role: site.start(role) for role in ("receive", "work")}
    sender = Sender(port)
    sender.start()
    gone = kill_again_and_again(site, running, sender, random.Random(SEED))
    eventually(lambda: sender.connected_since(gone[-1]))
    sender.stopping.set()
    sender.join()

    site.running("receiver", "service")
    last = f"SELECT count(*) AS n FROM records WHERE raw LIKE '% {sender.connections[-1].end - 1}'"
    eventually(lambda: site.query(last)[0]["n"] == 1, 120)
    evidence = spooled(site.folder / "data" / "spool" / "main")
    first, count = (1 << NUMBER_BITS) + 1, evidence.num_rows
    assert evidence.column("record_id").to_pylist() == list(range(first, first + count))
    assert stored(site).equals(evidence)
    verified = site.command("verify", check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    found = numbers_by_connection(evidence.column("raw"), sender.connections)
    lost = list(losses(sender.connections, found, gone))
    print(f"{ROUNDS} kills, {count} lines stored, lost: {[f'{lines} in {seconds:.3f} s' for lines, seconds in lost]}")  # noqa: T201  (figures for docs/performance.md)
    assert count + sum(lines for lines, _ in lost) == sender.connections[-1].end
    assert all(
        lines * len(LINE) <= COMMIT_BYTES and seconds <= COMMIT_SECONDS + BUSY_SECONDS for lines, seconds in lost
    ), lost

    listener = next(one for one in site.status()["receiver"]["listeners"] if one["name"] == "tcp")
    assert (listener["received"], listener["spooled"], listener["refused"]) == (count, count, {})
