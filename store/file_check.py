"""The store's file and its log, checked byte by byte without opening them as a database.

DuckDB's format (1.5): three headers of 4,096 bytes, then blocks; each begins with a checksum of the rest of it. The log
begins with the store's identity and its iteration; then each entry has its size and a checksum. Another process may
write both meanwhile: what looks wrong is looked at again before it is called a fault. Whether blocks are missing at the
end only reading can tell: free ones need not be there (see `compare.read_others`).

Not for the process that has the store open: closing the file would give up DuckDB's lock on it.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEADER = 4096
HEADERS = ("the main header", "the first database header", "the second database header")
BLOCKS_AT = 3 * HEADER
MAGIC = b"DUCK"
IDENTITY_AT, IDENTITY_BYTES = 124, 16
WORD = struct.Struct("<Q")
DATABASE_HEADER = struct.Struct("<5Q")
"""Iteration, meta block, free list, number of blocks, size of a block."""

LOOKS, PAUSE = 5, 0.1
MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
MASK = (1 << 64) - 1

LOG_BEGINS = b"d\0be\0\x02f\0\x10"
"""Entry kind 98, version 2, an identity of 16 bytes."""

ENTRY_ENDS = b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that are not what was written, `end` exclusive, and what they are."""

    start: int
    end: int
    why: str


def checksum(octets: bytes) -> int:
    """DuckDB's: words times a constant, all in one by exclusive or; up to seven bytes at the end by another way."""
    whole = len(octets) // 8 * 8
    words = np.frombuffer(octets[:whole], "<u8")
    result = 5381 ^ int(np.bitwise_xor.reduce(words * MULTIPLIER)) if whole else 5381
    return result ^ _of_rest(octets[whole:]) if whole < len(octets) else result


def _of_rest(octets: bytes) -> int:
    multiplier = 0xC6A4A7935BD1E995
    result = (0xE17A1465 ^ (len(octets) * multiplier)) & MASK
    result = ((result ^ int.from_bytes(octets, "little")) * multiplier) & MASK
    result = ((result ^ (result >> 47)) * multiplier) & MASK
    return result ^ (result >> 47)


def store_faults(path: Path, pause: float = PAUSE) -> list[Fault]:
    """Of the store's file; none when it is not there. `pause`: seconds between looks at what seems wrong."""
    return _looked_again(lambda: list(_store_faults(path)), pause) if path.exists() else []


def _looked_again(look: Callable[[], list[Fault]], pause: float) -> list[Fault]:
    """Only what stays wrong is wrong."""
    faults = look()
    for _ in range(LOOKS - 1):
        if not faults:
            break
        time.sleep(pause)
        again = look()
        faults = [fault for fault in faults if fault in again]
    return faults


def _store_faults(path: Path) -> Iterator[Fault]:
    with path.open("rb") as file:
        headers = [file.read(HEADER) for _ in HEADERS]
        size = path.stat().st_size
        if size < BLOCKS_AT:
            yield Fault(0, size, "too short for a store")
            return
        for number, header in enumerate(headers):
            wrong = not _sound(header) or (number == 0 and header[8:12] != MAGIC)
            if wrong:
                yield Fault(number * HEADER, (number + 1) * HEADER, f"{HEADERS[number]} has another checksum")
        newest = newest_header(headers)
        if newest is None:
            return
        block, place = newest[4], BLOCKS_AT
        while octets := file.read(block):
            if len(octets) == block and not _sound(octets) and any(octets):
                number = (place - BLOCKS_AT) // block
                yield Fault(place, place + block, f"block {number} has another checksum")
            place += block


def newest_header(headers: list[bytes]) -> tuple[int, ...] | None:
    """The database header in force."""
    sound = [DATABASE_HEADER.unpack_from(header, 8) for header in headers[1:] if _sound(header)]
    return max(sound, default=None)


def _sound(octets: bytes) -> bool:
    return bool(WORD.unpack_from(octets)[0] == checksum(octets[8:]))


def log_faults(path: Path, store: Path, pause: float = PAUSE) -> tuple[list[Fault], str]:
    """Of the log; and a note when it ends in the middle of an entry, as it may when its writer was killed.

    A checkpoint has a log of its own while it lasts (`.wal.checkpoint`), which begins with an iteration of its own.
    """
    notes: list[str] = []

    def look() -> list[Fault]:
        notes.clear()
        try:
            octets = path.read_bytes()
        except FileNotFoundError:
            return []
        return list(_log_faults(octets, store, notes, strict=path.suffix == ".wal"))

    faults = _looked_again(look, pause)
    return faults, "; ".join(notes)


def _log_faults(octets: bytes, store: Path, notes: list[str], *, strict: bool) -> Iterator[Fault]:
    if not octets:
        return
    begin = _beginning(octets, store) if strict else _first_entry(octets)
    if begin is None:
        wanted = octets.find(ENTRY_ENDS, len(LOG_BEGINS)) + len(ENTRY_ENDS)
        yield Fault(0, max(wanted, 1), "the log does not begin as one of this store")
    place = begin or _first_entry(octets)
    while place < len(octets):
        size = _entry_size(octets, place)
        if size is None:
            further = _next_entry(octets, place + 1)
            if further is None and _may_be_torn(octets, place):
                notes.append(f"{len(octets) - place} bytes at its end are an entry that was not written to its end")
                return
            yield Fault(place, further or len(octets), "an entry of the log has another checksum or size")
            place = further or len(octets)
            continue
        place += 16 + size


def _beginning(octets: bytes, store: Path) -> int | None:
    """Where entries begin; None when the log does not begin with the identity and iteration of the store."""
    with store.open("rb") as file:
        headers = [file.read(HEADER) for _ in HEADERS]
    newest = newest_header(headers)
    if newest is None or not _sound(headers[0]):
        return _first_entry(octets) if octets.startswith(LOG_BEGINS) else None
    identity = headers[0][IDENTITY_AT : IDENTITY_AT + IDENTITY_BYTES]
    wanted = LOG_BEGINS + b"".join(map(_number, identity)) + b"g\0" + _number(newest[0]) + ENTRY_ENDS
    return len(wanted) if octets.startswith(wanted) else None


def _number(value: int) -> bytes:
    """As the log writes them: seven bits a byte, the lowest first."""
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


def _first_entry(octets: bytes) -> int:
    return _next_entry(octets, 1) or len(octets)


def _entry_size(octets: bytes, place: int) -> int | None:
    """None when no whole entry stands there."""
    if place + 16 > len(octets):
        return None
    size, said = struct.unpack_from("<QQ", octets, place)
    data = octets[place + 16 : place + 16 + size]
    return size if 0 < size == len(data) and checksum(data) == said else None


def _commit() -> bytes:
    """The entry that ends each transaction; always the same."""
    data = b"d\0d" + ENTRY_ENDS
    return struct.pack("<QQ", len(data), checksum(data)) + data


def _next_entry(octets: bytes, place: int) -> int | None:
    """Where sound entries go on: behind the next end of a transaction."""
    at = octets.find(COMMIT, place)
    return None if at < 0 else at


def _may_be_torn(octets: bytes, place: int) -> bool:
    """A whole entry with a wrong checksum, or nearly the end of a transaction, was not torn: it was changed."""
    rest = octets[place:]
    if len(rest) == len(COMMIT) and sum(one != other for one, other in zip(rest, COMMIT, strict=True)) <= 2:
        return False
    return len(rest) < 16 or WORD.unpack_from(rest)[0] > len(rest) - 16


COMMIT = _commit()
