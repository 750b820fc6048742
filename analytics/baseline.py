"""The approved configuration: compare it with what is observed, and approve what is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Literal

from analytics.state import GONE, WATCHED, observed

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from analytics.state import Observed

Verdict = Literal["as approved", "differs", "never approved", "not observed", "gone"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One setting: `approved` and `observed` are None when there is none; 'gone' was never approved and is no more.

    `since`: how long it has not been observed, from the first line of the device on, or from a reset.
    """

    device: str
    setting: str
    partition: str
    approved: str | None
    observed: str | None
    observed_at: datetime | None
    verdict: Verdict
    since: datetime | None = None


HEARD = "SELECT device, min(event_at) FROM events WHERE event_at <= $at AND device <> '' GROUP BY device"

CONFIGURED = "SELECT name FROM devices"


def compare(cursor: duckdb.DuckDBPyConnection, at: datetime) -> list[Compared]:
    """Every setting that is approved, observed or watched, as it stood at a moment, in order."""
    approved = {
        (device, setting, partition): value
        for device, setting, partition, value in cursor.execute(
            "SELECT device, setting, partition, value FROM approved"
        ).fetchall()
    }
    seen = {_key(item): item for item in observed(cursor, at)}
    heard = dict(cursor.execute(HEARD, {"at": at}).fetchall())
    watched = {
        (name, setting, "") for (name,) in cursor.execute(CONFIGURED).fetchall() for setting in WATCHED if name in heard
    }
    keys = sorted(approved.keys() | seen.keys() | watched)
    return [_compared(key, approved.get(key), seen.get(key), heard.get(key[0])) for key in keys]


def approve(  # noqa: PLR0913  (what, why, by whom, as of when)
    cursor: duckdb.DuckDBPyConnection,
    *,
    devices: Collection[str] | None,
    settings: Collection[str] | None,
    reason: str,
    by: str,
    at: datetime,
    now: datetime,
) -> list[Compared]:
    """Approve what is observed at a moment, of these devices and settings (None is all); gives what was approved.

    What is as approved is approved again, with the new reason; what is gone only where it had been approved before.
    """
    wanted = [
        item
        for item in compare(cursor, at)
        if item.verdict in {"as approved", "differs", "never approved"}
        and (devices is None or item.device in devices)
        and (settings is None or item.setting in settings)
    ]
    for item in wanted:
        cursor.execute(
            "INSERT INTO baseline (device, setting, partition, value, approved_at, approved_by, reason, as_of)"
            " VALUES ($device, $setting, $partition, $value, $now, $by, $reason, $at)",
            {
                "device": item.device,
                "setting": item.setting,
                "partition": item.partition,
                "value": item.observed,
                "now": now,
                "by": by,
                "reason": reason,
                "at": at,
            },
        )
    return wanted


def _key(item: Observed) -> tuple[str, str, str]:
    return item.device, item.setting, item.partition


def _compared(
    key: tuple[str, str, str], approved: str | None, seen: Observed | None, heard: datetime | None
) -> Compared:
    value = seen.value if seen else None
    if value is None:
        return Compared(*key, approved, None, None, "not observed", seen.event_at if seen else heard)
    return Compared(*key, approved, value, seen.event_at if seen else None, _verdict(approved, value))


def _verdict(approved: str | None, value: str) -> Verdict:
    if value == approved or (value in GONE and approved in GONE):
        return "as approved"
    if approved is not None:
        return "differs"
    return "gone" if value in GONE else "never approved"
