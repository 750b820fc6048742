"""Proves patterns by their own examples."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from parsers.as_json import json_record
from parsers.inventory import Inventory
from parsers.line import Expressions, Received, parse
from parsers.pattern import Mistake
from parsers.patterns import ANY_PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parsers.pattern import Example, Pattern
    from parsers.patterns import Patterns

_RECEIVED_AT = datetime(2026, 11, 23, 8, 15, 1)


def failures(pattern: Pattern, patterns: Patterns) -> Iterator[Mistake]:
    """Each way in which a pattern's examples do not give what they promise."""
    for example in pattern.examples:
        for what in _wrong(pattern, example, patterns):
            yield Mistake(*pattern.place, pattern.name, f"{what} in the example {example.message!r}")


def _wrong(pattern: Pattern, example: Example, patterns: Patterns) -> Iterator[str]:
    line = f"<174>Nov 23 08:15:01 luna {_program(pattern, patterns)}[1234]: {example.message}"
    row = parse(Received(line.encode(), _RECEIVED_AT), patterns, Inventory(), Expressions())
    given = json_record(row)
    if given.get("pattern") != pattern.name:
        yield f"it is read by {given.get('pattern', 'no pattern')}"
        return
    for name, wanted in example.fields.items():
        if given.get(name, "") != wanted:
            yield f"{name} is {given.get(name)!r}, not {wanted!r},"


def _program(pattern: Pattern, patterns: Patterns) -> str:
    """A program that this pattern reads; the first that its file names."""
    named = (program for program, known in patterns.by_program.items() if pattern in known)
    return next((program for program in named if program != ANY_PROGRAM), "luna")
