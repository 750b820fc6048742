"""The headers of the RFCs, and headers that are wrong, behave as the reference page says."""

from __future__ import annotations

from collections import Counter

import pytest

from parsers import batch_body
from parsers.as_json import json_record
from parsers.batch import Parser
from parsers.header_examples import header_examples
from parsers.inventory import Inventory
from parsers.reference import parse_line

EXAMPLES = header_examples()
COMPARED = (
    *("facility", "severity", "sent_at", "host", "program", "process_id", "message_id", "structured_data", "message"),
    *("status", "event_at_source", "trouble"),
)


def compared(row):
    got = json_record(row)
    return {name: got[name] for name in COMPARED if name in got}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.kind}: {example.what}")
def test_header_example(parse, example):
    """All fields of the header, none missing and none too many."""
    assert compared(parse(example.raw)) == example.fields


def test_header_examples_by_the_other_engines(patterns, as_batch, monkeypatch):
    """The bulk engine and the reference grammar say the same."""
    monkeypatch.setattr(batch_body, "FEW", 1)
    frame = as_batch([example.raw for example in EXAMPLES])
    together = Parser(patterns, Inventory()).at_once(frame)
    for example, row in zip(EXAMPLES, together.iter_rows(named=True), strict=True):
        alone = parse_line(example.raw, frame["received_at"][0], "", patterns, Inventory())
        assert compared(row) == compared(alone) == example.fields, example.what


def test_there_are_enough():
    """All examples of both RFCs, and sixty mistakes at least, none of them twice."""
    counts = Counter(example.kind for example in EXAMPLES)
    assert counts["RFC 5424"] >= 18
    assert counts["RFC 3164"] >= 6
    assert counts["malformed"] >= 60
    assert len({example.raw for example in EXAMPLES}) == len(EXAMPLES)
