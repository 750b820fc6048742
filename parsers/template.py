"""The little language that patterns are written in, and what a template means.

    S/N {hsm_serial:digits} session {session:number}      literal text and typed fields
    [?{actor:text} ?]operation                            a part that may be missing
    {state:Started|Stopped}                               one of these words

A blank stands for one or more blanks; `{{` is a brace. Templates become regular expressions here, and a pyparsing
grammar in grammar.py; template_checks.py keeps them to templates that both read alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"

KINDS: dict[str, str] = {
    "word": r"[^ ]+",  # anything without a blank
    "name": r"[A-Za-z0-9_.@$+-]+",  # an account, a host
    "address": r"[0-9A-Za-z_.:%-]+",  # an IP address or a host's name
    "number": r"[0-9]{1,20}",
    "plain": r"0|[1-9][0-9]{0,17}",  # a number as JSON writes it
    "digits": r"[0-9]{1,40}",  # a number that is a name: kept as text
    "decimal": r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?",
    "hex": r"[0-9A-Fa-f]+",
    "hex64": r"[0-9A-Fa-f]{64}",
    "block": r"[0-9A-Fa-f]{40,}",
    "code": r"0[xX][0-9A-Fa-f]{1,8}|[0-9]{0,7}[A-F][0-9A-F]{0,7}|[0-9]{1,10}",  # consoles print A00000
    "level": r"[A-Za-z]{3,8}",
    "constant": r"[A-Z][A-Z0-9_]*",
    "event": r"LUNA_[A-Z0-9_]+",
    "quoted": r'[^"]*',
    "before_caret": r"[^^]+",
    "word_or_none": r"[^ ]*",
    "unit": r"[^ ()]+",
    "node": r"[a-z0-9_-]+",
    "alarm": r"ALM[0-9]{4}",
    "clock": r"[0-9:]{5,8}",
    "signed": r"[+-]?[0-9.]{1,20}",
    "number_list": r"[0-9]{1,6}(?:,[0-9]{1,6})*",
    "dashes": r"-+",
    "account": r"[^ \"']+",  # who typed a command: never the end of something quoted
    "origin": r"[^ /\"']+(?:/[0-9]{1,5})?",  # Console, or address/port
    "peer": r"[^ /]+/[0-9]{1,5}",  # address/port
    "stamp": rf"[0-9]{{2}}/[0-9]{{2}}/[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}"
    rf"|[0-9]{{4}} (?:{MONTHS}) {{1,2}}[0-9]{{1,2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}",
    "object": r"\{.*\}",  # of JSON
    "text": r"[^ ].*?",  # the shortest stretch after which the rest fits
    "tail": r"[^ ,].*?",  # the same, of a record whose next field begins with a comma
    "longest": r"[^ ].*",  # the longest one: what follows is what the program wrote last
}
STRETCHES = ("text", "tail", "longest")

_TOKEN = re.compile(
    r"(?P<open>\[\?)|(?P<close>\?\])|(?P<brace>\{\{|\}\})|\{(?P<name>[a-z_0-9]+)(?::(?P<kind>[^{}]+))?\}|(?P<blanks> +)"
)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$#&~-])")


@dataclass(frozen=True, slots=True)
class Blanks:
    """One or more blanks."""


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str

    @property
    def expression(self) -> str:
        """The regular expression of one value; of a stretch, without regard to what follows."""
        if "|" in self.kind:
            return "|".join(escaped(word) for word in sorted(self.kind.split("|"), key=len, reverse=True))
        return KINDS[self.kind]


@dataclass(frozen=True, slots=True)
class Optional:
    nodes: tuple[Node, ...]


Node = Blanks | Literal | Field | Optional


class TemplateError(ValueError):
    """A template that cannot be read; the message says what and where."""


def escaped(text: str) -> str:
    """As both regular expression engines read it literally."""
    return _SPECIAL.sub(r"\\\1", text)


def read(template: str) -> tuple[Node, ...]:
    """The nodes of a template. Raises TemplateError."""
    levels: list[list[Node]] = [[]]
    place = 0
    for token in _TOKEN.finditer(template):
        _literal(levels[-1], template[place : token.start()], place)
        place = token.end()
        _take(token, levels)
    _literal(levels[-1], template[place:], place)
    if len(levels) != 1:
        raise TemplateError("a part that begins with [? has no ?]")
    return tuple(levels[0])


def _take(token: re.Match[str], levels: list[list[Node]]) -> None:
    if token["open"]:
        levels.append([])
    elif token["close"]:
        if len(levels) == 1:
            raise TemplateError(f"column {token.start() + 1}: ?] closes nothing")
        part = tuple(levels.pop())
        levels[-1].append(Optional(part))
    elif token["brace"]:
        _literal(levels[-1], "", 0, token["brace"][0])
    elif token["blanks"]:
        levels[-1].append(Blanks())
    else:
        levels[-1].append(_field(token))


def _field(token: re.Match[str]) -> Field:
    kind = token["kind"] or "word"
    if "|" not in kind and kind not in KINDS:
        raise TemplateError(f"column {token.start() + 1}: no such kind: {kind} ({', '.join(KINDS)})")
    return Field(token["name"], kind)


def _literal(nodes: list[Node], text: str, place: int, brace: str = "") -> None:
    if not brace and ("{" in text or "}" in text):
        raise TemplateError(f"column {place + 1}: a brace that is neither a field nor doubled in {text!r}")
    text = brace or text
    if text and nodes and isinstance(nodes[-1], Literal):
        nodes[-1] = Literal(nodes[-1].text + text)
    elif text:
        nodes.append(Literal(text))


def fields(nodes: tuple[Node, ...]) -> list[Field]:
    """All fields in the order of their groups."""
    found: list[Field] = []
    for node in nodes:
        if isinstance(node, Field):
            found.append(node)
        elif isinstance(node, Optional):
            found.extend(fields(node.nodes))
    return found


def expression(nodes: tuple[Node, ...]) -> str:
    """One group per field, in order; for Python's `fullmatch` and for Rust between ^ and $, with (?s)."""
    return "".join(_expression(node) for node in nodes)


def _expression(node: Node) -> str:
    match node:
        case Blanks():
            return " +"
        case Literal(text):
            return escaped(text)
        case Field():
            return f"({node.expression})"
        case Optional(nodes):
            return f"(?:{expression(nodes)})?"


def leading(nodes: tuple[Node, ...]) -> str:
    """The literal that every line of this template begins with, '' when it begins with something else."""
    first = nodes[0] if nodes else None
    return first.text if isinstance(first, Literal) else ""
