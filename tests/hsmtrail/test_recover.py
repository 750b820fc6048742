"""`hsmtrail recover`: the same rows, ids, copies and decisions; from damaged evidence what is whole; nothing is deleted."""

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.evidence import history
from support.installation import eventually

CHANGE = ("--from", "2026-11-23T08:00:00Z", "--to", "2026-11-23T09:00:00Z", "--ticket", "CHG-1", "--kind", "change")
DECIDED = {
    "findings": "SELECT * EXCLUDE (columns, parameters), columns::VARCHAR, parameters::VARCHAR FROM findings ORDER BY id",
    "finding_history": "SELECT * FROM finding_history ORDER BY ALL",
    "change_windows": "SELECT * FROM change_windows ORDER BY ALL",
    "runs": "SELECT detector, state, from_position, to_position FROM runs ORDER BY ALL",
    "batches": "SELECT batch, position, stored_at, sha256 FROM batches ORDER BY batch",
    "custody": "SELECT * EXCLUDE (refused_reasons) FROM custody ORDER BY ALL",
}


@pytest.fixture
def lived(site):
    """A stopped installation with a history, copies, findings and decisions."""
    site.write(site.text + '[[device]]\nname = "hsm-1"\nhosts = ["hsm-1"]\n')
    lines = history(site)
    site.command("changes", "add", "--device", "hsm-1", *CHANGE)
    site.command("detectors", "run", "--all")
    number = site.json("findings", "list")[0]["id"]
    site.command("findings", "ack", str(number), "--note", "known")
    return site, lines


def digest(site, where="true"):
    columns = "COLUMNS(* EXCLUDE (structured_data, details)), structured_data::VARCHAR, details::VARCHAR"
    return site.query(
        f"SELECT count(*) AS records, count(copy_of) AS copies, bit_xor(hash(t)) AS digest"
        f" FROM (SELECT {columns} FROM records WHERE {where}) AS t"
    )[0]


def recovered(site, status=0):
    done = site.command("recover", "--format", "json", check=False)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def store_of(site):
    return site.folder / "data" / "store.duckdb"


def test_the_store_is_the_same(lived):
    """Every column of every record, copies, custody, positions, findings and what people decided."""
    site, lines = lived
    before, decided = digest(site), {name: site.query(sql) for name, sql in DECIDED.items()}
    assert before["copies"] > 0
    assert all(decided.values())
    made = recovered(site)
    assert (made["records"], made["copies"], made["damaged"], made["missing"]) == (lines, before["copies"], [], [])
    assert (made["not_carried"], made["detectors_failed"]) == ({}, [])
    assert digest(site) == before
    after = {name: site.query(sql) for name, sql in DECIDED.items()}
    assert {name: rows for name, rows in after.items() if rows != decided[name]} == {}
    found = site.json("verify")
    assert found["ok"], found["faults"]


def test_a_lost_store_is_made_again(lived):
    """The file is gone: rows are the same; what people decided is not in the evidence."""
    site, lines = lived
    before = digest(site)
    store_of(site).unlink()
    made = recovered(site)
    assert (made["records"], made["aside"], made["carried"]) == (lines, [], {})
    assert digest(site) == before
    assert site.query("SELECT * FROM change_windows") == []


@pytest.mark.parametrize("kind", ["block", "header", "garbage"])
def test_a_damaged_store_is_set_aside(lived, kind):
    """It stays byte for byte; what can be read of it is carried over, the rest is named."""
    site, _ = lived
    before, path = digest(site), store_of(site)
    octets, chance = bytearray(path.read_bytes()), random.Random(kind)
    at = {"block": chance.randrange(12288, len(octets)), "header": chance.randrange(8, 4096), "garbage": 0}[kind]
    octets[at] ^= 0xFF
    path.write_bytes(b"garbage" if kind == "garbage" else octets)
    damaged = path.read_bytes()
    made = recovered(site)
    (aside,) = made["aside"]
    assert Path(aside).read_bytes() == damaged
    assert digest(site) == before
    assert bool(made["not_carried"]) or kind == "block"
    assert set(made["carried"]).isdisjoint(made["not_carried"])
    assert {*made["carried"], *made["not_carried"]} > {"findings", "change_windows", "runs", "outbox", "reviews"}
    assert site.json("verify")["ok"]
    left = {file.name for file in path.parent.iterdir() if file.name.startswith("store.duckdb")}
    assert left == {"store.duckdb", aside.rsplit("/", 1)[1]}


def test_findings_are_found_again_without_the_old_store(lived):
    """The service judges everything when it starts: the same findings, by detector and subject."""
    site, _ = lived
    subjects = "SELECT detector, subject FROM findings WHERE state <> 'superseded' ORDER BY ALL"
    before = site.query(subjects)
    store_of(site).unlink()
    recovered(site)
    site.command("detectors", "run", "--all")
    assert site.query(subjects) == before


def test_a_damaged_segment_costs_only_what_it_hit(lived):
    """One sealed, one waiting: intact batches are in the store, the rest is named, and the status is 1."""
    site, lines = lived
    data = site.folder / "data"
    sealed, waiting = min((data / "archive").rglob("*.parquet")), min((data / "spool/main").glob("*.arrow"))
    ends = json.loads((data / "archive/manifest.jsonl").read_text().splitlines()[0])["ends"]
    flip(sealed, ends[0] // 2)
    flip(waiting, waiting.stat().st_size // 2, 200)
    made = recovered(site, status=1)
    assert {one["file"] for one in made["damaged"]} == {str(path.relative_to(data)) for path in (sealed, waiting)}
    assert all(one["begin"] < one["end"] for one in made["damaged"])
    lost = sum(one["last_batch"] - one["first_batch"] + 1 for one in made["missing"])
    assert 0 < lines - made["records"] <= 41 * lost
    assert made["records"] > 0
    ids = site.query("SELECT record_id AS id FROM records ORDER BY 1")
    assert len({row["id"] for row in ids}) == made["records"]


def flip(path, at, number=1):
    octets = bytearray(path.read_bytes())
    for place in range(at, at + number):
        octets[place] ^= 1
    path.write_bytes(octets)


def test_it_refuses_while_the_service_runs(lived):
    """Nothing is changed then."""
    site, _ = lived
    site.start("work")
    site.running("service")
    done = site.command("recover", check=False)
    assert done.returncode == 1
    assert "stop it first" in done.stderr
    assert not list((site.folder / "data").glob("store.duckdb.*Z"))


def test_a_kill_leaves_a_store_in_place(lived):
    """At random moments: the old store or the new one, and the next recovery is whole."""
    site, lines = lived
    before, chance = digest(site), random.Random(5)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-m", "hsmtrail", "recover", "--config", str(site.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(chance.uniform(0.5, 3.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        assert digest(site) == before
    assert recovered(site)["records"] == lines
    assert digest(site) == before


def test_evidence_alone_is_enough(lived, tmp_path):
    """Archive and spool on another machine, and nothing else."""
    site, _ = lived
    before = digest(site)
    for path in (site.folder / "data").iterdir():
        if path.name not in {"archive", "spool"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    recovered(site)
    assert digest(site) == before


def test_without_evidence_nothing_is_made(site):
    """And a store that is there stays."""
    done = site.command("recover", check=False)
    assert done.returncode == 1
    assert "neither spool nor archive has anything" in done.stderr
    assert eventually(lambda: not (site.folder / "data" / "store.duckdb").exists())
