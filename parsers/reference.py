"""The reference engine: one line by pyparsing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from parsers import grammar, header_grammar, line

if TYPE_CHECKING:
    from datetime import datetime

    from parsers.header import Header
    from parsers.inventory import Inventory
    from parsers.pattern import Pattern
    from parsers.patterns import Patterns


class Grammar:
    """The engine of pyparsing."""

    def header(self, text: str, programs: frozenset[str]) -> Header:
        return header_grammar.read_header(text, programs)

    def captures(self, pattern: Pattern, message: str) -> tuple[str | None, ...] | None:
        return grammar.captures(pattern, message)

    def tail(self, text: str) -> list[str] | None:
        return grammar.tail(text)


def parse_line(  # noqa: PLR0913  # what a socket knows about a line
    raw: bytes,
    received_at: datetime,
    peer: str,
    patterns: Patterns,
    inventory: Inventory,
    *,
    trouble: str = "",
    peer_identity: str = "",
) -> dict[str, object]:
    """Every column of one line, as Parser.parse gives it; never raises."""
    received = line.Received(raw, received_at, peer, peer_identity, trouble)
    return line.parse(received, patterns, inventory, Grammar())
