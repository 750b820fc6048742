"""The columns that a parsed line has, in the order of table `records`."""

from __future__ import annotations

import polars as pl

TIMESTAMP = pl.Datetime("us")

PARSED: dict[str, pl.DataType] = {
    # syslog header
    "facility": pl.UInt8(),
    "severity": pl.UInt8(),
    "sent_at": TIMESTAMP,
    "host": pl.String(),
    "program": pl.String(),
    "process_id": pl.String(),
    "message_id": pl.String(),
    "structured_data": pl.String(),  # JSON text
    "message": pl.String(),
    # source
    "device": pl.String(),
    "family": pl.String(),
    # event
    "event_at": TIMESTAMP,
    "event_at_source": pl.String(),
    "operation": pl.String(),
    "outcome": pl.String(),
    "strike": pl.Boolean(),
    "role": pl.String(),
    "role_id": pl.UInt8(),
    "account": pl.String(),
    "source": pl.String(),
    "source_port": pl.UInt16(),
    "command": pl.String(),
    "command_class": pl.String(),
    "client": pl.String(),
    "setting": pl.String(),
    "value": pl.String(),
    # HSM record
    "hsm_serial": pl.String(),
    "audit_sequence": pl.UInt64(),
    "session": pl.UInt64(),
    "access_major": pl.UInt64(),
    "access_minor": pl.UInt64(),
    "vendor_event": pl.String(),
    "return_name": pl.String(),
    "return_code": pl.UInt32(),
    "partition": pl.String(),
    "object_handle": pl.UInt64(),
    "object_uid": pl.String(),
    "entry": pl.String(),
    "mac": pl.String(),
    "raw_block": pl.String(),
    # rest
    "details": pl.String(),  # JSON text
    "pattern": pl.String(),
    "pattern_version": pl.String(),
    "status": pl.String(),
    "trouble": pl.String(),
    "raw": pl.String(),
}

WORDS = (
    "host",
    "program",
    "message",
    "device",
    "family",
    "event_at_source",
    "operation",
    "outcome",
    "role",
    "command_class",
    "pattern",
    "pattern_version",
    "status",
    "trouble",
    "raw",
)
"""Never null: '' says nothing. All other columns are null when absent."""

EMPTY: dict[str, object] = {name: "" if name in WORDS else None for name in PARSED}

_BITS: dict[pl.DataType, int] = {pl.UInt8(): 8, pl.UInt16(): 16, pl.UInt32(): 32, pl.UInt64(): 64}
BITS: dict[str, int] = {name: _BITS[kind] for name, kind in PARSED.items() if kind in _BITS}
"""Width of each whole-number column."""

LARGEST = {name: (1 << bits) - 1 for name, bits in BITS.items()} | {"audit_sequence": 9_999_999_999}
"""A larger number does not fit, and so is no number of that kind. An audit record has ten places for its own."""

TEXT, NO_COLUMN = 0, -1


def width_of(name: str) -> int:
    """Bits of a column of numbers, TEXT for one of text, NO_COLUMN for a name that is no column."""
    return BITS.get(name, TEXT) if name in PARSED else NO_COLUMN
