"""A week of all families in all header forms: nearly everything is known, and nothing is without a header.

HSMTRAIL_WEEK_LINES raises the number of lines (20,000 by default; a week has 100,000).
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime

import polars as pl
import pytest

from parsers.batch import Parser
from parsers.inventory import Inventory
from support.mixed_week import FAMILIES, MixedWeek

COUNT = int(os.environ.get("HSMTRAIL_WEEK_LINES", "20000"))
SUNDAY = datetime(2026, 11, 22, 23, 59)
EXPECTED = {
    "record": "hsm_audit",
    "cloud": "hsm_audit",
    "manual's sshd": "sshd",
    "uptime": "sysstat",
    "lsta": "snmp",
    "kernel": "system",
    "cbs": "system",
    "services": "system",
    "jobs": "system",
    "rsyslog": "system",
    "sudo": "system",
    "next firmware": "ntls",
}
BY_OTHERS = {"sudo": {"system", "sshd"}, "jobs": {"system", "sshd"}}
"""Programs whose lines patterns of two families read."""


@pytest.fixture(scope="module")
def week(patterns, as_batch):
    """The lines, the names of their families, and what they became."""
    names, lines = zip(*MixedWeek(COUNT).lines(), strict=True)
    parsed = Parser(patterns, Inventory()).parse(as_batch(lines, received_at=SUNDAY))
    return names, lines, parsed


def test_nearly_everything_is_known(week):
    """Under one line in a thousand is only half understood, and none not at all."""
    names, lines, parsed = week
    counts = Counter(parsed["status"])
    partial = [line for line, status in zip(lines, parsed["status"], strict=True) if status == "partial"]
    assert counts["unparsed"] == 0
    assert counts["partial"] < COUNT / 1000, partial[:5]
    assert counts["partial"] == names.count("next firmware") > 0
    assert set(names) == {*FAMILIES, "record", "cloud"}


def test_every_line_is_of_its_family(week):
    """And no line says that something is wrong, but for names and codes that differ on purpose."""
    names, lines, parsed = week
    for name, line, family, trouble in zip(names, lines, parsed["family"], parsed["trouble"], strict=True):
        assert family in BY_OTHERS.get(name, {EXPECTED.get(name, name)}), line
        assert trouble in ("", "ambiguous"), line


def test_every_event_means_something(week):
    """Of all the events and commands of a week none is of an unknown kind."""
    _, _, parsed = week
    records = parsed.filter(pl.col("vendor_event").str.starts_with("LUNA_"))
    assert records.filter(pl.col("operation") == "other").is_empty()
    assert records["outcome"].is_in(["ok", "failed"]).all()
    assert parsed["event_at"].is_between(datetime(2026, 11, 16), datetime(2026, 11, 23)).mean() > 0.98


def test_no_secret_of_the_week_is_kept(week):
    """The passwords of its commands are in no column."""
    _, lines, parsed = week
    assert any(b"Secret123" in line for line in lines)
    texts = [name for name, kind in parsed.schema.items() if kind == pl.String]
    for name in texts:
        assert not parsed[name].str.contains("Secret123", literal=True).any(), name


def test_bulk_and_lines_agree_on_the_week(week, patterns, as_batch):
    """Each line alone gives the same."""
    _, lines, parsed = week
    parser = Parser(patterns, Inventory())
    frame = as_batch(lines[:5000], received_at=SUNDAY)
    assert parsed[:5000].equals(parser.one_by_one(frame), null_equal=True)


def test_the_same_seed_gives_the_same_week():
    """A finding of this test can be looked at again."""
    assert list(MixedWeek(300).lines()) == list(MixedWeek(300).lines())
    assert list(MixedWeek(300, seed=8).lines()) != list(MixedWeek(300).lines())
