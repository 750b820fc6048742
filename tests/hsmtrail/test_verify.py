"""`hsmtrail verify`: stopped and running, whole and damaged: what is wrong is named, and nothing else."""

import json
import os
import random
import shutil
import socket
import threading
from contextlib import suppress

import pytest

from store.database import Database
from support.evidence import history
from support.installation import eventually

PLACES = 6
ROUNDS = int(os.environ.get("HSMTRAIL_KILL_ROUNDS", "3"))


@pytest.fixture
def lived(site):
    """A stopped installation with a history and a pack of its week."""
    lines = history(site)
    site.command("report", "--from", "2026-11-23", "--to", "2026-11-30")
    return site, lines


def verified(site):
    done = site.command("verify", "--format", "json", check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1), done.stderr
    return found


def test_a_stopped_installation_is_proven(lived):
    """Evidence, MACs, store, packs; a secret that is masked in the store is no difference."""
    site, lines = lived
    found = verified(site)
    assert (found["faults"], found["notes"], found["ok"]) == ([], [], True)
    assert found["store"] == {
        "batches": sum(head["batches"] for head in found["heads"]),
        "records": lines,
        "waiting": 0,
    }
    assert found["macs"] == "checked"
    assert sum(head["records"] for head in found["heads"]) == lines
    table = site.command("verify").stdout
    assert "nothing is wrong" in table
    assert all(head["sha256"] in table for head in found["heads"])


def test_a_store_that_is_held_is_not_called_damaged(lived):
    """The evidence is proven all the same; of the rows nothing is said, and the exit status says that."""
    site, lines = lived
    held = Database.open(site.folder / "data" / "store.duckdb")
    try:
        found = verified(site)
    finally:
        held.close()
    (fault,) = found["faults"]
    assert fault["what"].startswith("was not compared with the evidence, so nothing is said of its rows: ")
    assert "held by" in fault["what"]
    assert sum(head["records"] for head in found["heads"]) == lines


def test_a_running_installation_is_proven(site):
    """While lines pour in, are stored and sealed."""
    site.write(site.text + '[spool]\nsegment_bytes = 65536\nseal_after = "1s"\n')
    history(site)
    site.start()
    site.running("receiver", "service")
    done = threading.Event()
    sender = threading.Thread(target=pour, args=(site.port("tcp"), done))
    sender.start()
    try:
        for _ in range(4):
            assert verified(site)["faults"] == []
        eventually(lambda: len(list((site.folder / "data/archive").rglob("*.parquet"))) > 3)
        found = verified(site)
        assert found["faults"] == []
        assert found["store"]["records"] > 0
    finally:
        done.set()
        sender.join()


def pour(port, done):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:  # whoever is killed hangs up
        number = 0
        while not done.wait(0.01):
            connection.sendall(
                b"".join(b"<174>Nov 23 08:15:01 hsm-1 counter[7]: number %d\n" % n for n in range(number, number + 100))
            )
            number += 100


def running(site):
    """Who says that it runs; asking by `status` would hold the store that the service waits for."""
    said = []
    for file in ("spool/main/status.json", "service.json"):
        try:
            said.append(json.loads((site.folder / "data" / file).read_text())["pid"])
        except (FileNotFoundError, ValueError):
            said.append(0)
    return tuple(said)


@pytest.mark.timeout(600)
def test_kills_leave_everything_proven(site):
    """Receiver, service and both, at random moments while lines pour in and segments are sealed."""
    site.write(site.text + '[spool]\nsegment_bytes = 65536\nseal_after = "1s"\n')
    chance = random.Random(9)
    for number in range(ROUNDS):
        receiver, service = site.start("receive"), site.start("work")
        eventually(lambda pids=(receiver.pid, service.pid): pids == running(site))
        done = threading.Event()
        sender = threading.Thread(target=pour, args=(site.port("tcp"), done))
        sender.start()
        done.wait(chance.uniform(0.5, 3.0))
        for process in ((receiver,), (service,), (receiver, service))[number % 3]:
            process.kill()
        done.set()
        sender.join()
        site.stop()
    service = site.start("work")
    eventually(lambda: running(site)[1] == service.pid)
    eventually(lambda: site.status()["service"]["lag_seconds"] == 0.0)
    eventually(lambda: list((site.folder / "data/archive").rglob("*.parquet")))
    site.stop()
    found = verified(site)
    assert (found["faults"], found["store"]["waiting"]) == ([], 0)
    assert found["store"]["records"] == sum(head["records"] for head in found["heads"]) > 0


