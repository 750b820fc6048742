"""A store in memory, filled by plain SQL, with a helper that knows the columns nobody wants to write out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from reports import period
from support.records import put, put_one

ROOT = Path(__file__).parents[2]
WEEK = period.parse_week("2026-W47")
MONDAY = WEEK.begin
FRIDAY = MONDAY + timedelta(days=4, hours=8, minutes=41)
RECEIVER = 1 << 48

LINE = {
    "listener": "udp",
    "transport": "udp",
    "peer": "192.0.2.7",
    "peer_identity": "",
    "host": "",
    "program": "lunash",
    "message": "",
    "device": "hsm-ams-1",
    "family": "lunash",
    "event_at_source": "record",
    "operation": "",
    "outcome": "",
    "role": "",
    "command_class": "",
    "pattern": "lunash.command",
    "pattern_version": "lunash 1",
    "status": "parsed",
    "trouble": "",
    "raw": "a line",
}
FINDING = {
    "detector": "AUTH-01",
    "kind": "episodes",
    "title": "Wrong secret of a Security Officer",
    "subject": "so on hsm-ams-1",
    "device": "hsm-ams-1",
    "severity": "high",
    "state": "open",
    "disposition": "",
    "owner": "",
    "alerted_severity": "",
    "change_ticket": "",
    "record_count": 0,
    "columns": {},
    "detector_sha256": "ab" * 32,
    "parameters": {},
}


class Shelf:
    """One store; every method inserts one row and fills in what the test does not care about."""

    def __init__(self) -> None:
        self.con = duckdb.connect(":memory:", config={"threads": "2"})
        for script in sorted((ROOT / "store" / "migrations").glob("*.sql")):
            self.con.execute(script.read_text(encoding="utf-8"))
        self.con.execute((ROOT / "store" / "views.sql").read_text(encoding="utf-8"))
        self.lines = 0
        self.findings = 0

    def insert(self, table: str, **values: object) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        plain = [json.dumps(value) if isinstance(value, dict) else value for value in values.values()]
        self.con.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", plain)

    def device(self, name: str, **values: object) -> None:
        usual = {
            "hosts": [name],
            "serials": [],
            "time_zone": "UTC",
            "profile": "production",
            "partner": "",
            "behind_nva": False,
            "microsoft_monitor": True,
            "expects": [],
            "firmware_minimum": "",
            "backup_serials": [],
            "working_days": [],
            "holidays": [],
        }
        self.insert("devices", name=name, **(usual | values))

    def line(self, at: datetime, **values: object) -> int:
        """A record; gives its id."""
        self.lines += 1
        record = RECEIVER + self.lines
        usual = LINE | {"received_at": at + timedelta(seconds=1), "event_at": at, "batch": RECEIVER + 1}
        put_one(self.con, record_id=record, **(usual | values))
        return record

    def every(self, minutes: int, begin: datetime, end: datetime, **values: object) -> None:
        """Many lines at once: one each so many minutes."""
        number = int((end - begin) / timedelta(minutes=minutes))
        usual = LINE | {"batch": RECEIVER + 1} | values
        marks = ", ".join(f'${name} AS "{name}"' for name in usual)
        put(
            self.con,
            "SELECT $first + i AS record_id, $begin + to_minutes(i * $minutes) AS event_at, "
            f"event_at + INTERVAL 1 SECOND AS received_at, {marks} FROM range($number) AS t(i)",
            usual | {"first": RECEIVER + self.lines + 1, "begin": begin, "minutes": minutes, "number": number},
        )
        self.lines += number

    def finding(self, at: datetime, records: list[int] | None = None, **values: object) -> int:
        self.findings += 1
        seen = {
            "first_seen": at,
            "last_seen": at,
            "opened_at": at,
            "updated_at": at,
            "record_count": len(records or []),
        }
        self.insert("findings", id=self.findings, **(FINDING | seen | values))
        for record in records or []:
            self.insert("finding_records", finding=self.findings, record_id=record)
        return self.findings

    def custody(self, minute: datetime, received: int, **values: object) -> None:
        usual = {
            "listener": "udp",
            "kernel_dropped": 0,
            "refused": 0,
            "refused_reasons": {},
            "cut": 0,
            "spooled": received,
            "stored": received,
            "copies": 0,
        }
        self.insert("custody", minute=minute, received=received, **(usual | values))

    def batch(self, number: int, sha256: str, rows: int) -> None:
        self.insert(
            "batches",
            batch=RECEIVER + number,
            position=number,
            segment="spool/main/000000000001.arrow",
            first_record=RECEIVER + 1,
            rows=rows,
            sha256=sha256,
            previous="",
            committed_at=MONDAY,
            stored_at=MONDAY,
            counters={},
        )

    def window(self, begin: datetime, end: datetime, ticket: str, **values: object) -> None:
        usual = {"device": "hsm-ams-1", "kind": "change", "note": "", "added_at": begin, "added_by": "admin"}
        self.insert("change_windows", id=1, starts_at=begin, ends_at=end, ticket=ticket, **(usual | values))

    def strike(self, at: datetime, **values: object) -> int:
        """A wrong secret of the Security Officer, as the audit record tells it."""
        usual = {
            "family": "hsm_audit",
            "pattern": "audit.record",
            "operation": "login",
            "outcome": "failed",
            "strike": True,
            "role": "so",
            "command_class": "session",
        }
        return self.line(at, **(usual | values))

    def act(self, at: datetime, operation: str, **values: object) -> int:
        """A successful command of the Luna shell."""
        usual = {
            "operation": operation,
            "outcome": "ok",
            "command_class": "privileged",
            "account": "admin",
            "source": "192.0.2.7",
            "command": operation.replace("_", " "),
        }
        return self.line(at, **(usual | values))


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)>",
    "\u202etset\u202c\x1b[31m zero\u200bwidth \ud7ff\ufeff",
    "NUL \\x00 and \x00, {{ 7 * 7 }} {% raw %} </style><style>body{display:none}</style>",
    "\r\nSubject: forged",
    "A" * 100_000,
    '\' OR 1=1 -- &lt;b&gt; "quoted"',
)


def lively_week(shelf: Shelf) -> None:
    """Two and a half devices, a gap, a streak, approved and unapproved acts, drift, hostile text, custody, alerts."""
    monday, hour, day = MONDAY, timedelta(hours=1), timedelta(days=1)
    shelf.device("hsm-ams-1", expects=["hsm_audit", "lunash"])
    shelf.device("hsm-ams-2", expects=["hsm_audit", "ntls"])
    shelf.device("hsm-fra-1", expects=["hsm_audit"])
    for device in ("hsm-ams-1", "hsm-ams-2"):
        shelf.every(10, monday - 7 * day, monday, device=device, family="sysstat", operation="state", transport="tls")
    shelf.every(10, monday, WEEK.end, device="hsm-ams-1", family="sysstat", operation="state", transport="tls")
    gap = monday + 3 * day + 6 * hour + timedelta(minutes=1)
    shelf.every(10, monday, gap, device="hsm-ams-2", transport="tcp", family="sysstat", operation="state")
    shelf.every(10, gap + timedelta(minutes=119), WEEK.end, device="hsm-ams-2", family="sysstat", operation="state")
    for place in range(60):  # every two hours, and three numbers missing
        number = 1000 + place + (3 if place > 40 else 0)
        usual = {"family": "hsm_audit", "pattern": "audit.record", "audit_sequence": number, "hsm_serial": "532000"}
        shelf.line(monday + place * 2 * hour, device="hsm-ams-2", operation="session_open", **usual)
    _logins(shelf)
    _acts(shelf)
    _rest(shelf)


def _logins(shelf: Shelf) -> None:
    for place in range(2):
        at = FRIDAY + timedelta(minutes=place)
        shelf.strike(at, device="hsm-ams-2")
        shelf.strike(
            at + timedelta(seconds=1), device="hsm-ams-2", family="lunash", pattern="lunash.command", account="admin"
        )
    for day in range(1, 50, 3):
        at = MONDAY - timedelta(days=day - 6)
        for place in range(1 + day % 4):
            shelf.strike(at + timedelta(minutes=place), role="co", partition="20")
        shelf.strike(at + timedelta(minutes=9), role="co", partition="20", outcome="ok", strike=None)
    shelf.strike(MONDAY + timedelta(hours=9), role="au", outcome="ok", strike=None)
    for place in range(7):
        at = MONDAY + timedelta(days=2, seconds=10 * place)
        usual = {
            "family": "sshd",
            "program": "sshd",
            "operation": "login",
            "source": "198.51.100.9",
            "outcome": "failed",
        }
        shelf.line(at, pattern="sshd.failed", account="admin", **usual)
        shelf.line(at, pattern="sshd.pam", account="admin", **usual)
    shelf.line(
        MONDAY + timedelta(days=2, minutes=5), pattern="sshd.accepted", account="admin", **(usual | {"outcome": "ok"})
    )


def _acts(shelf: Shelf) -> None:
    hour = timedelta(hours=1)
    opened = MONDAY + 9 * hour
    shelf.window(opened - hour, opened + hour, "CHG-4411")
    shelf.act(opened + timedelta(minutes=2), "partition_create", command="partition create")
    shelf.act(
        opened + timedelta(minutes=2, seconds=1),
        "partition_create",
        family="hsm_audit",
        pattern="audit.record",
        account=None,
        role="so",
        command=None,
        vendor_event="LUNA_CREATE_CONTAINER",
        partition="20",
    )
    night = MONDAY + timedelta(days=3, hours=23, minutes=12)
    policy = {"command_class": "config", "command": "hsm changepolicy", "setting": "hsm policy 15"}
    shelf.act(opened, "policy_set", value="0", **policy)
    one = shelf.act(night, "policy_set", value="1", raw=HOSTILE[0], **policy)
    two = shelf.line(night + timedelta(seconds=2), raw=HOSTILE[1], operation="show", family="lunash", account="admin")
    shelf.act(
        night + timedelta(minutes=3), "hsm_init", command_class="destructive", outcome="failed", command="hsm init"
    )
    shelf.act(night + timedelta(minutes=4), "reboot", command_class="availability", command="sysconf appliance reboot")
    shelf.finding(
        night,
        [one, two],
        detector="PRIV-03",
        title="Privileged operation outside a change window",
        subject="policy_set on hsm-ams-1",
        severity="critical",
        columns={"role": "so", "source": "192.0.2.7", "setting": "hsm policy 15", "value": "1", "times": 1},
    )
    shelf.insert(
        "baseline",
        device="hsm-ams-1",
        setting="hsm policy 15",
        partition="",
        value="0",
        approved_at=opened,
        approved_by="admin",
        reason="as built",
        as_of=opened,
    )


def _rest(shelf: Shelf) -> None:
    _findings_of_hostile_lines(shelf)
    _deliveries(shelf)
    _runs(shelf)
    _suppressions(shelf)
    shelf.custody(
        MONDAY, 4000, refused=2, spooled=3998, stored=3998, refused_reasons={"empty": 2}, copies=5, kernel_dropped=7
    )
    shelf.batch(1, "3f9a" * 16, shelf.lines)


def _findings_of_hostile_lines(shelf: Shelf) -> None:
    hostile = [
        shelf.line(FRIDAY + timedelta(hours=1, seconds=n), raw=raw, status="partial") for n, raw in enumerate(HOSTILE)
    ]
    shelf.finding(FRIDAY, hostile, subject="so on hsm-ams-2", columns={"failures": 2, "tries_left": 1, "ended": False})
    shelf.finding(
        MONDAY + timedelta(hours=3),
        detector="LOGS-01",
        title="Source <b>silent</b>",
        subject="hsm-fra-1 \u202e{{ 7 * 7 }}",
        severity="medium",
        columns={"note": HOSTILE[2], "silent minutes": 1234567},
    )
    shelf.finding(
        MONDAY, severity="low", state="closed", disposition="false_alarm", owner="admin", change_ticket="CHG-4411"
    )
    shelf.finding(MONDAY, hostile[:1], title="Configuration differs", severity="low", change_ticket="CHG-4412")


def _deliveries(shelf: Shelf) -> None:
    for place, accepted in ((1, True), (2, True), (3, False)):
        made = FRIDAY + timedelta(seconds=place)
        state = "delivered" if accepted else "waiting"
        shelf.insert(
            "outbox",
            id=place,
            finding=place,
            sink="duty-mail",
            kind="finding",
            severity="high",
            message={},
            created_at=made,
            next_attempt_at=made,
            attempts=1,
            state=state,
            last_error="",
        )
        shelf.insert(
            "deliveries",
            outbox=place,
            sink="duty-mail",
            attempt=1,
            attempted_at=made + timedelta(seconds=place),
            accepted=accepted,
            answer="",
        )


def _runs(shelf: Shelf) -> None:
    shelf.insert(
        "runs",
        detector="AUTH-01",
        version="ab" * 32,
        state="ran",
        from_position=0,
        to_position=2,
        window_start=MONDAY,
        window_end=WEEK.end,
        started_at=MONDAY,
        finished_at=WEEK.end,
        times=12,
        findings=1,
        suppressed=2,
        error="",
    )


def _suppressions(shelf: Shelf) -> None:
    shelf.insert(
        "suppressions",
        id=1,
        detector="NTLS-01",
        match={"source": "192.0.2.200"},
        reason="load balancer probe",
        owner="network team",
        starts_at=MONDAY,
        ends_at=MONDAY + timedelta(days=60),
        added_by="admin",
    )
