"""What a Sigma rule becomes: the text of a detector, and a blank for its cases."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analytics.sigma.columns import column_names
from analytics.sigma.header_text import header, title_of
from analytics.sigma.query_text import query

if TYPE_CHECKING:
    from analytics.sigma.rule import Rule

LONGEST_NAME = 60
USUAL = ("time", "device", "family")
CASES = """\
# A detector is worth what its cases prove: write lines as your devices write them, and what must be found in them.
# `hsmtrail detectors test {identifier}` runs them; docs/writing-detectors.md says what a table may hold.

[[case]]
name   = "what the rule describes"
events = \"""
{columns}
\"""
expect = \"""
subject | device | acts
fill in | hsm1   | 1
\"""

[[case]]
name   = "what looks like it, and is everyday"
events = \"""
{columns}
\"""
expect = ""
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """`name` is the file's, without its end; `detector` and `cases` are the texts of both files."""

    name: str
    detector: str
    cases: str


def draft(rule: Rule, identifier: str) -> Draft:
    """A detector of kind episodes, and a blank whose first case fails until somebody fills it in."""
    title = title_of(rule)
    text = f"/*\n{header(rule, identifier)}*/\n{query(rule, title)}"
    columns = " | ".join(_columns(rule))
    return Draft(_file_name(title), text, CASES.format(identifier=identifier, columns=columns))


def _columns(rule: Rule) -> list[str]:
    """Those that the conditions name: literals may name more, which does no harm."""
    words = set(re.findall(r"[a-z_]+", f"{rule.source.records} {rule.condition}"))
    by = {column.name for column in rule.count.by} if rule.count else set()
    return [*USUAL, *sorted(((words & column_names()) | by) - set(USUAL))]


def _file_name(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].strip("_") or "sigma_rule"
