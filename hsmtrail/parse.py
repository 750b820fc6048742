"""`hsmtrail parse`: lines in, JSON lines out, as a socket and the service would have read them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from hsmtrail import wiring
from hsmtrail.desk import utc_now as now
from ingest.framing import Framer
from parsers.as_json import json_record
from parsers.batch import Parser

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hsmtrail.config import Configuration
    from ingest.framing import Frame

__all__ = ["now", "print_records"]

CHUNK = 4 << 20


def print_records(
    stream: BinaryIO, framing: str, received_at: datetime, peer: str, configuration: Configuration | None
) -> None:
    """One JSON object a message, in order, whatever the message is."""
    parser = wiring.parser(configuration)
    framer = Framer(framing)
    while chunk := stream.read(CHUNK):
        _print(parser, framer.feed(chunk), received_at, peer)
    _print(parser, framer.close(end_of_file=True), received_at, peer)


def _print(parser: Parser, frames: Iterable[Frame], received_at: datetime, peer: str) -> None:
    lines = [(frame.raw, frame.trouble) for frame in frames]
    if not lines:
        return
    parsed = parser.parse(
        pl.DataFrame(
            {
                "received_at": [received_at] * len(lines),
                "peer": [peer] * len(lines),
                "peer_identity": [""] * len(lines),
                "raw": [raw for raw, _ in lines],
                "trouble": [trouble for _, trouble in lines],
            },
            schema={
                "received_at": pl.Datetime("us"),
                "peer": pl.String,
                "peer_identity": pl.String,
                "raw": pl.Binary,
                "trouble": pl.String,
            },
        )
    )
    for row in parsed.iter_rows(named=True):
        sys.stdout.write(json.dumps(json_record(row), ensure_ascii=False) + "\n")
