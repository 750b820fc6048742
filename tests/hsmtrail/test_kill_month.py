"""`kill -9` of the service at random moments while weeks of lines arrive, with a detector whose SQL is broken for a while.

In the end it is as if nothing had happened: every detector has judged every batch once, the findings are those of a
store that was filled and judged at once, and everybody was told everything once.

`HSMTRAIL_MONTH_KILLS=50 pytest -s tests/hsmtrail/test_kill_month.py` is shown before a release: a month, and 50 kills.
"""

import json
import os
import random
import shutil
import signal
import threading
from itertools import pairwise

import pytest

from analytics.case_tables import fill
from analytics.detector import load_all
from analytics.severity import rank
from hsmtrail import wiring
from hsmtrail.client import local_desk
from hsmtrail.config import load
from hsmtrail.demo_receivers import Receivers
from hsmtrail.samples import sample_folder
from store import findings
from store.database import Database
from support.alerting import SECRET
from support.installation import Site, eventually
from support.month import arriving, changes
from support.spooled import Receiver

KILLS = int(os.environ.get("HSMTRAIL_MONTH_KILLS", "3"))
SEED = int(os.environ.get("HSMTRAIL_MONTH_SEED", "23"))
LONG = KILLS >= 20
WEEKS, DAYS = (4, (0, 7)) if LONG else (1, (2, 3))
EARLY = 0.25
"""The share of kills that do not wait until the service runs: they meet a start."""

LONGEST_CALM = 1.5 if LONG else 0.8
"""Seconds that a service runs at most before it is killed."""

PORTION = 40
"""Lines of one commit of the spool."""

CONFIGURATION = """
data_dir = "data"
detector_folders = ["{detectors}"]
[web]
address = "127.0.0.1:0"
[[alert.email]]
name = "duty"
smtp = "127.0.0.1:{receivers.mail_port}"
from = "hsmtrail@example.org"
to = ["duty@example.org"]
tls = "none"
min_severity = "info"
[[alert.webhook]]
name = "chat"
url = "{receivers.webhook_url}"
secret_env = "HSMTRAIL_TEST_SECRET"
min_severity = "info"
"""
BROKEN = "AUTH-01"
FAILS = ("FROM counted\n", "FROM counted WHERE (SELECT CAST(max(program) AS INTEGER) FROM events) > 0\n")
"""In a store without records, which detectors are tried in, it gives no error."""

SCHEDULED = None if LONG else {"CONF-07", "LOGS-01", "LOGS-02", "PRIV-03"}
"""Detectors that are due each second: None for all that have a schedule. The rest is asked for at the end."""


class Feeder(threading.Thread):
    """Commits lines to the spool as a receiver does, at a pace, until all are there; `hurry` ends the pace."""

    def __init__(self, data_dir, lines, seconds):
        super().__init__(daemon=True)
        self._spool = Receiver(data_dir)
        self._portions = [lines[place : place + PORTION] for place in range(0, len(lines), PORTION)]
        self._pause = seconds / len(self._portions)
        self.hurry = threading.Event()

    def run(self):
        for portion in self._portions:
            for peer in dict.fromkeys(line.peer for line in portion):
                self._spool.commit(*(line.raw for line in portion if line.peer == peer), listener="tcp", peer=peer)
            self.hurry.wait(self._pause)
        self._spool.close()


def prepared(folder, detectors, receivers):
    """A site with the sample's devices and approved changes."""
    folder.mkdir()
    here = Site(folder)
    devices = (sample_folder() / "devices.toml").read_text(encoding="utf-8")
    here.write(CONFIGURATION.format(detectors=detectors, receivers=receivers) + devices)
    with local_desk(load(here.config)) as desk, desk.db.transaction() as cursor:
        fill(cursor, "change_windows", list(changes(WEEKS)))
    return here


def write_detectors(folder):
    """Those that have a schedule, due each second."""
    folder.mkdir()
    for one in load_all():
        if one.every != "live" and (SCHEDULED is None or one.id in SCHEDULED):
            text = one.text.replace(f'every      = "{one.every}"', 'every      = "1s"')
            assert text != one.text
            (folder / one.path.name).write_text(text, encoding="utf-8")
    return folder


