"""`hsmtrail parse`: lines in, JSON lines out, as a socket and the service would have read them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from hsmtrail import wiring
from hsmtrail.desk import utc_now as now
from hsmtrail.failures import Misuse
from hsmtrail.log import shown
from ingest.archive_import import TooMuch, Unpacking
from parsers.as_json import json_record
from parsers.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hsmtrail.config import Configuration
    from ingest.file_content import Messages
    from ingest.framing import Framing
    from parsers.batch import Parser
    from parsers.explain import Explanation
    from parsers.patterns import Patterns

__all__ = ["now", "print_records"]


def print_records(
    stream: BinaryIO, framing: Framing, received_at: datetime, peer: str, configuration: Configuration | None
) -> None:
    """One JSON object a message, in order, whatever the message is."""
    parser = wiring.parser(configuration)
    for portion in _portions(stream, framing):
        _print(parser, portion, received_at, peer)


def print_explanations(
    stream: BinaryIO, framing: Framing, configuration: Configuration | None, *, as_json: bool
) -> None:
    """Why each message is read as it is: one JSON object, or some lines of text."""
    patterns = wiring.parser(configuration).patterns
    for portion in _portions(stream, framing):
        _explain(portion, patterns, as_json=as_json)


def _portions(stream: BinaryIO, framing: Framing) -> Iterator[Messages]:
    """Lines, or the objects of a JSON export, unpacked."""
    unpacking = Unpacking()
    try:
        for content in unpacking.contents(stream, "the input"):
            yield from unpacking.readable(content, framing)
    except TooMuch as error:
        raise Misuse(f"the input {error}") from None
    if unpacking.notes.failed:
        first = unpacking.notes.failed[0]
        raise Misuse(f"{shown(first.file)} {first.why}")


def _explain(portion: Messages, patterns: Patterns, *, as_json: bool) -> None:
    for raw in portion.raw:
        why = explain(raw, patterns)
        said = json.dumps(json_record(asdict(why)), ensure_ascii=False) if as_json else "\n".join(_told(why))
        sys.stdout.write(said + "\n")


def _told(why: Explanation) -> Iterator[str]:
    """For people: which pattern, or the message with a mark where the best one stopped."""
    where = f"{why.pattern} {why.version} ({why.file}:{why.line})"
    if why.known:
        yield f"read by {where}"
    elif not why.pattern:
        yield f"not known; wanted: {why.wanted}"
        yield f"    {shown(why.message)}"
    else:
        yield f"not known; {where} came furthest, to column {why.column}, and wanted {why.wanted}"
        yield f"    {shown(why.message)}"
        yield " " * (4 + len(shown(why.message[: why.column - 1]))) + "^"


def _print(parser: Parser, portion: Messages, received_at: datetime, peer: str) -> None:
    if len(portion):
        for row in parser.parse(_lines(portion, received_at, peer)).iter_rows(named=True):
            sys.stdout.write(json.dumps(json_record(row), ensure_ascii=False) + "\n")


def _lines(portion: Messages, received_at: datetime, peer: str) -> pl.DataFrame:
    """A last line without its line feed is a whole line in a file, so nothing here is 'incomplete'."""
    raw, cut = portion.raw, set(portion.cut)
    return pl.DataFrame(
        {
            "received_at": pl.Series([received_at] * len(raw), dtype=pl.Datetime("us")),
            "peer": pl.Series([peer] * len(raw), dtype=pl.String),
            "peer_identity": pl.Series([""] * len(raw), dtype=pl.String),
            "raw": pl.Series(raw, dtype=pl.Binary),
            "trouble": pl.Series(["cut" if number in cut else "" for number in range(len(raw))], dtype=pl.String),
        }
    )
