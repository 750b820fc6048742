"""Every line that the manuals print gives all the fields that it documents, by each engine."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from parsers import batch_body
from parsers.as_json import json_record
from parsers.batch import Parser
from parsers.inventory import Inventory
from parsers.reference import parse_line

LINES = tomllib.loads((Path(__file__).parent / "facts" / "lines.toml").read_text(encoding="utf-8"))["line"]
NOT_COMPARED = ("raw", "message", "pattern_version")


def compared(row):
    return {name: value for name, value in json_record(row).items() if name not in NOT_COMPARED}


@pytest.mark.parametrize(
    "line", LINES, ids=lambda line: f"{line['fields'].get('pattern', 'none')}: {line['raw'][-40:]}"
)
def test_documented_line(parse, line):
    """All fields, none missing and none too many."""
    got = parse(line["raw"])
    assert {name: value for name, value in got.items() if name not in NOT_COMPARED} == line["fields"]


def test_documented_lines_by_the_other_engines(patterns, as_batch, monkeypatch):
    """The bulk engine and the reference grammar say the same."""
    monkeypatch.setattr(batch_body, "FEW", 1)
    frame = as_batch([line["raw"] for line in LINES])
    together = Parser(patterns, Inventory()).at_once(frame)
    for line, row in zip(LINES, together.iter_rows(named=True), strict=True):
        alone = parse_line(line["raw"].encode(), frame["received_at"][0], "", patterns, Inventory())
        assert compared(row) == compared(alone) == line["fields"]


def test_documented_lines_are_known():
    """Only another product's line is nobody's."""
    unknown = [line["raw"] for line in LINES if line["fields"]["status"] != "parsed"]
    assert unknown == [line for line in unknown if "ENCRYPT AES" in line]
    assert len(LINES) >= 129