def broken_texts():
    """The file of the detector that is broken, and at which kill it comes to say what."""
    whole = load_all().get(BROKEN)
    assert FAILS[0] in whole.text
    texts = {0: whole.text.replace(*FAILS), max(1, KILLS // 2): "SELECT nothing", KILLS - 1: whole.text + "-- mended\n"}
    return whole.path.name, texts


def felt(site, text):
    """What a broken text leads to has happened."""
    if text.startswith("SELECT"):
        return '"detectors_broken"' in site.log("work")
    return FAILS[1] not in text or site.query("SELECT count(*) AS n FROM runs WHERE state = 'failed'")[0]["n"]


def serves(site, pid):
    """The service that was started last says where it answers."""
    try:
        return json.loads((site.folder / "data" / "service.json").read_text())["pid"] == pid
    except FileNotFoundError:
        return False


def kill_again_and_again(site, detectors, chance):
    """Until the service that comes after the last kill runs. One that ends by itself is a failure."""
    name, texts = broken_texts()
    running = site.start("work")
    eventually(lambda: serves(site, running.pid))
    for number in range(KILLS):
        threading.Event().wait(chance.uniform(0.0, LONGEST_CALM))
        assert running.poll() is None, site.log("work")
        running.send_signal(signal.SIGKILL)
        running.wait()
        if text := texts.get(number, ""):
            (detectors / name).write_text(text, encoding="utf-8")
        running = site.start("work")
        if text or chance.random() > EARLY:
            eventually(lambda pid=running.pid: serves(site, pid))
        if text:
            eventually(lambda text=text: felt(site, text))


def finish(site, count):
    """All lines are stored, every detector has judged them, and nobody waits for an alert."""
    eventually(lambda: site.query("SELECT count(*) AS n FROM records")[0]["n"] == count, 240)
    failed = [run for run in site.json("detectors", "run", "--all") if run["state"] == "failed"]
    assert not failed, failed
    eventually(lambda: site.query("SELECT count(*) AS n FROM outbox WHERE state = 'waiting'")[0]["n"] == 0, 240)


def judged_at_once(site, spool):
    """The same spool, stored and judged at once."""
    configuration = load(site.config)
    shutil.copytree(spool, configuration.below("spool"))
    with local_desk(configuration) as desk:
        wiring.loader(desk.db, configuration, desk.patterns, lambda _: None, lambda: None).catch_up()
        desk.duty.run()


@pytest.fixture
def receivers(monkeypatch):
    monkeypatch.setenv("HSMTRAIL_TEST_SECRET", SECRET)
    with Receivers(SECRET) as both:
        yield both


def told(db):
    """The outbox: for each row its finding, its sink, and what its message says."""
    with db.reader() as cursor:
        rows = cursor.execute("SELECT finding, sink, state, message FROM outbox ORDER BY id").fetchall()
    return [(finding, sink, state, json.loads(message)) for finding, sink, state, message in rows]


def standing(db):
    """Findings that stand at the end, with their records. Of a state only what does not depend on the moment; LOGS-10
    rightly says that a detector has changed, and LOGS-08 whether hsmtrail itself was behind when it was asked.
    """
    with db.reader() as cursor:
        return {
            (one.detector, one.subject, *((one.first_seen, one.last_seen) if one.kind == "episodes" else ())): (
                one.severity,
                one.change_ticket,
                json.dumps(dict(one.columns), sort_keys=True) if one.kind == "episodes" else "",
                tuple(findings.evidence(cursor, one.id)) if one.kind == "episodes" else (),
            )
            for one in findings.list_findings(cursor, ["open", "acknowledged"])
            if one.detector not in ("LOGS-08", "LOGS-10")
        }


def check_ledger(db, detectors):
    """Each detector that is in force judged all batches, each once; what failed was filled."""
    with db.reader() as cursor:
        last = cursor.execute("SELECT max(position) FROM batches").fetchall()[0][0]
        rows = cursor.execute(
            "SELECT detector, version, state, from_position, to_position FROM runs ORDER BY from_position, to_position"
        ).fetchall()
    for detector in detectors:
        mine = [row for row in rows if row[0] == detector.id]
        judged = [row[3:] for row in mine if row[1] == detector.sha256 and row[2] != "failed" and row[3] != row[4]]
        assert (judged[0][0], judged[-1][1]) == (0, last), (detector.id, mine)
        assert all(before[1] == after[0] for before, after in pairwise(judged)), (detector.id, mine)
    failed = {row[:2] for row in rows if row[2] == "failed"}
    assert {name for name, _ in failed} == {BROKEN}
    assert next(row[2] for row in rows if row[:2] == (BROKEN, detectors.get(BROKEN).sha256)) == "filled"


def check_told(db, receivers):
    """No finding was told twice without having become worse; what was told has arrived, each at least once."""
    rows = told(db)
    assert {state for _, _, state, _ in rows} == {"delivered"}
    for sink in ("duty", "chat"):
        mine = [(finding, message) for finding, name, _, message in rows if name == sink]
        worst, said = {}, set()
        for finding, message in mine:
            assert rank(message["severity"]) > rank(worst.get(finding, "")), message
            worst[finding] = message["severity"]
            what = (message["detector"], message["subject"], message["severity"], tuple(message["records"]))
            assert what not in said or not message["records"], message
            said.add(what)
        with db.reader() as cursor:
            for one in findings.list_findings(cursor, ["open"]):
                assert rank(one.alerted_severity) >= rank(one.severity), one
    keys = {message["key"] for _, sink, _, message in rows if sink == "chat"}
    called = [call.identifier.removeprefix("msg_") for call in receivers.calls]
    assert set(called) == keys
    assert len(called) - len(keys) <= KILLS + 1, (
        "an alert comes twice only when we are killed between sending and noting"
    )
    mails = sum(sink == "duty" for _, sink, _, _ in rows)
    assert mails <= len(receivers.mails) <= mails + KILLS + 1


@pytest.mark.timeout(120 + 30 * KILLS)
def test_a_month_of_kills_leaves_no_trace(tmp_path, receivers):
    """Ledger, findings and outbox are whole, and what is found is what a calm judgement at once finds."""
    print(f"seed {SEED}")  # noqa: T201  (to have the same moments again)
    folder = write_detectors(tmp_path / "detectors")
    site = prepared(tmp_path / "site", folder, receivers)
    lines = arriving(WEEKS, DAYS)
    feeder = Feeder(site.folder / "data", lines, 2.0 * KILLS)
    feeder.start()
    try:
        kill_again_and_again(site, folder, random.Random(SEED))
        feeder.hurry.set()
        feeder.join()
        finish(site, len(lines))
    finally:
        site.stop()
    calm = prepared(tmp_path / "calm", folder, receivers)
    judged_at_once(calm, site.folder / "data" / "spool")
    detectors = wiring.all_detectors(load(site.config))
    disturbed, undisturbed = (Database.open(here.folder / "data" / "store.duckdb") for here in (site, calm))
    try:
        check_ledger(disturbed, detectors)
        check_told(disturbed, receivers)
        print(f"{KILLS} kills, {len(lines)} lines, {len(standing(disturbed))} findings, {len(told(disturbed))} alerts")  # noqa: T201
        assert standing(disturbed) == standing(undisturbed)
    finally:
        disturbed.close()
        undisturbed.close()
