"""The approved configuration: compare it with what is observed, and approve what is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Literal

from analytics.state import WATCHED, observed

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from analytics.state import Observed, Source

Verdict = Literal["as approved", "differs", "never approved", "not observed", "gone"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One setting: `approved` and `observed` are None when there is none; 'gone' was never approved and is no more.

    `since`: how long it has not been observed, from the first line of the device on, or from a reset. `source` says
    whether a command told it or console output showed it; `before` is the value that stood until the output showed
    another. `confirmed_at`: when console output last showed the same again.
    """

    device: str
    setting: str
    partition: str
    approved: str | None
    observed: str | None
    observed_at: datetime | None
    verdict: Verdict
    since: datetime | None = None
    source: Source | None = None
    observation: int | None = None
    before: str | None = None
    confirmed_at: datetime | None = None


HEARD = """
SELECT device, min(event_at) FROM (
    SELECT device, event_at FROM events WHERE event_at <= $at AND device <> ''
    UNION ALL
    SELECT device, observed_at FROM observations WHERE observed_at <= $at AND withdrawn_at IS NULL
)
GROUP BY device
"""

SHOWN = """
SELECT device, setting, observed_settings.partition, max(observed_at)
FROM observed_settings JOIN observations ON id = observation
WHERE observed_at <= $at AND withdrawn_at IS NULL
GROUP BY ALL
"""

CONFIGURED = "SELECT name FROM devices"


def compare(cursor: duckdb.DuckDBPyConnection, at: datetime) -> list[Compared]:
    """Every setting that is approved, observed or watched, as it stood at a moment, in order."""
    approved = {
        (device, setting, partition): (value, meant)
        for device, setting, partition, value, meant in cursor.execute(
            "SELECT device, setting, partition, value, meant(setting, value) FROM approved"
        ).fetchall()
    }
    shown = {(*key,): at for *key, at in cursor.execute(SHOWN, {"at": at}).fetchall()}
    seen = {_key(item): item for item in observed(cursor, at)}
    heard = dict(cursor.execute(HEARD, {"at": at}).fetchall())
    watched = {
        (name, setting, "") for (name,) in cursor.execute(CONFIGURED).fetchall() for setting in WATCHED if name in heard
    }
    keys = sorted(approved.keys() | seen.keys() | watched)
    return [
        _compared(key, approved.get(key, (None, None)), seen.get(key), heard.get(key[0]), shown.get(key))
        for key in keys
    ]


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
    key: tuple[str, str, str],
    approved: tuple[str | None, str | None],
    seen: Observed | None,
    heard: datetime | None,
    shown: datetime | None,
) -> Compared:
    """`approved` is the value and what it means; `shown` when console output last had the setting."""
    if seen is None or seen.value is None:
        return Compared(*key, approved[0], None, None, "not observed", seen.event_at if seen else heard)
    return Compared(
        *key,
        approved[0],
        seen.value,
        seen.event_at,
        _verdict(approved[1], seen.meant),
        source=seen.source,
        observation=seen.observation or None,
        before=seen.before if seen.source == "observed" else None,
        confirmed_at=shown if shown and shown > seen.event_at else None,
    )


def _verdict(approved: str | None, seen: str | None) -> Verdict:
    """By what the values mean."""
    if seen == approved:
        return "as approved"
    if approved is not None:
        return "differs"
    return "gone" if seen == "removed" else "never approved"
