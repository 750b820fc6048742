"""An audit record that was wrapped when it was copied: its proof stands on the lines below it.

    38,12/08/13 15:30:50,session 1 Access 1:2 operation LUNA_LOGIN returned RC_OK(0x00000000),
    29C51014B6F131EC67CF48734101BBE301335C25F43EDF8828745C40755ABE25,
    2600001003600B00EA552950140030005D580000030000800100000000000000000000000000000000000000

The import of files keeps such lines together as one message (ingest/wrapped_lines.py), line feeds and all.
"""

from __future__ import annotations

import re

MOST_LINES = 4
"""Lines below a record that can be its own: the MAC, and the block in pieces."""

CONTINUATION = r"[ ,\r]*[0-9A-Fa-f]{40,}[ ,\r]*"
"""A line that holds nothing but a MAC or (a piece of) a raw block."""

RECORD = r"(?:.*[ ^])?[0-9]{1,10} *, *[0-9]{2}(?:/[0-9]{2}/[0-9]{2}|[0-9]{2} [A-Z][a-z]{2}) .*"
"""A line that begins an audit record: a number and a stamp."""

_AROUND = " ,\r"
_WRAPPED = re.compile(rf"[^\n]*(?:\n{CONTINUATION}){{1,{MOST_LINES}}}")
_PROVEN = re.compile(r"(?s).*, *[0-9A-Fa-f]{64} *, *[0-9A-Fa-f]{40,}")
_MAC_LENGTH = 64


def joined(message: str) -> str:
    """The record on one line, as the HSM wrote it; any other message as it is."""
    if "\n" not in message or not _WRAPPED.fullmatch(message):
        return message
    record, *pieces = (line.strip(_AROUND) for line in message.split("\n"))
    if len(pieces[0]) == _MAC_LENGTH and len(pieces) > 1:
        record, pieces = f"{record},{pieces[0]}", pieces[1:]
    record = f"{record},{''.join(pieces)}"
    return record if _PROVEN.fullmatch(record) else message
