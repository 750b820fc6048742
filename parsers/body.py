"""From the captured texts of one pattern to columns and details: what every engine shares."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parsers import cloud_record, record
from parsers.columns import LARGEST, TEXT
from parsers.commands import judge
from parsers.meaning import (
    class_of,
    event_within,
    internal_event,
    operation_of_alarm,
    operation_of_event,
    result,
    role_of,
    strike_of,
)
from parsers.remembering import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from parsers.pattern import Pattern
    from parsers.template import Field

EXTERNAL = "LUNA_LOG_EXTERNAL"
"""What an application has written into the audit log: its text is not read for columns."""

OF_RECORDS = ("event", "internal")
"""Lookups of audit records. What does not fit its column stays in `details` there: the record is one all the same."""

DOES_NOT_FIT = "does not fit its column"

_CODE = re.compile(r"(?:0[xX])?([0-9A-Fa-f]+)")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ORIGIN = re.compile(r"(.*?)(?:/([0-9]{1,5}))?", re.DOTALL)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,9}")


@dataclass(slots=True)
class Body:
    """What a message says: columns, details in the order of the line, and its own stamp as written."""

    pattern: Pattern
    columns: dict[str, object] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    stamp: str = ""
    masked: tuple[str, str] | None = None  # a command line, and as it may be shown


def read(
    pattern: Pattern, captures: Sequence[str | None], tail_reader: Callable[[str], list[str] | None]
) -> Body | None:
    """The body; None when a value does not fit its column, so that the message is not this pattern's after all.

    Only an audit record is one all the same: another pattern would read it as an application's text.
    """
    body = Body(pattern, columns=dict(pattern.constants))
    command: str | None = None
    for entry, width, captured in zip(pattern.fields, pattern.widths, captures, strict=True):
        text = captured and captured.strip(" ")
        if not text:
            continue
        if width == TEXT:
            body.columns[entry.name] = text
        elif entry.name == "command":
            command = text
        elif not (_column(body, entry.name, text) if width > 0 else _take(body, entry, text, tail_reader)):
            if pattern.lookup not in OF_RECORDS:
                return None
            _unfit(body, entry.name, text)
    body.details |= pattern.details
    LOOKUPS[pattern.lookup](body, command)
    body.columns.setdefault("operation", "other")
    body.columns["command_class"] = class_of(str(body.columns["operation"]))
    return body


def _unfit(body: Body, name: str, text: str) -> None:
    body.details[name] = text
    body.trouble.append(f"{name} {DOES_NOT_FIT}")


def _take(body: Body, entry: Field, text: str, tail_reader: Callable[[str], list[str] | None]) -> bool:
    """A field that is no column of its own; False when it holds a number that does not fit."""
    if entry.name == "origin":
        return _origin(body, text)
    if entry.name == "code":
        body.details["code_text"] = text
        return _column(body, "return_code", text)
    if entry.name == "stamp":
        body.stamp = text
    elif entry.name == "tail" and body.columns.get("vendor_event") == EXTERNAL:
        body.details["text"] = text
    elif entry.name == "tail":
        tail = record.read(text, tail_reader(text))
        body.columns |= tail.columns
        _further(body.details, tail.details)
    elif entry.name == "cloud_record":
        return _cloud_record(body, text)
    else:
        body.details[entry.name] = detail(entry.kind, text)
    return True


def _cloud_record(body: Body, text: str) -> bool:
    """False for an object that is no record."""
    said = cloud_record.read(text)
    if said is None:
        return False
    body.columns |= said.columns
    body.details |= said.details
    body.stamp = said.stamp
    return True


def _further(details: dict[str, object], more: dict[str, object]) -> None:
    """Adds what the line's own fields do not say already."""
    for name, value in more.items():
        details.setdefault(name, value)


def _origin(body: Body, text: str) -> bool:
    found = _ORIGIN.fullmatch(text)
    assert found is not None
    if found[1]:
        body.columns["source"] = found[1]
    return found[2] is None or _column(body, "source_port", found[2])


def _column(body: Body, name: str, text: str) -> bool:
    """Sets a column of numbers; False when the text is none, or one that the column cannot hold."""
    number = number_of(text)
    if number is None or number > LARGEST[name]:
        return False
    body.columns[name] = number
    return True


def number_of(text: str) -> int | None:
    """Decimal, or hexadecimal: after 0x, or as consoles print it (`A00000`)."""
    if text.isdecimal() and text.isascii():
        return int(text)
    found = _CODE.fullmatch(text)
    return None if found is None else int(found[1], 16)


