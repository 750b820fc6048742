"""One line to one row: what every engine shares once it has read the text.

An engine says how text is matched (regular expressions here, pyparsing in grammar.py); everything after that, from
devices and clocks to the raw block, is this module's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from parsers import audit_file, clock, header, partitions, raw_block, record, shell, wrapped
from parsers import body as bodies
from parsers.columns import EMPTY
from parsers.decoding import text_of, unframed

if TYPE_CHECKING:
    from datetime import datetime

    from parsers.inventory import Inventory
    from parsers.pattern import Pattern
    from parsers.patterns import Patterns

_COMMAND = re.compile(r"(.*?Command:)(.*)", re.DOTALL)
_OF_THE_SHELL = re.compile(r"(?s)(?i:lunash).*Command:")
_BARE = re.compile(r" *(?:[A-Za-z]+ +: +[0-9A-Fa-fxX]+ +: +)?Command:")
_ORIGIN = re.compile(r"(.*(?<! ))( +: +[^ \"']+ +:(?: +[^ \"']+)? *[\r\n]?(?:\\x00)?)", re.DOTALL)
COMMAND = "Command:"
DOUBTED = "date not believed"
"""In trouble, where a clock is not asked when something happened; LOGS-07 looks for it."""


@dataclass(frozen=True, slots=True)
class Received:
    """One line as a listener got it."""

    raw: bytes
    received_at: datetime
    peer: str = ""
    peer_identity: str = ""
    trouble: str = ""


class Engine(Protocol):
    """How text is matched."""

    def header(self, text: str, programs: frozenset[str]) -> header.Header: ...

    def captures(self, pattern: Pattern, message: str) -> tuple[str | None, ...] | None: ...

    def tail(self, text: str) -> list[str] | None: ...


class Expressions:
    """The engine of regular expressions."""

    def header(self, text: str, programs: frozenset[str]) -> header.Header:
        return header.parse(text, programs)

    def captures(self, pattern: Pattern, message: str) -> tuple[str | None, ...] | None:
        return pattern.captures(message)

    def tail(self, text: str) -> list[str] | None:
        return record.pieces(text)


def parse(line: Received, patterns: Patterns, inventory: Inventory, engine: Engine) -> dict[str, object]:
    """Every column of one line; never raises."""
    raw = text_of(line.raw)
    text = text_of(unframed(line.raw))
    row = dict(EMPTY)
    trouble = [line.trouble] if line.trouble else []
    head = engine.header(text, patterns.programs)
    trouble.extend(["empty"] if not text else head.trouble)
    body = read_body(head, patterns, engine)
    _fill_header(row, head, patterns)
    if body:
        _fill_body(row, body)
    if row["hsm_serial"] is None and row["audit_sequence"] is not None:
        row["hsm_serial"] = audit_file.serial(head.message, line.peer)
    device, differing = _device(row, line, inventory)
    row["device"] = device
    trouble.extend([differing] if differing else [])
    trouble.extend(set_times(row, head.stamp, body, line.received_at, inventory.zone(device)))
    if body:
        trouble.extend(body.trouble)
        partitions.settle(row, body.details, inventory)
        row["details"] = bodies.as_text(body.details)
    row["raw"], row["message"] = raw, head.message
    if holds_command(head, raw):
        row["raw"], row["message"] = mask_command(raw), mask_command(head.message)
    row["trouble"] = "; ".join(trouble)
    return row


def read_body(head: header.Header, patterns: Patterns, engine: Engine) -> bodies.Body | None:
    """The body by the first pattern that fits, or None."""
    message = wrapped.joined(head.message)
    for pattern in patterns.candidates(head.program):
        captures = engine.captures(pattern, message)
        found = None if captures is None else bodies.read(pattern, captures, engine.tail)
        if found is not None:
            return found
    return None


def _fill_header(row: dict[str, object], head: header.Header, patterns: Patterns) -> None:
    row["facility"] = head.facility
    row["severity"] = head.severity
    row["host"] = head.host
    row["program"] = head.program
    row["process_id"] = head.process_id
    row["message_id"] = head.message_id
    row["structured_data"] = head.structured_data
    row["family"] = patterns.family_of(head.program)
    row["status"] = "partial" if head.known else "unparsed"


def _fill_body(row: dict[str, object], body: bodies.Body) -> None:
    row.update({name: value for name, value in body.columns.items() if value is not None and value != ""})
    row["family"] = body.pattern.family
    row["pattern"] = body.pattern.name
    row["pattern_version"] = body.pattern.version
    row["status"] = "parsed"


def _device(row: dict[str, object], line: Received, inventory: Inventory) -> tuple[str, str]:
    if not inventory.devices:
        return "", ""
    return inventory.device_of(
        inventory.by_certificate(line.peer_identity),
        inventory.by_serial(str(row["hsm_serial"] or "")),
        inventory.by_host(line.peer),
        inventory.by_host(str(row["host"])),
    )


def set_times(
    row: dict[str, object], sent: str, body: bodies.Body | None, received_at: datetime, zone: str
) -> list[str]:
    """sent_at, event_at and where it comes from; gives what is wrong with the stamps and the raw block."""
    trouble = []
    stamp = body.stamp if body else ""
    sent_at = clock.read(sent, received_at, zone) if sent else None
    if sent and sent_at is None:
        trouble.append("impossible date in the header")
    record_at = clock.read(stamp, received_at, zone) if stamp else None
    if stamp and record_at is None:
        trouble.append("impossible date in the record")
    block = raw_block.decode(str(row["raw_block"])) if row["raw_block"] else None
    if row["raw_block"] and block is None:
        trouble.append("raw block cannot be read")
    if block:
        written = clock.read(stamp, received_at) if stamp else None
        trouble.extend(raw_block.differences(block, row, written))
        if body and written and (learned := raw_block.zone_of(block, written)):
            body.details["zone"] = learned
    row["sent_at"] = sent_at
    row["event_at"], row["event_at_source"] = received_at, "received"
    for source, moment in (("header", sent_at), ("record", record_at), ("raw_block", block and block.at)):
        doubt = clock.doubt(moment, received_at) if moment else ""
        if doubt:
            trouble.append(f"{DOUBTED} in the {source.replace('_', ' ')}: {doubt}")
        elif moment:
            row["event_at"], row["event_at_source"] = moment, source
    return trouble


def holds_command(head: header.Header, raw: str) -> bool:
    """Whether a line is a command of the Luna shell, or looks like one whose header was lost."""
    if COMMAND not in raw:
        return False
    return bool(_OF_THE_SHELL.search(raw) or (not head.program and _BARE.match(head.message)))


def mask_command(text: str) -> str:
    """The command of a line, from `Command:` to the account and origin (or the end, when the line was cut), masked."""
    found = _COMMAND.fullmatch(text)
    if found is None:
        return text
    rest = _ORIGIN.fullmatch(found[2])
    command, after = (rest[1], rest[2]) if rest else (found[2], "")
    return found[1] + shell.read(command).masked + after
