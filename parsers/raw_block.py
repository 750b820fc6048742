"""The binary block behind an audit record's text: a second witness of the same event.

Little-endian 32-bit words: sequence (its low 24 bits), unknown, Unix time, return code, access minor, access major,
session; the rest is not known. The HMAC covers this block and not the text, so a difference is worth saying.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from parsers.clock import EPOCH

LENGTH = 28
"""Bytes that are understood."""

_WORDS = struct.Struct("<7I")
QUARTER = 15 * 60
WIDEST_ZONE = 14 * 3600


@dataclass(frozen=True, slots=True)
class RawBlock:
    """What the block says."""

    sequence: int
    at: datetime
    return_code: int
    access_minor: int
    access_major: int
    session: int


def decode(text: str) -> RawBlock | None:
    """From hexadecimal; None when it is no block: odd, too short, or without a time."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    if len(data) < LENGTH:
        return None
    sequence, _, at, code, minor, major, session = _WORDS.unpack_from(data)
    if at == 0:
        return None
    return RawBlock(sequence & 0xFFFFFF, EPOCH + timedelta(seconds=at), code, minor, major, session)


def differences(block: RawBlock, said: dict[str, object], stamp: datetime | None) -> list[str]:
    """Where the text says something else than the block; `stamp` is the text's own time as written."""
    sequence = said.get("audit_sequence")
    pairs = (
        ("sequence", block.sequence, sequence & 0xFFFFFF if isinstance(sequence, int) else None),
        ("return code", block.return_code, said.get("return_code")),
        ("access minor", block.access_minor, said.get("access_minor")),
        ("access major", block.access_major, said.get("access_major")),
        ("session", block.session, said.get("session")),
    )
    differing = [name for name, ours, theirs in pairs if theirs is not None and theirs != ours]
    if stamp is not None and not is_zone(stamp - block.at):
        differing.append("time")
    return [f"raw block differs: {', '.join(differing)}"] if differing else []


def zone_of(block: RawBlock, stamp: datetime) -> str:
    """The offset that the text's clock has from the block's, `-04:00`; '' when there is none or it is no zone."""
    apart = stamp - block.at
    return offset(round(apart.total_seconds())) if apart and is_zone(apart) else ""


def offset(seconds: int) -> str:
    """Seconds east of UTC as people write them."""
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def is_zone(difference: timedelta) -> bool:
    """Whether a time zone explains it: a multiple of 15 minutes, at most 14 hours."""
    seconds = round(difference.total_seconds())
    return seconds % QUARTER == 0 and abs(seconds) <= WIDEST_ZONE
