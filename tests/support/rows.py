"""Rows and batches as the parser and the spool would give them."""

from datetime import datetime, timedelta

import polars as pl

from parsers.columns import EMPTY, PARSED
from store.custody import Counters
from store.writer import StoredBatch

AT = datetime(2026, 11, 23, 8, 15, 1)
IDENTITY = {
    "record_id": pl.UInt64,
    "batch": pl.UInt64,
    "received_at": pl.Datetime("us"),
    "listener": pl.String,
    "transport": pl.String,
    "peer": pl.String,
    "peer_port": pl.UInt16,
    "peer_identity": pl.String,
}


def identity(receiver, number):
    return (receiver << 48) + number


def record(number, **columns):
    """One row; `receiver` and `in_batch` choose its numbers, the rest are columns of `records`."""
    receiver, in_batch = columns.pop("receiver", 1), columns.pop("in_batch", 1)
    return {
        "record_id": identity(receiver, number),
        "batch": identity(receiver, in_batch),
        "received_at": AT,
        "listener": "udp",
        "transport": "udp",
        "peer": "192.0.2.10",
        "peer_port": 514,
        "peer_identity": "",
        **EMPTY,
        "host": "luna-a",
        "program": "lunash",
        "process_id": "77",
        "device": "luna-a",
        "family": "lunash",
        "event_at": AT,
        "event_at_source": "header",
        "message": "info : 0 : Command: hsm show : admin : Console",
        "status": "parsed",
        **columns,
    }


def audit(number, sequence, **columns):
    """One record of the HSM's audit log."""
    said = {"family": "hsm_audit", "program": "hsm", "hsm_serial": "1483", "audit_sequence": sequence}
    return record(number, **{**said, "message": f"{sequence},26/11/23 08:15:01,S/N 1483", **columns})


def frame(records):
    return pl.DataFrame(records, schema={**IDENTITY, **PARSED})


def batch(number, records, receiver=1, committed_at=AT, counters=None):
    """What the spool says of the batch that holds these records."""
    if counters is None:
        listeners = {item["listener"] for item in records}
        counters = {name: counted(sum(item["listener"] == name for item in records)) for name in listeners}
    return StoredBatch(
        batch=identity(receiver, number),
        first_record=records[0]["record_id"] if records else identity(receiver, 1),
        rows=len(records),
        sha256=f"{number:064d}",
        previous=f"{number - 1:064d}",
        committed_at=committed_at,
        segment=f"spool/main/{1:012d}.arrow",
        counters=counters,
    )


def counted(spooled, refused=None, kernel_dropped=0, cut=0):
    reasons = refused or {}
    return Counters(spooled + sum(reasons.values()), kernel_dropped, reasons, cut, spooled)


def later(**difference):
    return AT + timedelta(**difference)
