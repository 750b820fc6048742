"""The built-in patterns, and lines as a listener hands them over."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from parsers.as_json import json_record
from parsers.batch import Parser
from parsers.inventory import Inventory
from parsers.patterns import load

RECEIVED_AT = datetime(2026, 11, 23, 8, 15, 1)


def batch(lines, received_at=RECEIVED_AT, peer="", peer_identity="", trouble=""):
    """A frame of received lines; text is encoded."""
    raw = [line.encode() if isinstance(line, str) else line for line in lines]
    return pl.DataFrame({"raw": pl.Series(raw, dtype=pl.Binary)}).with_columns(
        received_at=pl.lit(received_at, pl.Datetime("us")),
        peer=pl.lit(peer),
        peer_identity=pl.lit(peer_identity),
        trouble=pl.lit(trouble),
    )


@pytest.fixture(scope="session")
def patterns():
    """The built-in patterns."""
    return load()


@pytest.fixture(name="as_batch", scope="session")
def _as_batch():
    return batch


@pytest.fixture
def parse(patterns):
    """One line as `hsmtrail parse` prints it."""

    def parse_one(line, inventory=None, **received):
        parsed = Parser(patterns, inventory or Inventory()).parse(batch([line], **received))
        return json_record(parsed.row(0, named=True))

    return parse_one
