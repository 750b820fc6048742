"""A store in memory, a clock to turn, detectors on duty: rows arrive in batches as a test says."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from analytics.case_tables import fill, moment_of, table
from analytics.detector import load
from analytics.duty import Duty
from store import findings, migrate
from store.database import USE, Database

NOON = datetime(2026, 11, 23, 12)
HEADER = """/*
id         = "{id}"
title      = "Something happened"
kind       = "{kind}"
severity   = "medium"
every      = "{every}"
looks_back = "10m"
finds = "What a test wants to be found."
blind_spots = "Everything else."
runbook = "1. Look at the test."
recommendations = ["4.2"]
frameworks = ["PCI DSS 4.0.1 10.2"]
attack = {{ version = "19", techniques = [] }}
{more}
*/
"""
CHAINS = """
WITH steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY device ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM events WHERE event_at BETWEEN $window_start AND $window_end AND operation = 'login' AND outcome = 'failed'
),
runs AS (SELECT *, count_if(begins) OVER (PARTITION BY device ORDER BY event_at) AS run FROM steps)
SELECT 'failures on ' || device AS subject, min(event_at) AS first_seen, max(event_at) AS last_seen, device,
    if(count(*) >= 3, 'high', 'medium') AS severity, count(*) AS failures, list_sort(list(record_id)) AS evidence
FROM runs GROUP BY device, run
"""
STATE = """
SELECT device AS subject, max(event_at) AS first_seen, $window_end AS last_seen, device,
    arg_max(value, event_at) AS value, [arg_max(record_id, event_at)] AS evidence
FROM events WHERE event_at <= $window_end AND setting = 'ipcheck'
GROUP BY device HAVING arg_max(value, event_at) = 'off'
"""


def write_detector(folder, query=CHAINS, name="something", more="", **header):
    """One detector as a file; gives its path."""
    path = folder / f"{name}.sql"
    known = {"id": "TEST-01", "kind": "episodes", "every": "live"} | header
    path.write_text(HEADER.format(more=more, **known) + query, encoding="utf-8")
    return path


def in_memory():
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("ATTACH ':memory:' AS store")
    connection.execute(USE)
    migrate.migrate(connection, migrate.migrations(), migrate.views())
    return Database(connection, Path("memory"))


@dataclass
class Bench:
    """Detectors over one store. `alerts` has what was put into the outbox: reason, severity, subject."""

    detectors: list
    db: Database = field(default_factory=in_memory)
    now: datetime = NOON
    alerts: list = field(default_factory=list)
    batches: int = 0
    records: int = 0
    duty: Duty = None

    def __post_init__(self):
        self.begin_duty()

    def begin_duty(self, **options):
        """A service that starts: it knows only what is in the store."""
        self.duty = Duty(self.db, self.detectors, lambda: self.now, enqueue=self._tell, **options)
        return self.duty

    def _tell(self, cursor, finding, reason):
        assert findings.evidence(cursor, finding.id)[: finding.record_count], "records are written before the alert"
        self.alerts.append((reason, finding.severity, finding.subject))

    def arrive(self, rows, judge=True):
        """One batch, then what is live judges it; the record ids."""
        rows = table(rows) if isinstance(rows, str) else rows
        self.batches += 1
        first, self.records = self.records + 1, self.records + len(rows)
        batch = str((1 << 48) + self.batches)
        with self.db.transaction() as cursor:
            fill(cursor, "events", [{**row, "batch": batch} for row in rows], first)
            cursor.execute(
                "INSERT INTO batches (batch, position, segment, first_record, rows, sha256, previous, committed_at,"
                " stored_at, counters) VALUES (?, ?, 'segment', ?, ?, '', '', ?, ?, '{}')",
                [batch, self.batches, first, len(rows), self.now, self.now],
            )
        if judge:
            self.judge()
        return list(range(first, self.records + 1))

    def judge(self):
        self.now += timedelta(seconds=1)
        return self.duty.judge_arrivals()

    def change(self, begin, end, device="hsm1", kind="change", ticket="CHG-1"):
        with self.db.transaction() as cursor:
            fill(
                cursor,
                "change_windows",
                [{"device": device, "starts_at": begin, "ends_at": end, "ticket": ticket, "kind": kind}],
            )

    def put(self, name, rows):
        with self.db.transaction() as cursor:
            fill(cursor, name, table(rows))

    def findings(self, *states):
        with self.db.reader() as cursor:
            return sorted(findings.list_findings(cursor, states or None), key=lambda one: one.id)

    def evidence(self, number):
        with self.db.reader() as cursor:
            return findings.evidence(cursor, number)

    def actions(self, number):
        with self.db.reader() as cursor:
            return [step.action for step in findings.history(cursor, number)]

    def ask(self, sql):
        with self.db.reader() as cursor:
            return cursor.execute(sql).fetchall()

    def close_finding(self, number, disposition="expected"):
        with self.db.transaction() as cursor:
            findings.close(cursor, number, disposition=disposition, by="admin", note="seen", now=self.now)

    def acknowledge(self, number):
        with self.db.transaction() as cursor:
            findings.acknowledge(cursor, number, by="admin", note="mine", now=self.now)


def bench(folder, *paths, **options):
    return Bench([load(path) for path in paths or [write_detector(folder, **options)]])


def at(text):
    return moment_of(text)
