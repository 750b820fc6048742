"""What the configuration says of devices, people, networks and clients: into the store, and what it leaves unsaid."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from analytics.networks import ends
from hsmtrail.config_checks import LONGEST_ALLOW, working_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from analytics.detector import Detector
    from hsmtrail.config import Account, Allow, Client, Configuration, Device, Partition, Range
    from store.database import Database

ADDED_BY = "configuration"
"""Who allowed what [[allow]] hides."""

Row = dict[str, Any]


def write(db: Database, configuration: Configuration) -> None:
    """For detectors and packs to join with; what the configuration does not name any more is gone."""
    tables = {
        "devices": map(_device, configuration.device),
        "accounts": map(_account, configuration.account),
        "ranges": map(_range, configuration.range),
        "clients": map(_client, configuration.client),
        "partitions": map(_partition, configuration.partition),
    }
    with db.transaction() as cursor:
        for table, rows in tables.items():
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608  (names of our own tables)
            for row in rows:
                _insert(cursor, table, row)
        cursor.execute("DELETE FROM suppressions WHERE added_by = ?", [ADDED_BY])
        ((last,),) = cursor.execute("SELECT coalesce(max(id), 0) FROM suppressions").fetchall()
        for number, item in enumerate(configuration.allow, int(last) + 1):
            _insert(cursor, "suppressions", {"id": number, **_allow(item)})


def _insert(cursor: Any, table: str, row: Row) -> None:  # noqa: ANN401  (a cursor of DuckDB; this room does not know it)
    marks = ", ".join(f"${name}" for name in row)
    cursor.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608


def _device(item: Device) -> Row:
    hours = working_hours(item.working_hours) if item.working_hours else None
    return {
        "name": item.name,
        "hosts": item.hosts,
        "serials": item.serials,
        "time_zone": item.time_zone,
        "profile": item.profile,
        "partner": item.partner,
        "behind_nva": item.behind_nva,
        "microsoft_monitor": item.microsoft_monitor,
        "expects": item.expects,
        "since": datetime.fromisoformat(item.since) if item.since else None,
        "firmware_minimum": item.firmware_minimum,
        "backup_serials": item.backup_serials,
        "working_days": list(hours.days) if hours else [],
        "working_from": _time(hours.begin) if hours else None,
        "working_until": _time(hours.end) if hours else None,
        "holidays": [date.fromisoformat(day) for day in item.holidays],
        "certificates": item.certificates,
    }


def _time(minutes: int) -> time:
    """Of a day's minutes; the day's end is its last microsecond, since a time knows no 24:00."""
    return time(minutes // 60, minutes % 60) if minutes < 24 * 60 else time.max


def _account(item: Account) -> Row:
    return {
        "name": item.name,
        "devices": item.devices,
        "roles": item.roles,
        "owner": item.owner,
        "until": _after(item.until) if item.until else None,
    }


def _after(day: str) -> datetime:
    return datetime.fromisoformat(day) + timedelta(days=1)


def _range(item: Range) -> Row:
    first, last = ends(item.cidr)
    return {"name": item.name, "cidr": item.cidr, "use": item.use, "first": first, "last": last}


def _client(item: Client) -> Row:
    return {"name": item.name, "addresses": item.addresses, "devices": item.devices, "partitions": item.partitions}


def _partition(item: Partition) -> Row:
    return {
        "device": item.device,
        "container": item.container,
        "serial": item.serial,
        "label": item.label,
        "kind": item.kind,
        "guarded": item.guarded,
        "ephemeral": item.ephemeral,
        "limits": json.dumps(item.limits),
    }


def _allow(item: Allow) -> Row:
    """It reaches back as far as it may reach at all, so that late lines are judged like those in time."""
    return {
        "detector": item.detector,
        "match": json.dumps(item.match),
        "reason": item.reason,
        "owner": item.owner,
        "starts_at": _after(item.until) - LONGEST_ALLOW,
        "ends_at": _after(item.until),
        "added_by": ADDED_BY,
    }


def _of(items: Iterable[Any], device: str) -> bool:
    """Whether one of them is meant for that device; one that names none is meant for all."""
    return any(not item.devices or device in item.devices for item in items)


SAYS: dict[str, tuple[str, Callable[[Configuration, Device], bool]]] = {
    "accounts": ("[[account]]", lambda told, device: _of(told.account, device.name)),
    "admin_ranges": ('[[range]] with use "admin"', lambda told, _: any("admin" in item.use for item in told.range)),
    "client_ranges": ('[[range]] with use "client"', lambda told, _: any("client" in item.use for item in told.range)),
    "nva_ranges": (
        '[[range]] with use "nva"',
        lambda told, device: not device.behind_nva or any("nva" in item.use for item in told.range),
    ),
    "clients": ("[[client]]", lambda told, device: _of(told.client, device.name)),
    "partitions": ("[[partition]]", lambda told, device: any(item.device == device.name for item in told.partition)),
    "partner": (
        "partner",
        lambda told, device: bool(device.partner) or any(other.partner == device.name for other in told.device),
    ),
    "working_hours": ("working_hours", lambda _, device: bool(device.working_hours)),
    "firmware_minimum": ("firmware_minimum", lambda _, device: bool(device.firmware_minimum)),
    "backup_serials": ("backup_serials", lambda _, device: bool(device.backup_serials)),
}
"""How the configuration says what detectors need of a device, and whether it does."""


def not_measured(configuration: Configuration | None, detectors: Iterable[Detector]) -> dict[str, str]:
    """Of each detector, what it cannot judge for want of context; nothing for one that lacks none."""
    found = {one.id: "; ".join(_unsaid(configuration, one)) for one in detectors if configuration and one.enabled}
    return {identifier: text for identifier, text in found.items() if text}


def _unsaid(configuration: Configuration, detector: Detector) -> Iterable[str]:
    for need, what in detector.needs.items():
        word, says = SAYS[need]
        without = [device.name for device in configuration.device if not says(configuration, device)]
        if without and len(without) == len(configuration.device):
            yield f"{what}: no {word}"
        elif without:
            yield f"{what} on {', '.join(without)}: no {word}"
