"""The configuration of each device at any moment, rebuilt from what its lines said and console output showed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import duckdb

Source = Literal["told", "observed"]

GONE = ("removed", "deleted", "revoked", "cleared", "unregistered")
"""Values that say that there is no such thing any more."""

MOMENTARY = ("time", "drift", "certificate", "ssh host key", "package", "appliance configuration")
"""Settings that say what was done, not how something stands: the first word or words of their names."""

WATCHED = (
    *("audit mask", "ipcheck", "force so login", "ssh password", "ssh publickey", "snmp", "ntp"),
    *("firmware", "hsm policy 7", "hsm policy 12", "hsm policy 15"),
)
"""Settings that every device has: one that was never told is shown as not observed."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One setting as it was last told or seen; partition is '' for settings of the whole device.

    `value` is None when something was told since that leaves it open: a reset to the version's defaults. `meant` is the
    same for two values that mean the same. Of console output (source 'observed') `observation` is its id, `record_id`
    is None, and `before` is the value that stood until then: the two contradict one another.
    """

    device: str
    setting: str
    partition: str
    value: str | None
    event_at: datetime
    record_id: int | None
    who: str
    source: Source
    observation: int
    before: str | None
    meant: str | None


OBSERVED = """
SELECT device, setting, partition, newest.value, newest.event_at, newest.record_id, newest.who, newest.source,
    newest.observation, newest.before, meant(setting, newest.value)
FROM (
    SELECT device, setting, partition, arg_max(told, (event_at, observation, record_id)) AS newest
    FROM settings_told AS told
    WHERE event_at <= $at
      AND len(list_filter($momentary, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
    GROUP BY ALL
)
ORDER BY device, setting, partition
"""


def observed(cursor: duckdb.DuckDBPyConnection, at: datetime) -> list[Observed]:
    """Every setting that was ever told or seen, as it stood at that moment, in order.

    Emptying a list empties its members, and what belonged to a deleted client, user or partition is gone with it: the
    view settings_told says so (docs/decisions/0029).
    """
    return [Observed(*row) for row in cursor.execute(OBSERVED, {"at": at, "momentary": list(MOMENTARY)}).fetchall()]