def detail(kind: str, text: str) -> object:
    """A detail as JSON says it: numbers are numbers."""
    if kind == "plain":
        return int(text)
    if kind == "decimal":
        return float(text) if _DECIMAL.fullmatch(text) else record.number_or_text(text)
    return text


def as_text(details: dict[str, object]) -> str | None:
    """Details as JSON text, None when there are none."""
    return _encode(details) if details else None


def _nothing_more(body: Body, _command: str | None) -> None:
    """A pattern that says itself what it means: only a return code adds to it."""
    columns = body.columns
    name, code = columns.get("return_name"), columns.get("return_code")
    ended = result(name if isinstance(name, str) else None, code if isinstance(code, int) else None)
    columns["return_code"] = ended.number
    columns.setdefault("outcome", ended.outcome)
    columns.setdefault("strike", strike_of(str(columns["operation"]), counted=ended.strike))
    body.trouble.extend([ended.trouble] if ended.trouble else [])


def _event(body: Body, _command: str | None) -> None:
    """An HSM audit record with its LUNA_… event."""
    columns = body.columns
    name, code, role_id = (columns.get(key) for key in ("return_name", "return_code", "role_id"))
    judged = judge_event(
        str(columns.get("vendor_event", "")),
        str(body.details.get("actor", "")),
        name if isinstance(name, str) else None,
        code if isinstance(code, int) else None,
        role_id if isinstance(role_id, int) else None,
        container="partition" in columns,
    )
    said = columns.get("role")
    body.columns |= judged.columns
    if f"return_code {DOES_NOT_FIT}" in body.trouble:  # whatever it is, it is not 0
        columns |= {"outcome": "failed", "return_code": None}
    serial = record.partition_serial(columns.get("hsm_serial"), columns.get("partition"), role_id)
    body.details |= {"partition_serial": serial} if serial else {}
    if said and not judged.columns["role"]:
        columns["role"] = said
    body.trouble.extend(judged.trouble)


@dataclass(frozen=True, slots=True)
class JudgedEvent:
    """What event, result, actor and role number together mean."""

    columns: dict[str, object]
    trouble: tuple[str, ...]


@remembered(4096)
def judge_event(  # noqa: PLR0913  (six facts of the record decide together)
    event: str, actor: str, name: str | None, code: int | None, role_id: int | None, *, container: bool
) -> JudgedEvent:
    """The result is shared, so it is not to be changed."""
    operation = operation_of_event(event)
    ended = result(name, code)
    role = role_of(role_id, actor, operation, container=container)
    columns: dict[str, object] = {
        "operation": operation,
        "command_class": class_of(operation),
        "return_code": ended.number,
        "outcome": ended.outcome,
        "strike": strike_of(operation, counted=ended.strike),
        "role": role or (ended.role if role_id is None else ""),
    }
    return JudgedEvent(columns, (ended.trouble,) if ended.trouble else ())


_OF_A_SESSION = ("S/N ", "session ")


def _internal(body: Body, _command: str | None) -> None:
    """An audit record of free text: the module's own message, an application's, or a form that is not known yet."""
    text = str(body.details.get("text", ""))
    of_a_session = "access_major" in body.columns or "access_major" in body.details
    operation = event_within(text)
    event = operation if of_a_session or text.startswith(_OF_A_SESSION) else internal_event(text)
    if operation:
        body.trouble.append("an operation in a form that is not known")
    if event:
        body.columns["vendor_event"] = event
        body.columns["operation"] = operation_of_event(event)
    elif of_a_session:
        body.columns["operation"] = operation_of_event(EXTERNAL)


def _alarm(body: Body, _command: str | None) -> None:
    alarm = str(body.columns.get("vendor_event", ""))
    body.columns["operation"] = operation_of_alarm(alarm.removeprefix("ALM"))


def _command(body: Body, command: str | None) -> None:
    code = body.columns.get("return_code")
    judged = judge(command or "", code if isinstance(code, int) else None)
    body.columns |= {name: value for name, value in judged.columns.items() if value is not None}
    body.details |= judged.details
    body.trouble.extend(judged.trouble)


def _cloud(body: Body, _command: str | None) -> None:
    """A record of Luna Cloud HSM; other services of the cloud say in words of their own what was done."""
    if "vendor_event" in body.columns:
        _event(body, None)
    else:
        body.columns["operation"] = "other"
        _nothing_more(body, None)


LOOKUPS: dict[str, Callable[[Body, str | None], None]] = {
    "": _nothing_more,
    "event": _event,
    "internal": _internal,
    "alarm": _alarm,
    "command": _command,
    "cloud": _cloud,
}
