"""The sample week of sample_logs/, moved to any other week with all its stamps."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
HEADER = re.compile(
    rb"^(<\d+>(?:1 )?)"
    rb"(?:(?P<iso>\d{4}-\d\d-\d\d)(?=T)|(?:(?P<year>\d{4}) )?(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d)(?= ))"
)
"""The date in a header: RFC 5424, RFC 3339, RFC 3164 without a year, and the appliance's own form with one."""

AUDIT = re.compile(rb"( cbs[ \[].*?\b\d{1,10},)(\d\d/\d\d/\d\d)(?= \d\d:\d\d:\d\d,)")
"""The date in an audit record; cbs writes these."""

RAW_TIME = re.compile(rb"(?<=,)([0-9A-F]{16})([0-9A-F]{8})(?=[0-9A-F]{72}$)")
"""Seconds since 1970 in a record's raw block: the third little-endian word."""


@dataclass(frozen=True, slots=True)
class Sender:
    """How one device sends."""

    device: str
    transport: str
    framing: str


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One message as sent, without framing; `sent_at` is naive UTC."""

    device: str
    transport: str
    raw: bytes
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that a story must lead to."""

    detector: str
    subject: str
    severity: str


@dataclass(frozen=True, slots=True)
class Story:
    """Something that happens in the week, and what must be said about it."""

    name: str
    tells: str
    devices: tuple[str, ...]
    spans: tuple[tuple[datetime, datetime], ...]
    finds: tuple[Expected, ...]


def sample_folder() -> Path:
    """sample_logs/ in the wheel or in the checkout; FileNotFoundError when neither is there."""
    here = Path(__file__).resolve().parent
    for folder in (here / "sample_logs", here.parent / "sample_logs"):
        if (folder / "week.toml").is_file():
            return folder
    raise FileNotFoundError("sample_logs is neither in the package nor beside it")


def sample_monday(folder: Path) -> date:
    monday: date = tomllib.loads((folder / "week.toml").read_text(encoding="utf-8"))["monday"]
    return monday


def senders(folder: Path) -> tuple[Sender, ...]:
    document = tomllib.loads((folder / "week.toml").read_text(encoding="utf-8"))
    return tuple(Sender(**sender) for sender in document["sender"])


def last_complete_week(today: date) -> date:
    """Monday of the last ISO week that is over."""
    return today - timedelta(days=today.weekday() + 7)


def shifted_lines(folder: Path, monday: date) -> list[SampleLine]:
    """All messages in the order of sending, as if the week had begun on `monday`; ValueError if that is no Monday."""
    weeks = _weeks(folder, monday)
    transports = {sender.device: sender.transport for sender in senders(folder)}
    logs = {device: _messages(folder / device / "week.log") for device in transports}
    sent_at, lines = datetime.combine(monday, time()), []
    for pause, device in _order(folder):
        sent_at += timedelta(milliseconds=pause)
        raw = moved(next(logs[device]), sent_at - weeks, weeks)
        lines.append(SampleLine(device, transports[device], raw, sent_at))
    return lines


def moved(raw: bytes, sent_at: datetime, weeks: timedelta) -> bytes:
    """One message, every stamp moved by whole weeks; `sent_at` (before the move) gives a stamp without year its own."""
    if not weeks:
        return raw
    raw = HEADER.sub(lambda found: _header(found, sent_at, weeks), raw, count=1)
    before = raw
    raw = AUDIT.sub(lambda found: found[1] + _audit_date(found[2], weeks), raw, count=1)
    return RAW_TIME.sub(lambda found: found[1] + _word(found[2], weeks), raw) if raw != before else raw


def shifted_changes(folder: Path, monday: date) -> str:
    """changes.csv for the week that begins on `monday`."""
    weeks = _weeks(folder, monday)
    rows = list(csv.DictReader(io.StringIO((folder / "changes.csv").read_text(encoding="utf-8"))))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, **{key: _iso(row[key], weeks) for key in ("from", "to")}})
    return text.getvalue()


def shifted_stories(folder: Path, monday: date) -> list[Story]:
    weeks = _weeks(folder, monday)
    document = tomllib.loads((folder / "stories.toml").read_text(encoding="utf-8"))
    return [_story(table, weeks) for table in document["story"]]


def _weeks(folder: Path, monday: date) -> timedelta:
    weeks = monday - sample_monday(folder)
    if weeks.days % 7:
        raise ValueError(f"{monday} is no Monday")
    return weeks


def _messages(log: Path) -> Iterator[bytes]:
    return iter(log.read_bytes().removesuffix(b"\n").split(b"\n"))


def _order(folder: Path) -> Iterator[tuple[int, str]]:
    for line in (folder / "replay.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            pause, device = line.split(" ")
            yield int(pause), device


def _header(found: re.Match[bytes], sent_at: datetime, weeks: timedelta) -> bytes:
    if found["iso"]:
        return found[1] + (date.fromisoformat(found["iso"].decode()) + weeks).isoformat().encode()
    day = date(int(found["year"] or sent_at.year), MONTHS.index(found["month"]) + 1, int(found["day"])) + weeks
    if found["year"]:
        return found[1] + b"%d %s %02d" % (day.year, MONTHS[day.month - 1], day.day)
    return found[1] + b"%s %2d" % (MONTHS[day.month - 1], day.day)


def _audit_date(text: bytes, weeks: timedelta) -> bytes:
    year, month, day = map(int, text.split(b"/"))
    return f"{date(2000 + year, month, day) + weeks:%y/%m/%d}".encode()


def _word(hexadecimal: bytes, weeks: timedelta) -> bytes:
    seconds = int.from_bytes(bytes.fromhex(hexadecimal.decode()), "little") + int(weeks.total_seconds())
    return seconds.to_bytes(4, "little").hex().upper().encode()


def _iso(text: str, weeks: timedelta) -> str:
    return (datetime.fromisoformat(text) + weeks).isoformat().replace("+00:00", "Z")


def _story(table: dict[str, Any], weeks: timedelta) -> Story:
    days = range(7) if table.get("every_day") else range(1)
    moves = [weeks + timedelta(days=day) for day in days]
    return Story(
        table["name"],
        table["tells"],
        tuple(table["devices"]),
        tuple((table["from"] + move, table["to"] + move) for move in moves),
        tuple(Expected(**expected) for expected in table.get("finds", [])),
    )
