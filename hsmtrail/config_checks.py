"""The forms that configuration values have, and the mistakes that only show between tables."""

from __future__ import annotations

import ipaddress
import os
import re
import zoneinfo
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

LONGEST_ALLOW = timedelta(days=90)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PROTOCOLS = ("udp", "tcp", "tls")
FILE_KEYS = ("certificate", "key", "client_ca", "revocation_list")
OWN_KEYS = {
    **dict.fromkeys(("workers", "crowded_rate"), ("udp",)),
    **dict.fromkeys((*FILE_KEYS, "minimum_version", "handshake_within"), ("tls",)),
    **dict.fromkeys(("turn_bytes", "max_unfinished"), ("tcp", "tls")),
}
"""Keys of a listener that mean something for some protocols only."""

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def split_address(text: str) -> tuple[str, int]:
    """'192.0.2.1:514' or '[2001:db8::1]:514' as (address, port); ValueError says what is wanted."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})", text)
    if not match or int(match[3]) > 65535:
        raise ValueError('wants "ADDRESS:PORT", such as "0.0.0.0:514" or "[::]:514"')
    address = match[1] or match[2]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ValueError(f"wants a numeric address; {address} is none") from None
    return address, int(match[3])


def split_server(text: str) -> tuple[str, int]:
    """'mail.example:587' as (host, port)."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or re.search(r"[\s/@]", host):
        raise ValueError('wants "HOST:PORT", such as "mail.example.org:587"')
    return host.strip("[]"), int(port)


def seconds(text: str) -> float:
    """'50ms', '90s', '5m', '1h', '30d' in seconds."""
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text)
    if not match or int(match[1]) == 0:
        raise ValueError('wants a duration above zero, such as "50ms", "30s", "5m", "1h" or "7d"')
    return int(match[1]) * UNITS[match[2]]


def weekly(text: str) -> tuple[str, int, int]:
    """'mon 06:00' as (day, hour, minute)."""
    match = re.fullmatch(r"([a-z]{3}) ([01]\d|2[0-3]):([0-5]\d)", text)
    if not match or match[1] not in DAYS:
        raise ValueError('wants a day and a time, such as "mon 06:00"')
    return match[1], int(match[2]), int(match[3])


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Days (1 is Monday), and from which to which minute of a day."""

    days: tuple[int, ...]
    begin: int
    end: int


def working_hours(text: str) -> WorkingHours:
    """'mon-fri 07:00-19:00' or 'mon,wed,sat-sun 08:00-24:00'."""
    day, clock = rf"(?:{'|'.join(DAYS)})", r"([01]\d|2[0-3]|24):([0-5]\d)"
    match = re.fullmatch(rf"({day}(?:-{day})?(?:,{day}(?:-{day})?)*) {clock}-{clock}", text)
    begin, end = (int(match[2]) * 60 + int(match[3]), int(match[4]) * 60 + int(match[5])) if match else (0, 0)
    if not match or not begin < end <= 24 * 60:
        raise ValueError('wants days and a span of the day, such as "mon-fri 07:00-19:00"')
    return WorkingHours(tuple(sorted({one for part in match[1].split(",") for one in _days(part)})), begin, end)


def _days(part: str) -> list[int]:
    """'fri-mon' goes over the weekend."""
    first, last = (DAYS.index(name) for name in (part[:3], part[-3:]))
    return [(first + step) % 7 + 1 for step in range((last - first) % 7 + 1)]


def _hours(text: str) -> str:
    if text:
        working_hours(text)
    return text


def _address(text: str) -> str:
    split_address(text)
    return text


def _server(text: str) -> str:
    split_server(text)
    return text


def _duration(text: str) -> str:
    seconds(text)
    return text


def _schedule(text: str) -> str:
    weekly(text)
    return text


def _zone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('wants a time zone, such as "UTC" or "Europe/Amsterdam"') from None
    return text


def _cidr(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=True)
    except ValueError:
        raise ValueError('wants a network, such as "192.0.2.0/24"; host bits must be zero') from None
    return text


def _email(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+", text):
        raise ValueError("wants a mail address")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError('wants a name of letters, digits, "." "_" and "-", such as "hsm-1"')
    return text


def _day(text: str) -> str:
    try:
        return text and date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError('wants a day, such as "2026-11-23"') from None


Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(_name)]
Day = Annotated[str, AfterValidator(_day)]
MailServer = Annotated[str, AfterValidator(_server)]
Duration = Annotated[str, AfterValidator(_duration)]
Schedule = Annotated[str, AfterValidator(_schedule)]
Hours = Annotated[str, AfterValidator(_hours)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Cidr = Annotated[str, AfterValidator(_cidr)]
EmailAddress = Annotated[str, AfterValidator(_email)]


def mistakes_between(document: Mapping[str, Any], folder: Path) -> list[str]:
    """What no single value shows: names used twice, partners that are nobody, secrets that are not there.

    Reads the document as it was typed, so that these mistakes show beside those of single values.
    """
    listeners, devices = _tables(document, "listener"), _tables(document, "device")
    emails, webhooks = _tables(document, "alert", "email"), _tables(document, "alert", "webhook")
    return [
        *_twice("listener.name", _texts(listeners, "name")),
        *_twice("device.name", _texts(devices, "name")),
        *_twice("device.hosts", _texts(devices, "hosts")),
        *_twice("device.certificates", _texts(devices, "certificates")),
        *_twice("device.serials", _texts(devices, "serials")),
        *_twice("alert name", _texts([*emails, *webhooks], "name")),
        *_twice("web.user.name", _texts(_tables(document, "web", "user"), "name")),
        *_twice("listener address", _fixed_addresses(listeners)),
        *_of_other_protocols(listeners),
        *_tls_files(listeners),
        *_partners(devices),
        *_partitions(_tables(document, "partition"), devices),
        *_secrets("email", emails, "password", folder),
        *_secrets("webhook", webhooks, "secret", folder),
        *_recipients(document, emails),
        *_allowed(_tables(document, "allow"), datetime.now(UTC).date()),
    ]


def _tables(document: Mapping[str, Any], *keys: str) -> list[Mapping[str, Any]]:
    """An array of tables; whatever has another shape is somebody else's mistake."""
    node: Any = document
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []


