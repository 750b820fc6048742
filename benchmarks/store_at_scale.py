"""A store as it is after a month of twelve HSMs, built in minutes: what detectors_at_scale.py asks.

Nearly all records are audit records of applications that use keys. Among them lives the sample week of three HSMs, at
four sites at once and again each week: shells, NTLS, SSH, alarms, housekeeping, and all that goes wrong in it. An hour
of the former and a week of the latter are parsed once and moved; numbers, times and batches are each record's own,
the text of `raw` says the first hour's.
"""

from __future__ import annotations

import random
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from hsmtrail import context, wiring
from hsmtrail.config import Configuration
from ingest.parsed import LINES
from parsers.columns import PARSED
from store.custody import Counters
from store.writer import StoredBatch, Writer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sample_logs"))

from generator.appliances import APPLIANCES, MONDAY
from generator.week import week

if TYPE_CHECKING:
    from collections.abc import Iterator

    from store.database import Database

ROOT = Path(__file__).resolve().parents[1]
BEGIN = datetime(2026, 10, 23)
"""A Friday: the last of thirty days is the sample week's Saturday, when a good deal happens."""

DAYS, SITES, HOUR = 30, 4, timedelta(hours=1)
LISTENER = "tcp"
FIRST = 1 << 48
HOURS_A_COMMIT = 4
NAMES = {
    (site, appliance.name): f"hsm-{site * len(APPLIANCES) + number:02}"
    for site in range(SITES)
    for number, appliance in enumerate(APPLIANCES, 1)
}
DEVICES = tuple(NAMES.values())
USES = {  # of a thousand records of an application: the end of each text
    "LUNA_SIGN_SINGLEPART": (500, "key"),
    "LUNA_DECRYPT_SINGLEPART": (180, "key"),
    "LUNA_ENCRYPT_SINGLEPART": (130, "key"),
    "LUNA_VERIFY_SINGLEPART": (40, "key"),
    "LUNA_OPEN_SESSION": (55, ""),
    "LUNA_CLOSE_SESSION": (55, ""),
    "LUNA_LOGIN": (18, "pin"),
    "LUNA_LOGOUT": (18, ""),
    "LUNA_GENERATE_KEY": (2, "passing"),
    "LUNA_MODIFY_OBJECT": (1, "handle"),
    "LUNA_DESTROY_OBJECT": (1, "passing"),
}
PASSING = "24"
"""The partition in which applications make keys and drop them; the site says so."""

LOST, LOST_AT = 137, 5 * 24 + 9
"""So many numbers of one device are missing each week, from this hour on."""

RESULTS = (("RC_OK", 0),) * 99 + (("RC_KEY_HANDLE_INVALID", 0x60),)

STORED = """
SELECT coalesce(date_diff('hour', $begin, max(committed_at)) + 1, 0), coalesce(sum(rows), 0)::BIGINT, count(*)
FROM batches
"""
NUMBERS = "SELECT device, max(audit_sequence) FROM audit_records GROUP BY device"


def serial(device: str) -> str:
    return str(600000 + int(device[-2:]))


def peer(device: str) -> str:
    return f"192.0.2.{int(device[-2:])}"


def configuration(folder: Path) -> Configuration:
    """What a site says of its three devices, four times; everything lies in one folder."""
    said = tomllib.loads((ROOT / "sample_logs" / "devices.toml").read_text(encoding="utf-8"))
    at_sites = {
        "device": [_at_site(item, site) for site in range(SITES) for item in said["device"]],
        "client": [
            {**item, "devices": [NAMES[site, name] for site in range(SITES) for name in item["devices"]]}
            for item in said["client"]
        ],
    }
    at_sites["partition"] = [{"device": name, "container": PASSING, "ephemeral": True} for name in DEVICES]
    where = {"data_dir": ".", "path": folder / "hsmtrail.toml"}
    return Configuration.model_validate({**said, **at_sites, **where})


def _at_site(device: dict[str, Any], site: int) -> dict[str, Any]:
    name = NAMES[site, device["name"]]
    partner = NAMES[site, device["partner"]] if "partner" in device else ""
    return {**device, "name": name, "hosts": [name, peer(name)], "serials": [serial(name)], "partner": partner}


