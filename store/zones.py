"""The zone that the clock of each device is in, as the raw blocks of its audit records tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

WINDOW = timedelta(days=30)

SQL = """
SELECT clocks.device, zone, any_value(time_zone), count(*), min(event_at), max(event_at)
FROM clocks LEFT JOIN devices ON devices.name = clocks.device
WHERE received_at >= $since
GROUP BY clocks.device, zone ORDER BY clocks.device, max(event_at) DESC, zone
"""


@dataclass(frozen=True, slots=True)
class LearnedZone:
    """`zone` is an offset such as `+01:00`; `configured` is the device's time_zone, '' when nobody set one."""

    device: str
    zone: str
    configured: str
    records: int
    first_seen: datetime
    last_seen: datetime


def learned_zones(cursor: duckdb.DuckDBPyConnection, now: datetime) -> list[LearnedZone]:
    """Of the records of the last 30 days, the newest zone of each device first; two in autumn and in spring."""
    rows = cursor.execute(SQL, {"since": now - WINDOW}).fetchall()
    return [LearnedZone(device, zone, configured or "", *seen) for device, zone, configured, *seen in rows]
