"""Why a line is read as it is: the pattern that knows it, or how far the best one came and what it wanted there."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parsers import line, template
from parsers.decoding import text_of, unframed
from parsers.patterns import plain_name

if TYPE_CHECKING:
    from parsers.pattern import Pattern
    from parsers.patterns import Patterns

LONGEST = 2000
"""Characters of a message that are compared with templates."""

END = "the end of the message"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`pattern` knows the message, or came furthest (`known` is false); column and wanted say where it stopped."""

    program: str
    message: str
    known: bool
    pattern: str = ""
    version: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """How many letters and parts of a template a message has, up to where, and what is missing there."""

    words: int
    parts: int
    end: int
    wanted: str


NOWHERE = Reached(0, 0, 0, END)


def explain(raw: bytes, patterns: Patterns) -> Explanation:
    """Of one line as a socket would have brought it. Secrets of commands are masked in what is given back."""
    engine = line.Expressions()
    head = engine.header(text_of(unframed(raw)), patterns.programs)
    body = line.read_body(head, patterns, engine)
    shown = line.mask_command(head.message) if line.holds_command(head, text_of(raw)) else head.message
    if body is not None:
        return _of(body.pattern, head.program, shown, known=True)
    reached = [(_reached(pattern, head.message[:LONGEST]), pattern) for pattern in patterns.candidates(head.program)]
    best, pattern = max(reached, key=lambda one: (one[0].words, one[0].parts), default=(NOWHERE, None))
    if pattern is None or not best.words:
        claimed = plain_name(head.program) in patterns.families
        wanted = "a pattern: none begins like it" if claimed else f"a file of patterns for the program {head.program!r}"
        return Explanation(head.program, shown, known=False, wanted=wanted)
    return _of(pattern, head.program, shown, known=False, column=best.end + 1, wanted=best.wanted)


def _of(  # noqa: PLR0913  (an explanation's own fields)
    pattern: Pattern, program: str, message: str, *, known: bool, column: int = 0, wanted: str = ""
) -> Explanation:
    file, place = pattern.place
    return Explanation(program, message, known, pattern.name, pattern.version, file, place, column, wanted)


def _reached(pattern: Pattern, message: str) -> Reached:
    """By the longest row of the template's first nodes that a beginning of the message fits."""
    nodes = pattern.nodes
    for count in range(len(nodes), 0, -1):
        end = _end(nodes[:count], message)
        if end is not None:
            following = next((node for node in nodes[count:] if not isinstance(node, template.Optional)), None)
            return _stopped(nodes[:count], following, message, end)
    return NOWHERE


def _end(nodes: tuple[template.Node, ...], message: str) -> int | None:
    found = re.match(rf"(?s) *(?:{template.expression(nodes)})", message)
    return None if found is None else found.end()


def _stopped(matched: tuple[template.Node, ...], following: template.Node | None, message: str, end: int) -> Reached:
    words, parts = sum(len(node.text) for node in matched if isinstance(node, template.Literal)), len(matched)
    if following is None:
        return Reached(words, parts, end, END if message[end:].strip(" ") else "a number that fits its column")
    stretch = next((place for place in (-1, -2) if _is_stretch(matched, place)), 0)
    if stretch:  # it could end anywhere: what is missing is missing in all that follows its beginning
        return Reached(words, parts, _end(matched[:stretch], message) or 0, f"{_said(following)} somewhere after it")
    if isinstance(following, template.Literal):
        pairs = zip(following.text, message[end:], strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return Reached(words + common, parts, end + common, _said(following))
    return Reached(words, parts, end, _said(following))


def _is_stretch(nodes: tuple[template.Node, ...], place: int) -> bool:
    """Free text, or free text and the blanks behind it."""
    node = nodes[place] if len(nodes) >= -place else None
    behind = nodes[place + 1 :] if place < -1 else ()
    return (
        isinstance(node, template.Field)
        and node.kind in template.STRETCHES
        and all(isinstance(one, template.Blanks) for one in behind)
    )


def _said(node: template.Node) -> str:
    match node:
        case template.Literal(text):
            return repr(text)
        case template.Field(name, kind):
            return f"{{{name}:{kind}}}"
    return "a blank"
