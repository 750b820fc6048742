"""Disks that are full or cannot be written: nothing is lost without a number, and it goes on when there is room."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest import evidence
from ingest.sealer import Sealer
from ingest.spool import SpoolError, SpoolSettings, SpoolWriter, segments
from ingest.verify import verify_evidence
from support.installation import eventually
from support.spooled import Receiver

RECEIVE = """
import sys
from pathlib import Path
from hsmtrail import log
from hsmtrail.receiver import ReceiverSettings, run
from ingest.receiving import ListenerSettings
from ingest.spool import SpoolSettings
log.configure()
listeners = (ListenerSettings("udp", "udp", "127.0.0.1", 0), ListenerSettings("tcp", "tcp", "127.0.0.1", 0))
folder = Path(sys.argv[1])
spool = SpoolSettings(segment_bytes=200_000, key_file=folder / "spool.key")
sys.exit(run(ReceiverSettings(folder, listeners, spool=spool, pending_bytes=1 << 20)))
"""


@contextmanager
def mounted(folder, size):
    """A small disk of its own, where this user may mount one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(
            f"no disk of its own can be had: {done.stderr.strip()}; test_receiver_process fills one by RLIMIT_FSIZE"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", "16m") as folder:
        yield folder


class Process:
    """A receiver whose data lies on the small disk."""

    def __init__(self, folder):
        self.folder, self.spool, self.log = folder, folder / "spool" / "main", folder.parent / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RECEIVE, folder], stderr=log, cwd=Path(__file__).parents[2]
            )
        eventually(lambda: self.status().get("pid") == self.process.pid)

    def status(self):
        try:
            return json.loads((self.spool / "status.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def listener(self, name):
        return next(item for item in self.status()["listeners"] if item["name"] == name)

    def port(self, name):
        return int(self.listener(name)["address"].rsplit(":", 1)[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def fill(folder):
    """Leave no room; the file to remove."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


def test_a_full_disk_is_waited_out(disk):
    """TCP is not read, UDP is counted, the log says so once a minute, `status` all the time; then it goes on."""
    process = Process(disk)
    filler = fill(disk)
    lines = [f"line {number} {os.urandom(40).hex()}".encode() for number in range(120_000)]
    with socket.create_connection(("127.0.0.1", process.port("tcp"))) as sender:
        sender.settimeout(0.5)
        octets, place = memoryview(b"\n".join(lines) + b"\n"), 0
        while place < len(octets):
            try:
                place += sender.send(octets[place : place + 65536])
            except TimeoutError:
                break
        assert place < len(octets)  # it is not read any more
        eventually(lambda: process.status()["blocked"] == "disk_full")
        eventually(lambda: refused(process) > 0)
        filler.unlink()
        sender.settimeout(60)
        sender.sendall(octets[place:])
    eventually(lambda: process.listener("tcp")["spooled"] == len(lines))
    assert process.status()["blocked"] == ""
    process.end()
    found = [row["raw"] for one in evidence.batches(disk, "main") for row in one.table.to_pylist()]
    assert [raw for raw in found if raw.startswith(b"line")] == lines
    udp = process.listener("udp")
    assert udp["received"] == udp["spooled"] + sum(udp["refused"].values())
    assert process.log.read_text().count('"spool_blocked"') == 1
    assert [verdict for verdict in verify_evidence(disk, None).verdicts if verdict.is_fault] == []


def refused(process):
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for _ in range(500):
            sender.sendto(b"x" * 1400, ("127.0.0.1", process.port("udp")))
    return process.listener("udp")["refused"].get("disk_full", 0)


def test_a_disk_that_cannot_be_written_starts_nothing(disk):
    """One sentence that names the place, for a new spool and for one that has batches; what is there stays whole."""
    receiver = Receiver(disk)
    receiver.commit(b"one")
    receiver.close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for name in ("main", "other"):
        with pytest.raises(SpoolError, match=f"{disk}.*the spool cannot be written"):
            SpoolWriter.open(disk / "spool" / name, 1, SpoolSettings(key_file=disk / "spool.key"))
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    SpoolWriter.open(disk / "spool" / "main", 1).close()
    assert [one.rows for one in evidence.batches(disk, "main")] == [1]


def test_sealing_waits_for_room(disk, caplog):
    """The spool is as it was, nothing half written stays; with room it is sealed."""
    receiver = Receiver(disk, settings=SpoolSettings(segment_bytes=100_000, key_file=disk / "spool.key"))
    while len(segments(receiver.folder)) < 3:
        receiver.commit(os.urandom(20_000))
    receiver.close()
    before = [one.sha256 for one in evidence.batches(disk, "main")]
    filler = fill(disk)
    sealer = Sealer(disk, lambda: {1: 1 << 48 | 1000})
    assert sealer.seal_all() == 0
    assert "not_sealed" in caplog.text
    assert not list(disk.rglob("*.part*"))
    assert [one.sha256 for one in evidence.batches(disk, "main")] == before
    filler.unlink()
    assert sealer.seal_all() == 2
    assert [one.sha256 for one in evidence.batches(disk, "main")] == before