def _texts(tables: Iterable[Mapping[str, Any]], key: str) -> Iterator[str]:
    for table in tables:
        value = table.get(key, [])
        yield from (text.lower() for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what}  {name!r} stands {count} times; once is wanted"


def _fixed_addresses(listeners: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for item in listeners:
        address = str(item.get("address", ""))
        if not address.endswith(":0"):
            protocol = str(item.get("protocol", ""))
            yield f"{'tcp' if protocol == 'tls' else protocol} {address}"


def _of_other_protocols(listeners: list[Mapping[str, Any]]) -> Iterator[str]:
    for number, item in enumerate(listeners, 1):
        protocol = item.get("protocol")
        for key in sorted(item.keys() & OWN_KEYS.keys()):
            if protocol in PROTOCOLS and protocol not in OWN_KEYS[key]:
                meant = " and ".join(OWN_KEYS[key])
                yield f"listener[{number}].{key}  means nothing for {protocol}; it is for {meant}"


def _tls_files(listeners: list[Mapping[str, Any]]) -> Iterator[str]:
    for number, item in enumerate(listeners, 1):
        if item.get("protocol") != "tls":
            continue
        for key in ("certificate", "key"):
            if not item.get(key):
                yield f"listener[{number}].{key}  is missing; TLS wants it"
        if item.get("revocation_list") and not item.get("client_ca"):
            yield f"listener[{number}].revocation_list  wants a client_ca: without it no sender shows a certificate"


def _partners(devices: list[Mapping[str, Any]]) -> Iterator[str]:
    names = [item.get("name") for item in devices]
    for number, item in enumerate(devices, 1):
        partner = item.get("partner", "")
        if partner and (partner not in names or partner == item.get("name")):
            yield f"device[{number}].partner = {partner!r}  wants the name of another [[device]]"


def _partitions(partitions: list[Mapping[str, Any]], devices: list[Mapping[str, Any]]) -> Iterator[str]:
    names = [item.get("name") for item in devices]
    for number, item in enumerate(partitions, 1):
        if isinstance(item.get("device"), str) and item["device"] not in names:
            yield f"partition[{number}].device = {item['device']!r}  wants the name of a [[device]]"
    for key in ("container", "serial"):
        named = (f"{item.get('device')} {item[key]}" for item in partitions if item.get(key))
        yield from _twice(f"partition.{key}", named)


def _secrets(kind: str, tables: list[Mapping[str, Any]], word: str, folder: Path) -> Iterator[str]:
    for number, item in enumerate(tables, 1):
        variable, file = item.get(f"{word}_env", ""), item.get(f"{word}_file", "")
        place = f"alert.{kind}[{number}]"
        if variable and file:
            yield f"{place}  has both {word}_env and {word}_file; one is wanted"
        elif variable and not os.environ.get(str(variable)):
            yield f"{place}.{word}_env = {variable!r}  no such environment variable is set"
        elif file and not os.access(folder / str(file), os.R_OK):
            yield f"{place}.{word}_file = {file!r}  cannot be read"


def _recipients(document: Mapping[str, Any], emails: list[Mapping[str, Any]]) -> Iterator[str]:
    report = document.get("report")
    if isinstance(report, dict) and report.get("recipients") and not emails:
        yield "report.recipients  wants an [[alert.email]] that can send"


def _allowed(tables: list[Mapping[str, Any]], today: date) -> Iterator[str]:
    """What hides findings says which, and not for ever."""
    for number, item in enumerate(tables, 1):
        if item.get("match") == {}:
            yield f"allow[{number}].match = {{}}  wants at least one column: it would hide every finding"
        try:
            until = date.fromisoformat(str(item.get("until", "")))
        except ValueError:
            continue  # said where single values are checked
        if until - today > LONGEST_ALLOW:
            yield f"allow[{number}].until = {str(until)!r}  wants a day at most {LONGEST_ALLOW.days} days ahead"
