"""`hsmtrail parse`: lines in, JSON lines out, as a socket and the service would have read them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from hsmtrail import wiring
from hsmtrail.desk import utc_now as now
from ingest.framing import Framer, Framing
from parsers.as_json import json_record

if TYPE_CHECKING:
    from datetime import datetime

    from hsmtrail.config import Configuration
    from ingest.framing import Frames
    from parsers.batch import Parser

__all__ = ["now", "print_records"]

CHUNK, MAX_MESSAGE = 4 << 20, 65536


def print_records(
    stream: BinaryIO, framing: Framing, received_at: datetime, peer: str, configuration: Configuration | None
) -> None:
    """One JSON object a message, in order, whatever the message is."""
    parser = wiring.parser(configuration)
    framer = Framer(framing, MAX_MESSAGE)
    while chunk := stream.read(CHUNK):
        _print(parser, framer.feed(chunk), received_at, peer)
    _print(parser, framer.close(), received_at, peer)


def _print(parser: Parser, frames: Frames, received_at: datetime, peer: str) -> None:
    if len(frames):
        for row in parser.parse(_lines(frames, received_at, peer)).iter_rows(named=True):
            sys.stdout.write(json.dumps(json_record(row), ensure_ascii=False) + "\n")


def _lines(frames: Frames, received_at: datetime, peer: str) -> pl.DataFrame:
    """A last line without its line feed is a whole line in a file, so nothing here is 'incomplete'."""
    raw, cut = frames.messages(), set(frames.cut)
    return pl.DataFrame(
        {
            "received_at": pl.Series([received_at] * len(raw), dtype=pl.Datetime("us")),
            "peer": pl.Series([peer] * len(raw), dtype=pl.String),
            "peer_identity": pl.Series([""] * len(raw), dtype=pl.String),
            "raw": pl.Series(raw, dtype=pl.Binary),
            "trouble": pl.Series(["cut" if number in cut else "" for number in range(len(raw))], dtype=pl.String),
        }
    )
