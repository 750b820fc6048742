"""The grammar in pyparsing: the readable reference of what the faster engines do.

Templates are translated node by node; headers are in header_grammar.py. It reads hundreds of lines a second, not
hundreds of thousands, so it serves to prove the others.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import pyparsing as pp

from parsers import record, template

if TYPE_CHECKING:
    from parsers.patterns import Pattern

Element = TypeVar("Element", bound=pp.ParserElement)


def exact(element: Element) -> Element:
    """Blanks are part of the text here: nothing is skipped."""
    element.leave_whitespace(recursive=False)
    return element


def matching(expression: str) -> pp.Regex:
    return exact(pp.Regex(rf"(?s:{expression})"))


def text(literal: str) -> pp.ParserElement:
    return exact(pp.Literal(literal)).suppress()


def sequence(*elements: pp.ParserElement) -> pp.ParserElement:
    return exact(pp.And([exact(element) for element in elements]))


def either(*elements: pp.ParserElement) -> pp.ParserElement:
    return exact(pp.MatchFirst([exact(element) for element in elements]))


class Stretch(pp.Token):
    """Free text up to the first place (or the last one) from which the rest of the grammar fits."""

    def __init__(self, start: str, rest: pp.ParserElement, *, longest: bool) -> None:
        super().__init__()
        self.start = matching(start)
        self.rest = rest
        self.longest = longest
        exact(self)

    def _generateDefaultName(self) -> str:  # noqa: N802  (pyparsing's name)
        return "text"

    def parseImpl(self, instring: str, loc: int, do_actions: bool = True) -> tuple[int, list[str]]:  # noqa: FBT001, FBT002, N802, ARG002  (pyparsing's signature)
        if not self.start.can_parse_next(instring, loc):
            raise pp.ParseException(instring, loc, "expected text", self)
        ends = range(loc + 1, len(instring) + 1)
        for end in reversed(ends) if self.longest else ends:
            if self.rest.can_parse_next(instring, end):
                return end, [instring[loc:end]]
        raise pp.ParseException(instring, len(instring), "what must follow the text is missing", self)


blanks = matching(" +").suppress()
any_blanks = matching(" *").suppress()
END_OF_TEXT = exact(pp.StringEnd())
to_the_end = sequence(any_blanks, END_OF_TEXT)


def body(nodes: tuple[template.Node, ...], rest: pp.ParserElement = to_the_end) -> pp.ParserElement:
    """The grammar of a template and of what follows it."""
    for node in reversed(nodes):
        rest = _followed(node, rest)
    return rest


def _followed(node: template.Node, rest: pp.ParserElement) -> pp.ParserElement:
    match node:
        case template.Blanks():
            return sequence(blanks, rest)
        case template.Literal(literal):
            return sequence(text(literal), rest)
        case template.Optional(nodes):
            return either(body(nodes, rest), rest)
        case template.Field(name, kind) if kind in template.STRETCHES:
            start = "[^ ,]" if kind == "tail" else "[^ ]"
            return sequence(Stretch(start, rest, longest=kind == "longest")(name), rest)
        case template.Field(name):
            return sequence(matching(node.expression)(name), rest)


@lru_cache(maxsize=1024)
def _grammar(nodes: tuple[template.Node, ...]) -> pp.ParserElement:
    return sequence(any_blanks, body(nodes)).parse_with_tabs()


def captures(pattern: Pattern, message: str) -> tuple[str | None, ...] | None:
    """The text of each field in order (None for one in a missing part), or None when the message is another's."""
    try:
        found = _grammar(pattern.nodes).parse_string(message)
    except pp.ParseException:
        return None
    said = found.as_dict()
    return tuple(said.get(entry.name) for entry in pattern.fields)


# ---------- the end of an audit record: container=20 (using PIN (entry=LUNA_ENTRY_DATA_AREA)) ----------

word = matching(r"[^ ()]+")


def _pieces(deepest: int) -> pp.ParserElement:
    piece: pp.ParserElement = word
    for _ in range(deepest):
        inside = exact(pp.ZeroOrMore(sequence(piece, any_blanks)))
        piece = either(word, sequence(text("("), any_blanks, inside, text(")")))
    return sequence(any_blanks, exact(pp.ZeroOrMore(sequence(piece, any_blanks))), END_OF_TEXT).parse_with_tabs()


tail_pieces = _pieces(record.DEEPEST)


def tail(tail_text: str) -> list[str] | None:
    """The words and pairs, brackets gone; None when the brackets do not match."""
    try:
        return list(tail_pieces.parse_string(tail_text))
    except pp.ParseException:
        return None
