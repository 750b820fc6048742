"""The approved configuration, beside what the devices' own lines say that it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of a dataclass that others read at run time)
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb


@dataclass(frozen=True, slots=True)
class Compared:
    """One setting of a device: `approved` and `observed` are None when there is none. `verdict` says it in words."""

    device: str
    setting: str
    partition: str
    approved: str | None
    observed: str | None
    observed_at: datetime | None
    verdict: str


def compare(cursor: duckdb.DuckDBPyConnection, at: datetime) -> list[Compared]:
    """Every setting that was approved, or observed up to `at` (by event time)."""
    text = (files("analytics") / "observed.sql").read_text(encoding="utf-8")
    rows = cursor.execute(text, {"at": at}).fetchall()
    return [
        Compared(device, setting, partition, approved, observed, observed_at, _verdict(approved, observed))
        for device, setting, partition, approved, observed, observed_at in rows
    ]


def _verdict(approved: str | None, observed: str | None) -> str:
    if observed is None:
        return "not observed"
    if approved is None:
        return "never approved"
    return "as approved" if approved == observed else "differs"


def approve(  # noqa: PLR0913  (what, of which, why, by whom, as of when)
    cursor: duckdb.DuckDBPyConnection,
    *,
    devices: Collection[str] | None,
    settings: Collection[str] | None,
    reason: str,
    by: str,
    at: datetime,
    now: datetime,
) -> list[Compared]:
    """Approve what was observed at `at`: of all devices and settings, or of those named."""
    chosen = [
        item
        for item in compare(cursor, at)
        if item.observed is not None
        and (devices is None or item.device in devices)
        and (settings is None or item.setting in settings)
    ]
    for item in chosen:
        cursor.execute(
            "INSERT INTO baseline VALUES ($device, $setting, $partition, $value, $now, $by, $reason, $at)",
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
    return chosen
