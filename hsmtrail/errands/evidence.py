"""How the evidence fares: heads of the chain, what lies where, and for how many days there is room."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hsmtrail.anchor import chain_heads
from ingest.archive_manifest import head_of_manifest

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from hsmtrail.config import Configuration

DAY = timedelta(days=1)
LEAST = timedelta(minutes=1)
"""Of a shorter time nothing is foretold."""

RATE = """
SELECT coalesce(sum(rows), 0)::BIGINT, coalesce(sum(rows) FILTER (committed_at >= $since), 0)::BIGINT, min(committed_at)
FROM batches
"""


def evidence_status(configuration: Configuration, cursor: duckdb.DuckDBPyConnection, now: datetime) -> dict[str, Any]:
    """`bytes_per_day` and `days_left` are at the rate of the last day; left out while nothing can be said."""
    data_dir = configuration.below()
    sizes = {
        "spool_bytes": _bytes_below(data_dir / "spool"),
        "archive_bytes": _bytes_below(data_dir / "archive"),
        "store_bytes": _size(configuration.store_path) + _size(configuration.store_path.with_suffix(".duckdb.wal")),
    }
    free = shutil.disk_usage(data_dir).free
    forecast = _forecast(cursor, now, sum(sizes.values()), free)
    return {
        "heads": [{"name": head.spool, "batch": head.batch, "sha256": head.sha256} for head in chain_heads(cursor)],
        "manifest": head_of_manifest(data_dir),
        **sizes,
        "free_bytes": free,
        **forecast,
        "alarms": _alarms(configuration, sizes, forecast.get("days_left")),
    }


def note_room(
    configuration: Configuration, cursor: duckdb.DuckDBPyConnection, now: datetime, evidence: dict[str, Any]
) -> None:
    """Keep what was found in table `room`, for detectors: within the caller's transaction."""
    row = {name: evidence[name] for name in ("free_bytes", "spool_bytes", "archive_bytes", "store_bytes")}
    row |= {"looked_at": now, "total_bytes": shutil.disk_usage(configuration.below()).total}
    row |= {"days_left": evidence.get("days_left")}
    cursor.execute(f"INSERT INTO room BY NAME SELECT {', '.join(f'${name} AS {name}' for name in row)}", row)


def _forecast(cursor: duckdb.DuckDBPyConnection, now: datetime, used: int, free: int) -> dict[str, Any]:
    ((records, recent, first),) = cursor.execute(RATE, {"since": now - DAY}).fetchall()
    span = DAY if first is None else min(DAY, now - first)
    if not recent or span < LEAST:
        return {}
    per_day = used / records * recent / (span / DAY)
    return {"bytes_per_day": round(per_day), "days_left": round(free / per_day, 1)}


def _alarms(configuration: Configuration, sizes: dict[str, int], days_left: float | None) -> list[str]:
    spool, alarms = configuration.spool, []
    evidence = sizes["spool_bytes"] + sizes["archive_bytes"]
    if spool.warn_bytes is not None and evidence > spool.warn_bytes:
        alarms.append(f"spool and archive have {evidence:,} bytes, more than spool.warn_bytes = {spool.warn_bytes:,}")
    if days_left is not None and days_left < spool.warn_days:
        alarms.append(f"the disk is full in {days_left:g} days at the rate of the last day")
    return alarms


def _bytes_below(folder: Path) -> int:
    return sum(_size(folder.joinpath(parent, name)) for parent, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
