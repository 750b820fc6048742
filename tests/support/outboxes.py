"""Findings, sinks and an outbox, as tests of alerts put them together."""

import dataclasses

from analytics.alerts.outbox import enqueue, enqueue_pack
from analytics.alerts.sinks import EmailSink
from store.findings import Finding
from support.alerting import NOON


def finding(number=7, **changes):
    values = {
        "id": number,
        "detector": "AUTH-01",
        "kind": "episodes",
        "title": "Wrong HSM Security Officer secret",
        "subject": "so on hsm1",
        "device": "hsm1",
        "severity": "high",
        "state": "open",
        "disposition": "",
        "owner": "",
        "first_seen": NOON,
        "last_seen": NOON,
        "opened_at": NOON,
        "updated_at": NOON,
        "closed_at": None,
        "alerted_severity": "",
        "superseded_by": None,
        "change_ticket": "",
        "record_count": 1,
        "columns": {"role": "so", "tries_left": 2},
        "detector_sha256": "ab" * 32,
        "parameters": {},
    }
    return Finding(**{field.name: {**values, **changes}[field.name] for field in dataclasses.fields(Finding)})


def mailbox(server, name="post", **changes):
    return EmailSink(name, "127.0.0.1", server.port, "hsm@example.org", ("a@example.org",), tls="none", **changes)


def put(db, sinks, clock, *findings, reason="opened"):
    with db.transaction() as cursor:
        return sum(enqueue(cursor, one, reason, sinks, clock(), runbook="1. Stop.") for one in findings or [finding()])


def put_pack(db, sinks, clock, path):
    with db.transaction() as cursor:
        words = {"name": "2026-W47", "title": "Week 47", "summary": ["2 findings open"], "sha256": "ab" * 32}
        return enqueue_pack(cursor, sinks, clock(), path=path, recipients=["r@example.org"], **words)


def ask(db, sql):
    with db.reader() as cursor:
        return cursor.execute(sql).fetchall()


def states(db):
    return dict(ask(db, "SELECT state, count(*) FROM outbox GROUP BY state"))


def rename(db, old, new):
    with db.transaction() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")
