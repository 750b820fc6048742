"""How one message looks on the wire: four header forms, and the HSM's own audit records."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from generator.appliances import Appliance

ACCESS_MAJOR = 2147483651
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FACILITIES = {"kern": 0, "user": 1, "daemon": 3, "syslog": 5, "authpriv": 10, "local3": 19, "local4": 20, "local5": 21}
SEVERITIES = {"crit": 2, "err": 3, "warn": 4, "notice": 5, "info": 6}

MAC_KEY = b"sample week: not the key of any HSM"


@dataclass(frozen=True, slots=True)
class Record:
    """One audit record before it has its sequence number."""

    event: str
    session: int
    access_minor: int
    result: str = "RC_OK"
    code: int = 0
    actor: str = ""
    container: int | None = None
    role: int | None = None
    entry: str = ""
    proven: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One message to be sent; `record` stands for an audit record, else `text` is the message."""

    at: datetime
    program: str
    pid: int | None
    facility: str
    severity: str
    text: bytes = b""
    record: Record | None = None
    local_form: bool = False


def render(event: Event, appliance: Appliance, message: bytes) -> bytes:
    """The bytes that are sent, without framing."""
    priority = FACILITIES[event.facility] * 8 + SEVERITIES[event.severity]
    if appliance.form == "rfc5424":
        head = (
            f"<{priority}>1 {event.at:%Y-%m-%dT%H:%M:%S.%f}Z {appliance.name} {event.program} {event.pid or '-'} - - "
        )
        return head.encode() + message
    if event.local_form:
        stamp = f"{event.at.year} {MONTHS[event.at.month - 1]} {event.at:%d %H:%M:%S}"
        head = f"<{priority}>{stamp} {appliance.name}  {event.facility} {event.severity}  {_tag(event)} "
    elif appliance.form == "rfc3339":
        head = f"<{priority}>{event.at:%Y-%m-%dT%H:%M:%S.%f}+00:00 {appliance.name} {_tag(event)} "
    else:
        stamp = f"{MONTHS[event.at.month - 1]} {event.at.day:>2} {event.at:%H:%M:%S}"
        head = f"<{priority}>{stamp} {appliance.name} {_tag(event)} "
    return head.encode() + message


def _tag(event: Event) -> str:
    """The programs lunash and NTLS write a blank before the bracket (facts 3.1)."""
    if event.pid is None:
        return f"{event.program}:"
    blank = " " if event.program in {"lunash", "NTLS"} else ""
    return f"{event.program}{blank}[{event.pid}]:"


def audit_text(record: Record, serial: str) -> str:
    """The human text of a record, as in sample A of the manual."""
    actor = f"{record.actor} " if record.actor else ""
    text = f"S/N {serial} session {record.session} Access {ACCESS_MAJOR}:{record.access_minor} "
    text += f"{actor}operation {record.event} returned {record.result}(0x{record.code:08X})"
    if record.container is not None:
        text += f" container={record.container}"
    if record.role is not None:
        text += f" roleID={record.role}"
    return text + (f" (using PIN (entry={record.entry}))" if record.entry else "")


def raw_block(record: Record, sequence: int, at: datetime) -> bytes:
    """The 48 bytes behind the text: sequence, time, code, access id and session as little-endian words."""
    epoch = calendar.timegm(at.timetuple())
    words = (0x10000000 | sequence & 0xFFFFFF, 0x000B6003, epoch, record.code, record.access_minor, ACCESS_MAJOR)
    return struct.pack("<12I", *words, record.session, 0, 0, 0, 0, 0)


def chained(previous: bytes) -> str:
    """The field that holds the MAC of the record before; nobody outside the HSM can check it."""
    return hmac.new(MAC_KEY, previous, hashlib.sha256).hexdigest().upper()


def audit_message(record: Record, appliance: Appliance, sequence: int, at: datetime, mac: str) -> bytes:
    """One record in its appliance's form: squeezed, without proof, or padded to its full width."""
    stamp, text = f"{at:%y/%m/%d %H:%M:%S}", audit_text(record, appliance.serial)
    block = raw_block(record, sequence, at).hex().upper()
    if appliance.form == "rfc3164":
        return f"{_file(appliance, at)}^{sequence},{stamp},{text},{mac},{block}".encode()
    if appliance.form == "rfc3339":
        return f"{_file(appliance, at)}^{sequence},{stamp},{text}".encode()
    if record.proven:
        return f"{sequence:>10},{stamp},{text:<256},{mac},{block}".encode()
    return f"{sequence},{stamp},{text}".encode()


def _file(appliance: Appliance, at: datetime) -> str:
    """Records are written to a file a day; its name is our guess for the text before the caret."""
    return f"hsm_{appliance.serial}_{0x2A + at.day:08x}.log"
