"""One pattern: a form of message, what it means, and examples that prove it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from parsers import template
from parsers.columns import NO_COLUMN, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKUPS = ("", "event", "internal", "command", "alarm", "cloud")
"""What judges a pattern's fields beyond its own words: see body.py."""

CONSTANTS = (
    "operation",
    "outcome",
    "strike",
    "role",
    "client",
    "setting",
    "value",
    "vendor_event",
    "account",
    "partition",
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a pattern file."""

    file: str
    line: int
    pattern: str
    what: str

    def __str__(self) -> str:
        named = f"{self.pattern}: " if self.pattern else ""
        return f"{self.file}:{self.line}: {named}{self.what}"


class PatternError(Exception):
    """The pattern files hold mistakes; the message lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


MANY_BLANKS = " " * 200
"""In a row: a stranger may write tens of thousands of them before a word that fits nothing."""


@dataclass(frozen=True, slots=True)
class Example:
    """A message, and fields that it must give."""

    message: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """One form of message, and what it means. Two of them are never the same, so answers can be remembered by one."""

    name: str  # family.name
    family: str
    version: str
    nodes: tuple[template.Node, ...]
    lookup: str
    constants: dict[str, object]
    details: dict[str, object]
    examples: tuple[Example, ...]
    usual_tail: tuple[template.Node, ...]
    place: tuple[str, int]
    fields: tuple[template.Field, ...] = field(init=False)
    widths: tuple[int, ...] = field(init=False)  # of the columns that the fields go to
    expression: str = field(init=False)  # for Rust
    compiled: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(template.fields(self.nodes)))
        widths = (NO_COLUMN if entry.name == "command" else width_of(entry.name) for entry in self.fields)
        object.__setattr__(self, "widths", tuple(widths))
        body = template.expression(self.nodes)
        object.__setattr__(self, "expression", rf"(?s)^ *(?:{body}) *$")
        object.__setattr__(self, "compiled", re.compile(rf"(?s) *(?:{body}) *"))

    def captures(self, message: str) -> tuple[str | None, ...] | None:
        """The text of each field in order (None for one in a missing part), or None when the message is another's."""
        if MANY_BLANKS in message:
            return self._captures_in_linear_time(message)
        found = self.compiled.fullmatch(message)
        return None if found is None else found.groups()

    def _captures_in_linear_time(self, message: str) -> tuple[str | None, ...] | None:
        """The same by Rust: Python would try each of the blanks, and all blanks after each."""
        column = pl.Series("message", [message])
        if not column.str.contains(self.expression)[0]:
            return None
        return column.str.extract_groups(self.expression).struct.unnest().row(0) if self.fields else ()
