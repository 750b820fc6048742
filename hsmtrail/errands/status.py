"""How it goes: listeners, losses, lag, runs, deliveries."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

import hsmtrail
from hsmtrail.errands import Errand
from hsmtrail.errands.evidence import evidence_status
from hsmtrail.failures import Failure
from hsmtrail.formats import instant
from hsmtrail.log import shown
from store.custody import balance
from store.forms import unknown_forms
from store.zones import learned_zones

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from hsmtrail.config import Configuration
    from hsmtrail.desk import Desk
    from store.forms import Form, UnknownForms
    from store.zones import LearnedZone


MOST_MISTAKES = 20


class ShowStatus(Errand):
    """The state of the receiver and of the service; `forms`: also what is learned from 30 days of records."""

    forms: bool = True

    def answer(self, desk: Desk) -> dict[str, Any]:
        with desk.db.reader() as cursor:
            service = {
                "pid": desk.service_pid,
                "running": desk.service_pid is not None,
                **_counts(cursor),
                "balance": dataclasses.asdict(balance(cursor)),
                "lag_seconds": round(desk.lag_seconds(), 3),
                "runs": _runs(cursor),
                "deliveries": _deliveries(cursor),
                "patterns": _patterns(desk),
                "detectors": {"mistakes": [shown(one, 1000) for one in desk.detector_mistakes[:MOST_MISTAKES]]},
                **(_learned(cursor, desk.now()) if self.forms else {}),
            }
            evidence = evidence_status(desk.configuration, cursor, desk.now())
        return {
            "version": hsmtrail.__version__,
            "receiver": receiver_status(desk.configuration),
            "service": service,
            "evidence": evidence,
            "web": {"address": _web_address(desk.configuration)},
        }


def _patterns(desk: Desk) -> dict[str, Any]:
    """The set in force, and what is wrong with the files when it is not they that are in force."""
    try:
        version = desk.patterns.current().patterns.version
    except Failure:
        version = ""
    mistakes = [shown(mistake, 1000) for mistake in desk.patterns.mistakes[:MOST_MISTAKES]]
    return {"version": version, "mistakes": mistakes}


def _learned(cursor: duckdb.DuckDBPyConnection, now: datetime) -> dict[str, Any]:
    """Messages that no pattern knows, and the zones of clocks."""
    return {
        "unknown_forms": _forms(unknown_forms(cursor, now)),
        "zones": [_seen(one) for one in learned_zones(cursor, now)],
    }


def _forms(found: UnknownForms) -> dict[str, Any]:
    return {
        "since": instant(found.since),
        "forms": found.forms,
        "records": found.records,
        "complete": found.complete,
        "frequent": [_seen(one) for one in found.frequent],
        "newest": [_seen(one) for one in found.newest],
    }


def _seen(one: Form | LearnedZone) -> dict[str, Any]:
    said = dataclasses.asdict(one)
    return {**said, "first_seen": instant(one.first_seen), "last_seen": instant(one.last_seen)}


def receiver_status(configuration: Configuration) -> dict[str, Any]:
    """What the receiver last wrote about itself (at most a second old while it runs)."""
    try:
        text = configuration.below("spool", configuration.spool.name, "status.json").read_text(encoding="utf-8")
        status: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return {"pid": None, "running": False, "spool_bytes": 0, "last_batch": 0, "listeners": []}
    return {**status, "running": _lives(status.get("pid"))}


def _lives(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _counts(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Asked often, of the whole store: so of the tables behind `records`."""
    row = cursor.execute(
        "SELECT count(*), count(copy_of), count(*) FILTER (WHERE status <> 'parsed'),"
        " (SELECT coalesce(max(batch), 0) FROM batches) FROM lines JOIN meanings USING (meaning)"
    ).fetchone()
    return dict(zip(("records", "copies", "unknown", "last_batch"), row or (0, 0, 0, 0), strict=True))


def _runs(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = cursor.execute(
        "SELECT detector, max(finished_at), arg_max(state, finished_at), arg_max(error, finished_at)"
        " FROM runs GROUP BY detector ORDER BY detector"
    ).fetchall()
    runs = [
        {"detector": name, "finished_at": instant(at), "state": state, "error": error}
        for name, at, state, error in rows
    ]
    return [{key: value for key, value in run.items() if value != ""} for run in runs]


def _deliveries(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    counted = dict(cursor.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall())
    numbers = {state: counted.get(state, 0) for state in ("waiting", "delivered", "dead")}
    trouble = cursor.execute(
        "SELECT sink || ': ' || last_error FROM outbox"
        " WHERE state <> 'delivered' AND last_error <> '' ORDER BY id LIMIT 1"
    ).fetchone()
    return {**numbers, **({"last_error": shown(trouble[0])} if trouble else {})}


def _web_address(configuration: Configuration) -> str:
    """The address that was really bound; the configured one while the service is down."""
    try:
        written = json.loads(configuration.below("service.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return configuration.web.address
    host = f"[{written['host']}]" if ":" in written["host"] else written["host"]
    return f"{host}:{written['port']}"
