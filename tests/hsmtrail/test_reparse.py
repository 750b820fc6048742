"""`hsmtrail reparse`: killed at any moment it goes on; ids stay; detectors judge what was changed."""

import os
import random
import subprocess
import sys

import pytest

from hsmtrail import wiring
from hsmtrail.config import load
from hsmtrail.desk import open_store
from support.patterned import PATTERNED, renewed, write_patterns
from support.spooled import Receiver

LONG = os.environ.get("HSMTRAIL_LONG") == "1"
RECORDS, KILLS, PORTION = (1_000_000, 5, 12 << 20) if LONG else (20_000, 4, 200_000)
"""`make long` takes the million of records that history may have."""

AT_ONCE = 2_000
KEPT = """
[[pattern]]
name = "session_kept"
template = "Session {kept} : {{session:number}}"
operation = "other"
[[pattern.example]]
message = "Session {kept} : 7"
fields = {{ session = 7 }}
"""
OLD = renewed("site-1", "other") + KEPT.format(kept="held")
NEW = renewed("site-2") + KEPT.format(kept="kept")
EMPTIED = renewed("site-3", "zeroize").replace('"zeroize"', '"zeroize"\noutcome = "ok"') + KEPT.format(kept="kept")
PROGRAM = """
import sys
from pathlib import Path
from hsmtrail.config import load
from hsmtrail.errands.reparse import ReparseHistory
from hsmtrail.reparse import reparse

piece = ReparseHistory(seconds=0.001, portion_bytes=int(sys.argv[2]))
reparse(load(Path(sys.argv[1])), lambda done, total: print(done, total, flush=True), piece)
"""
UNTOUCHED = "record_id, batch, received_at, listener, transport, peer, peer_port, peer_identity, copy_of, host, program, message, raw"


@pytest.fixture
def history(site):
    """A store filled by an older set of patterns, and the spool that it came from."""
    site.write(PATTERNED)
    write_patterns(site, OLD)
    fill(site, (line(number) for number in range(RECORDS)))
    return site


def line(number):
    said = {
        0: f"info : 0 : Session renewed : 192.0.2.7/{number % 60_000 + 1}",
        1: f"Session kept : {number}",
        2: f"Session held : {number}",
        3: 'info : 0 : NTLS Client "app-1" connected and authenticated : 192.0.2.101/40847',
    }
    minute, second = divmod(number // 1000, 60)
    return f"<174>Nov 23 08:{minute % 60:02d}:{second:02d} hsm-1 NTLS[7]: {said[number % 4]}".encode()


def fill(site, lines):
    receiver = Receiver(site.folder / "data")
    waiting = []
    for text in lines:
        waiting.append(text)
        if len(waiting) == AT_ONCE:
            receiver.commit(*waiting)
            waiting.clear()
    if waiting:
        receiver.commit(*waiting)
    receiver.close()
    configuration = load(site.config)
    db = open_store(configuration)
    wiring.loader(db, configuration, wiring.site_patterns(configuration), lambda _: None, lambda: None).catch_up()
    db.close()


def digest(site):
    return site.query(f"SELECT count(*) AS records, bit_xor(hash({UNTOUCHED})) AS digest FROM records")


@pytest.mark.timeout(3600 if LONG else 180)
def test_killed_at_any_moment_it_goes_on(history):
    """Every record ends at the newest version; ids, moments of reception and the line itself stay what they are."""
    before, chance, done = digest(history), random.Random(7), 0
    write_patterns(history, NEW)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(history.config), str(PORTION)], stdout=subprocess.PIPE, text=True
        ) as killed:
            for _ in range(chance.randrange(1, 4)):
                now, total = map(int, killed.stdout.readline().split())
                assert done <= now < total
                done = now
            try:
                killed.wait(chance.uniform(0, 0.1))  # somewhere in the next portion
            except subprocess.TimeoutExpired:
                killed.kill()
            assert killed.wait() != 0
    summary = history.json("reparse")
    quarter = RECORDS // 4
    assert 0 < summary["read"] <= RECORDS - done
    assert {key: summary[key] for key in ("records", "changed", "renewed", "unchanged", "missing")} == {
        "records": RECORDS,
        "changed": 3 * quarter,
        "renewed": 0,
        "unchanged": quarter,
        "missing": 0,
    }
    assert digest(history) == before
    assert history.query(
        "SELECT pattern, pattern_version, status, count(*) AS n FROM records GROUP BY ALL ORDER BY 1"
    ) == [
        {"pattern": "", "pattern_version": "", "status": "partial", "n": quarter},
        {"pattern": "ntls.client_connected", "pattern_version": "1", "status": "parsed", "n": quarter},
        {"pattern": "ntls.session_kept", "pattern_version": "site-2", "status": "parsed", "n": quarter},
        {"pattern": "ntls.session_renewed", "pattern_version": "site-2", "status": "parsed", "n": quarter},
    ]
    assert history.json("reparse")["read"] == 0


def test_detectors_judge_what_was_changed(site):
    """What an older pattern called nothing is an HSM made empty: found once history is read again, and gone if not so."""
    site.write(PATTERNED + '[[device]]\nname = "hsm-1"\nhosts = ["hsm-1"]\n')
    write_patterns(site, OLD)
    fill(site, [line(0), line(3)])
    site.command("detectors", "run", "--all")
    assert site.json("findings", "list") == []
    write_patterns(site, EMPTIED)
    summary = site.json("reparse")
    assert (summary["changed"], summary["detectors_failed"]) == (1, [])
    assert "PRIV-01" in {finding["detector"] for finding in site.json("findings", "list")}
    assert site.query("SELECT count(*) AS n FROM unjudged") == [{"n": 0}]
    write_patterns(site, NEW)
    assert site.json("reparse")["findings_changed"] > 0
    assert site.json("findings", "list") == []