class Month:
    """Builds hour after hour, going on where the store ends; `records` is how many there shall be after DAYS."""

    def __init__(self, db: Database, settings: Configuration, records: int) -> None:
        parser = wiring.parser(settings)
        self._hour = _parsed(parser, list(_applications(records // (DAYS * 24))))
        self._week = pl.concat(_sample(parser, site) for site in range(SITES))
        with db.reader() as cursor:
            self.hours, self.stored, self._batches = cursor.execute(STORED, {"begin": BEGIN}).fetchall()[0]
            self._numbers = dict.fromkeys(DEVICES, 1_000_000) | dict(cursor.execute(NUMBERS).fetchall())
        context.write(db, settings)
        self._writer = Writer(db)

    def build(self, until: int) -> None:
        """Up to so many hours from the beginning, in commits of some hours."""
        while self.hours < until:
            self.commit([self.next_hour() for _ in range(min(HOURS_A_COMMIT, until - self.hours))])

    def next_hour(self) -> pl.DataFrame:
        """In the order of arrival, with the numbers of its audit records."""
        begin = BEGIN + self.hours * HOUR
        into_week = (begin - MONDAY) % timedelta(weeks=1)
        told = self._week.filter(pl.col("into_week").dt.total_hours() == into_week // HOUR)
        rows = pl.concat([_moved(self._hour, begin), _moved(told, begin - into_week)]).sort("received_at")
        self.hours += 1
        if into_week // HOUR == LOST_AT:
            self._numbers[DEVICES[1]] += LOST
        return self._numbered(rows)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        counted = (pl.col("audit_sequence").is_not_null()).cum_sum().over("device")
        first = pl.col("device").replace_strict(self._numbers, return_dtype=pl.UInt64, default=0)
        numbered = rows.with_columns(
            audit_sequence=pl.when(pl.col("audit_sequence").is_not_null()).then(first + counted)
        )
        last = numbered.group_by("device").agg(pl.col("audit_sequence").max()).drop_nulls()
        self._numbers |= dict(last.iter_rows())
        return numbered

    def commit(self, frames: list[pl.DataFrame]) -> None:
        """A batch for each minute, as the receiver makes one for each minute at least."""
        rows = pl.concat(frames).drop("into_week")
        numbers = pl.int_range(1, rows.height + 1, dtype=pl.UInt64) + FIRST + self.stored
        minutes = pl.col("received_at").dt.truncate("1m").rank("dense").cast(pl.UInt64)
        rows = rows.with_columns(record_id=numbers, batch=minutes + FIRST + self._batches)
        batches = [self._batch(*told) for told in _told(rows)]
        self._writer.store(batches, rows)
        self.stored += rows.height
        self._batches += len(batches)

    def _batch(self, number: int, at: datetime, first: int, count: int) -> StoredBatch:
        received = first + count - FIRST - 1
        counters = {LISTENER: Counters(received=received, spooled=received)}
        return StoredBatch(number, first, count, "0" * 64, "0" * 64, at, "spool/main/000000000001.arrow", counters)


def _told(rows: pl.DataFrame) -> Iterator[tuple[int, datetime, int, int]]:
    batches = rows.group_by("batch", maintain_order=True).agg(
        at=pl.col("received_at").max(), first=pl.col("record_id").min(), count=pl.len()
    )
    return batches.iter_rows()


def _moved(rows: pl.DataFrame, to: datetime) -> pl.DataFrame:
    """Each at its own moment after another beginning; what the devices' clocks say of it is as far off as it was."""
    by = pl.lit(to) + pl.col("into_week") - pl.col("received_at")
    return rows.with_columns(pl.col("received_at", "event_at", "sent_at") + by)


def _parsed(parser: Any, said: list[tuple[timedelta, str, bytes]]) -> pl.DataFrame:
    """`said`: moments within their span, the sending device, the line."""
    into = pl.Series("into_week", [one[0] for one in said], pl.Duration("us"))
    peers = pl.Series("peer", [peer(one[1]) for one in said])
    lines = pl.DataFrame([into, peers]).with_columns(
        received_at=pl.lit(MONDAY) + pl.col("into_week"),
        peer_identity=pl.lit(""),
        raw=pl.Series([one[2] for one in said]),
        trouble=pl.lit(""),
    )
    rows = parser.parse(lines.select(LINES)).select(PARSED.keys())
    way = {"listener": pl.lit(LISTENER), "transport": pl.lit("tcp"), "peer_port": pl.lit(40000, pl.UInt16)}
    return lines.select("into_week", "received_at", "peer", "peer_identity").hstack(rows).with_columns(**way)


def _sample(parser: Any, site: int) -> pl.DataFrame:
    """The sample week at one site: its three devices have the names, addresses and serials of that site."""
    names = {appliance.name: NAMES[site, appliance.name] for appliance in APPLIANCES}
    return _parsed(parser, [(one.at - MONDAY, names[one.device], _renamed(one.raw, names)) for one in week()])


def _renamed(raw: bytes, names: dict[str, str]) -> bytes:
    for appliance in APPLIANCES:
        raw = raw.replace(appliance.name.encode(), names[appliance.name].encode())
        raw = raw.replace(f"S/N {appliance.serial}".encode(), f"S/N {serial(names[appliance.name])}".encode())
    return raw


def _applications(count: int) -> Iterator[tuple[timedelta, str, bytes]]:
    """Their records of one hour: a hundred sessions, five partitions and a thousand keys on each device."""
    chance = random.Random(5)
    events, weights = list(USES), [weight for weight, _ in USES.values()]
    for number, event in enumerate(chance.choices(events, weights, k=count)):
        into = HOUR * number / count
        device = chance.choice(DEVICES)
        result, code = chance.choice(RESULTS) if USES[event][1] == "key" else ("RC_OK", 0)
        at = MONDAY + into
        text = f"S/N {serial(device)} session {chance.randint(3, 100)} Access 2147483651:{chance.randint(8000, 8040)} "
        text += f"operation {event} returned {result}(0x{code:08X}){_end(chance, USES[event][1])}"
        line = f"<158>{at:%b %e %H:%M:%S} {device} hsmlogd[2101]: {number},{at:%y/%m/%d %H:%M:%S},{text}"
        yield into, device, line.encode()


def _end(chance: random.Random, kind: str) -> str:
    key = chance.randint(0, 999)
    where = f" container={20 + key % 5}"
    return {
        "": where,
        "pin": f"{where} roleID={chance.choice((0, 5))} (using PIN (entry=LUNA_ENTRY_DATA_AREA))",
        "key": f"{where} key={2_000_000 + key} (using CKM_RSA_PKCS)",
        "handle": f"{where} handle={2_000_000 + key}",
        "passing": f" container={PASSING} handle={2_000_000 + key}",
    }[kind]