KINDS = {
    "open segment": lambda data: max((data / "spool/main").glob("*.arrow")),
    "waiting segment": lambda data: min((data / "spool/main").glob("*.arrow")),
    "import": lambda data: max((data / "spool/import").glob("*.arrow")),
    "sealed": lambda data: min((data / "archive").rglob("*.parquet")),
    "archive manifest": lambda data: data / "archive/manifest.jsonl",
    "store": lambda data: data / "store.duckdb",
    "pack": lambda data: next((data / "packs").glob("*.html")),
    "pack data": lambda data: next(path for path in (data / "packs").glob("*.json") if "manifest" not in path.name),
    "pack manifest": lambda data: next((data / "packs").glob("*.manifest.json")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_is_named(lived, kind):
    """In each kind of file, at random places: the file, and the range that has it."""
    site, _ = lived
    data = site.folder / "data"
    path = KINDS[kind](data)
    octets, chance = path.read_bytes(), random.Random(kind)
    for at in (chance.randrange(len(octets)) for _ in range(PLACES)):
        changed = bytearray(octets)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        found = verified(site)
        named = [fault for fault in found["faults"] if fault["file"] == path.relative_to(data).as_posix()]
        assert any(fault["begin"] <= at < fault["end"] for fault in named if "end" in fault), (at, found["faults"])
        path.write_bytes(octets)
    assert verified(site)["faults"] == []


def test_a_changed_byte_of_the_log_is_named(site):
    """The log that a killed service left; it is not opened then, and the store is as it was."""
    service = site.start("work")
    site.start("receive")
    site.running("receiver", "service")
    with socket.create_connection(("127.0.0.1", site.port("tcp"))) as connection:
        connection.sendall(b"<174>Nov 23 08:15:01 hsm-1 counter[7]: number 1\n" * 500)
    eventually(lambda: site.query("SELECT count(*) AS n FROM records")[0]["n"] == 500)
    service.kill()
    service.wait()
    site.stop()
    data = site.folder / "data"
    shutil.copytree(data, site.folder / "kept")
    log, chance = data / "store.duckdb.wal", random.Random(3)
    octets, before = (
        (site.folder / "kept/store.duckdb.wal").read_bytes(),
        (site.folder / "kept/store.duckdb").read_bytes(),
    )
    (data / "store.duckdb").write_bytes(before)
    for at in (chance.randrange(len(octets)) for _ in range(PLACES)):
        changed = bytearray(octets)
        changed[at] ^= 1 << chance.randrange(8)
        log.write_bytes(changed)
        (fault,) = verified(site)["faults"]
        assert fault["file"] == "store.duckdb.wal"
        assert fault["begin"] <= at < fault["end"]
        assert (data / "store.duckdb").read_bytes() == before
        assert log.read_bytes() == changed
    log.write_bytes(octets)
    assert verified(site)["faults"] == []


CHANGES = {
    "DELETE FROM lines WHERE record_id = {record}": "record {record} is not in the store",
    "UPDATE lines SET raw = 'nothing happened' WHERE record_id = {record}": "record {record} has another raw in the store",
    "UPDATE lines SET received_at = TIMESTAMP '2001-01-01' WHERE record_id = {record}": "record {record} has another received_at in the store",
    "INSERT INTO lines SELECT * FROM lines WHERE record_id = {record}": "record {record} is there twice",
    "UPDATE batches SET sha256 = repeat('0', 64) WHERE batch = {batch}": "batch 3 of receiver 1 has another sha256 in the store",
    "DELETE FROM batches WHERE batch = {batch}": "batch 3 of receiver 1 is not in the store",
    "UPDATE batches SET counters = '{{}}' WHERE batch = {batch}": "batch 3 of receiver 1 has another counters in the store",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_that_was_changed_is_named(lived, change):
    """By somebody who may write the store and not the evidence."""
    site, _ = lived
    said = {"record": 1 << 48 | 30, "batch": 1 << 48 | 3}
    db = Database.open(site.folder / "data" / "store.duckdb")
    with db.transaction() as cursor:
        cursor.execute(change.format(**said))
    db.close()
    faults = [fault for fault in verified(site)["faults"] if fault["file"] == "store.duckdb"]
    assert CHANGES[change].format(**said) in [fault["what"] for fault in faults]


def test_evidence_that_is_gone_is_named(lived):
    """The store has its records still."""
    site, _ = lived
    min((site.folder / "data" / "archive").rglob("*.parquet")).unlink()
    files = {fault["file"] for fault in verified(site)["faults"]}
    assert "store.duckdb" in files
    assert any(file.endswith(".parquet") for file in files)


def test_without_the_key_it_says_so(lived):
    """Everything else is proven all the same."""
    site, _ = lived
    (site.folder / "data" / "spool.key").rename(site.folder / "safe.key")
    found = verified(site)
    assert found["ok"]
    assert found["macs"].startswith("not checked: ")
    site.write('data_dir = "data"\n[spool]\nkey_file = "safe.key"\n')
    assert verified(site)["macs"] == "checked"


def test_an_installation_that_never_ran_is_whole(site):
    """There is nothing to prove, and nothing is made."""
    found = verified(site)
    assert found["ok"]
    assert [note["what"] for note in found["notes"]] == [
        "there is no store yet",
        "there is no evidence yet: nothing was proven",
    ]
    assert not (site.folder / "data").exists()


def test_a_store_that_was_cut_short_is_named(lived):
    """Of whatever table the missing blocks were; whole blocks at the end, so that every checksum is right."""
    site, _ = lived
    path = site.folder / "data" / "store.duckdb"
    octets = path.read_bytes()
    for blocks in (2, 4, 8):
        path.write_bytes(octets[: len(octets) - blocks * (1 << 18)])
        assert any(fault["file"] == "store.duckdb" for fault in verified(site)["faults"])
    path.write_bytes(octets)
    assert verified(site)["faults"] == []
