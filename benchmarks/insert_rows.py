"""How fast parsed rows go into the store: rows a second for one commit size after another, as the loader inserts them.

python benchmarks/insert_rows.py [ROWS] [ROWS A COMMIT…]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from parsers.columns import EMPTY, PARSED
from store.database import Database
from store.writer import StoredBatch, Writer

START = datetime(2026, 11, 23, 8, 0)
WAYS = 200


def audit_rows(first: int, count: int) -> pl.DataFrame:
    """Audit records with their raw text kept: what the parser gives, and the identity columns."""
    number = np.arange(first, first + count, dtype=np.uint64)
    at = pl.Series("event_at", np.datetime64(START, "us") + (number * 50).astype("timedelta64[us]"))
    frame = pl.DataFrame({"record_id": number + (1 << 48), "event_at": at, "audit_sequence": number})
    text = pl.format(
        "1,{},S/N 1483{} session {} Access 2147483651:21 SO:2 operation LUNA_LOGIN returned RC_OK(0x00000000) "
        "container={} key={} (using PIN (entry=LUNA_ENTRY_DATA_AREA))",
        pl.col("event_at").dt.strftime("%y/%m/%d %H:%M:%S"),
        pl.lit("123"),
        pl.col("audit_sequence") % WAYS,
        pl.lit(20),
        pl.col("audit_sequence"),
    )
    said = {
        "facility": 20, "severity": 6, "host": "luna-a", "program": "hsm", "device": "luna-a", "family": "hsm_audit",
        "event_at_source": "record", "operation": "login", "outcome": "ok", "role": "so", "role_id": 2,
        "command_class": "session", "hsm_serial": "1483123", "vendor_event": "LUNA_LOGIN", "return_name": "RC_OK",
        "return_code": 0, "partition": "20", "entry": "LUNA_ENTRY_DATA_AREA", "mac": "00" * 32,
        "access_major": 2147483651, "access_minor": 21, "pattern": "audit_record", "pattern_version": "1",
        "status": "parsed", "details": '{"level": 1, "actor": "SO"}',
    }  # fmt: skip
    made = {"record_id", "event_at", "audit_sequence"}
    return frame.with_columns(
        batch=pl.lit(1, pl.UInt64),
        received_at=pl.col("event_at"),
        listener=pl.lit("tcp"),
        transport=pl.lit("tcp"),
        peer=pl.lit("192.0.2.10"),
        peer_port=pl.lit(40000, pl.UInt16),
        peer_identity=pl.lit(""),
        **{name: pl.lit({**EMPTY, **said}[name], kind) for name, kind in PARSED.items() if name not in made},
    ).with_columns(
        message=text,
        sent_at=pl.col("event_at"),
        session=pl.col("audit_sequence") % WAYS,
        process_id=(pl.col("audit_sequence") % WAYS).cast(pl.String),
        raw=pl.format("<166>Nov 23 08:00:00 luna-a hsm[{}]: {}", pl.col("audit_sequence") % WAYS, text),
    )


def batch(number: int, frame: pl.DataFrame) -> StoredBatch:
    return StoredBatch(
        batch=(1 << 48) + number,
        first_record=frame["record_id"][0],
        rows=frame.height,
        sha256="0" * 64,
        previous="0" * 64,
        committed_at=START + timedelta(seconds=number),
        segment="spool/main/000000000001.arrow",
        counters={},
    )


def measure(rows: int, commit: int) -> float:
    frames = [audit_rows(first, commit) for first in range(1, rows + 1, commit)]
    with tempfile.TemporaryDirectory() as folder:
        db = Database.open(Path(folder) / "store.duckdb")
        writer = Writer(db)
        began = time.perf_counter()
        for number, frame in enumerate(frames, 1):
            marked = frame.with_columns(batch=pl.lit((1 << 48) + number, pl.UInt64))
            writer.store([batch(number, frame)], marked)
        seconds = time.perf_counter() - began
        db.close()
    return rows / seconds


def main() -> None:
    rows, *commits = [int(word) for word in sys.argv[1:]] or [500_000]
    for commit in commits or (1_000, 10_000, 125_000):
        count = min(rows, commit * 100) // commit * commit
        print(f"{commit:>8,} rows a commit: {measure(count, commit):>10,.0f} rows/s")


if __name__ == "__main__":
    main()
