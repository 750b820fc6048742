"""The end of an HSM audit record's text: `container=20 roleID=5 (using PIN (entry=LUNA_ENTRY_DATA_AREA))`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from parsers.meaning import role_named

_SHORT_SERIAL = re.compile(r"[1-9][0-9]{4}|[1-4][0-9]{5}")
_SHORT_CONTAINER = re.compile(r"[0-9]{1,3}")

DEEPEST = 8
"""Brackets inside one another beyond this are no record of an HSM."""

_PIECE = re.compile(r"[()]|[^ ()]+")
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(.*)", re.DOTALL)
_PLAIN = re.compile(r"0|[1-9][0-9]{0,17}")

COLUMNS = {
    "container": "partition",
    "partition": "partition",
    "key": "object_handle",
    "handle": "object_handle",
    "object": "object_handle",
    "objecthandle": "object_handle",
    "object_handle": "object_handle",
    "ouid": "object_uid",
    "object_uid": "object_uid",
    "entry": "entry",
    "roleid": "role_id",
    "role_id": "role_id",
    "role": "role_id",
}
"""Where a key has a column of its own; the rest goes to `details`."""


@dataclass(slots=True)
class Tail:
    """The columns and details that a tail gives."""

    columns: dict[str, object] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)


def pieces(text: str) -> list[str] | None:
    """The pairs and words in order, brackets gone; None when the brackets do not match."""
    found: list[str] = []
    depth = 0
    for piece in _PIECE.findall(text):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth < 0 or depth > DEEPEST:
            return None
        if piece not in "()":
            found.append(piece)
    return None if depth else found


def read(text: str, found: list[str] | None) -> Tail:
    """The tail from its pieces; what does not fit its column stays in `details`, nothing is lost."""
    tail = Tail()
    if found is None:
        tail.details["tail"] = text
        return tail
    words: list[str] = []
    for before, piece in zip(["", *found], found, strict=False):
        pair = _PAIR.fullmatch(piece)
        if pair:
            _pair(tail, pair[1], pair[2].rstrip(","))
        elif before.lower() == "using" and "using" not in tail.details:
            tail.details["using"] = piece
            words.pop()
        else:
            words.append(piece)
    if words:
        tail.details["words"] = " ".join(words)
    return tail


def _pair(tail: Tail, key: str, value: str) -> None:
    column = COLUMNS.get(key.lower())
    fits = column is not None and column not in tail.columns and _column(tail, column, value)
    if column == "role_id" and "role_id" not in tail.details:
        tail.details["role_id"] = number_or_text(value)
    elif not fits:
        _detail(tail, key, value)


def _detail(tail: Tail, key: str, value: str) -> None:
    """A key that comes again is numbered: `key`, `key_2` …"""
    name, count = key, 1
    while name in tail.details:
        count += 1
        name = f"{key}_{count}"
    tail.details[name] = number_or_text(value)


def _column(tail: Tail, column: str, value: str) -> bool:
    converted: object = value
    if column == "object_handle":
        converted = int(value) if _PLAIN.fullmatch(value) else None
    elif column == "object_uid":
        converted = value.upper()
    elif column == "role_id":
        converted = int(value) if _PLAIN.fullmatch(value) and int(value) < 256 else None
        tail.columns.update({"role": role} if (role := role_named(value)) else {})
    if converted is None or converted == "":
        return False
    tail.columns[column] = converted
    return True


def partition_serial(hsm_serial: object, container: object, role_id: object) -> str:
    """`150718020` of HSM 150718 and container 20, as Luna 5 and 6 number partitions; '' where it cannot be said.

    Luna 7 (serials from 500000 on, or records with role numbers) gives partitions serials of their own.
    """
    if role_id is not None or not isinstance(hsm_serial, str) or not isinstance(container, str):
        return ""
    known = _SHORT_SERIAL.fullmatch(hsm_serial) and _SHORT_CONTAINER.fullmatch(container)
    return hsm_serial + container.zfill(3) if known else ""


def number_or_text(value: str) -> int | str:
    """As JSON says it: a whole number where the text is one."""
    return int(value) if _PLAIN.fullmatch(value) else value
