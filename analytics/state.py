"""The configuration of each device, rebuilt from what its lines said: the last value of every setting at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

GONE = ("removed", "deleted", "revoked", "cleared", "unregistered")
"""Values that say that there is no such thing any more."""

MOMENTARY = ("time", "drift", "certificate", "ssh host key", "package")
"""Settings that say what was done, not how something stands: the first word or words of their names."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One setting as it was last told; partition is '' for settings of the whole device."""

    device: str
    setting: str
    partition: str
    value: str
    event_at: datetime
    record_id: int
    who: str


OBSERVED = r"""
WITH told AS (
    SELECT device, setting, coalesce(partition, '') AS part, value, event_at, record_id,
        coalesce(account, nullif(role, ''), '') AS who
    FROM events
    WHERE setting IS NOT NULL AND value IS NOT NULL AND outcome = 'ok' AND device <> '' AND event_at <= $at
      AND len(list_filter($momentary, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
),
emptied AS (
    SELECT device, regexp_replace(setting, '\*$', '') AS beginning, max(event_at) AS event_at,
        arg_max(record_id, (event_at, record_id)) AS record_id, arg_max(who, (event_at, record_id)) AS who
    FROM told
    WHERE ends_with(setting, ' *')
    GROUP BY ALL
),
last_told AS (
    SELECT device, setting, part, arg_max(value, (event_at, record_id)) AS value, max(event_at) AS event_at,
        arg_max(record_id, (event_at, record_id)) AS record_id, arg_max(who, (event_at, record_id)) AS who
    FROM told
    WHERE NOT ends_with(setting, ' *')
    GROUP BY ALL
)
SELECT last_told.device, last_told.setting, part,
    if(emptied.event_at IS NULL, last_told.value, 'removed') AS value,
    coalesce(emptied.event_at, last_told.event_at) AS event_at,
    coalesce(emptied.record_id, last_told.record_id) AS record_id,
    coalesce(emptied.who, last_told.who) AS who
FROM last_told
LEFT JOIN emptied ON emptied.device = last_told.device AND starts_with(last_told.setting, emptied.beginning)
    AND emptied.event_at > last_told.event_at
QUALIFY row_number() OVER (PARTITION BY last_told.device, last_told.setting, part ORDER BY emptied.event_at DESC) = 1
ORDER BY last_told.device, last_told.setting, part
"""


def observed(cursor: duckdb.DuckDBPyConnection, at: datetime) -> list[Observed]:
    """Every setting that was ever told, as it stood at that moment, in order. Emptying a list empties its members."""
    return [Observed(*row) for row in cursor.execute(OBSERVED, {"at": at, "momentary": list(MOMENTARY)}).fetchall()]
