"""Lines as devices write them, through the parser and to a detector: so cases do not dream of columns."""

from datetime import datetime, timedelta

import polars as pl

from analytics.asking import ask
from analytics.case_tables import fill, table
from analytics.detector import load_all
from analytics.manners import scratch
from hsmtrail import wiring

DETECTORS = load_all()
NOON = datetime(2026, 11, 23, 12)
DEVICES = """
name | hosts | serials | partner | backup_serials
hsm1 | hsm1  | 150718  | hsm2    | 700301
hsm2 | hsm2  | 150719  | hsm1    | 700301
"""
COLUMNS = (
    *(
        "host",
        "family",
        "pattern",
        "operation",
        "outcome",
        "setting",
        "value",
        "partition",
        "account",
        "source",
        "client",
    ),
    *("command", "command_class", "role", "strike", "vendor_event", "return_name", "return_code", "status", "trouble"),
    *("hsm_serial", "audit_sequence", "object_handle", "process_id", "event_at_source", "message", "details"),
)


def shell(command, at="10:00:00", code="0", account="ops", host="hsm1"):
    """A line of the Luna shell."""
    said = f"info : {code} : Command: {command}  : {account} : 192.0.2.50/4000"
    return f"<174>1 2026-11-23T{at}Z {host} lunash 7 - - {said}"


def record(number, text, at="10:00:00", host="hsm1", serial="150718"):
    """A record of the HSM's audit log, as `cbs` sends it."""
    said = f"hsm_{serial}_00000002.log^ {number},26/11/23 {at},S/N {serial} session 2 Access 2147483651:2669 {text}"
    return f"<158>1 2026-11-23T{at}Z {host} cbs 1 - - {said}"


def line(text, program="ntpd", at="10:00:00", host="hsm1"):
    """What any other program of the appliance writes."""
    return f"<30>1 2026-11-23T{at}Z {host} {program} 1 - - {text}"


def found(identifier, lines, **tables):
    """The subjects that a detector finds in these lines, with their severity. `tables`: what a case may fill."""
    frame = wiring.parser(None).one_by_one(
        pl.DataFrame(
            {
                "received_at": pl.Series([NOON] * len(lines), dtype=pl.Datetime("us")),
                "peer": ["192.0.2.11"] * len(lines),
                "peer_identity": [""] * len(lines),
                "raw": pl.Series([one.encode() for one in lines], dtype=pl.Binary),
                "trouble": [""] * len(lines),
            }
        )
    )
    rows = [
        {"time": str(row["event_at"]), "device": row["host"]}
        | {name: "" if row[name] is None else str(row[name]) for name in COLUMNS}
        for row in frame.iter_rows(named=True)
    ]
    detector, cursor = DETECTORS.get(identifier), scratch().cursor()
    cursor.execute("BEGIN TRANSACTION")
    try:
        for name, given in ({"devices": DEVICES} | tables).items():
            fill(cursor, name, table(given))
        fill(cursor, "events", rows)
        wide = timedelta() if detector.kind == "state" else timedelta(days=1)
        episodes = ask(cursor, detector, NOON - detector.looks_back - wide, NOON + wide, 20)
        return {one.subject: one.severity for one in episodes if one.severity is not None}
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()
