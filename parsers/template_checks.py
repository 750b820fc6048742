"""Where a template leaves it open how far a field reaches, so that two engines could read it differently."""

from __future__ import annotations

import re

from parsers.template import STRETCHES, Blanks, Field, Literal, Node, Optional, fields


def mistakes(nodes: tuple[Node, ...]) -> list[str]:
    """Where a template leaves it open how far a field reaches: the two engines would not agree."""
    found: list[str] = []
    _walk(nodes, (), found)
    names = [field.name for field in fields(nodes)]
    found.extend(f"{{{name}}} stands twice" for name in sorted({name for name in names if names.count(name) > 1}))
    return found


def _walk(nodes: tuple[Node, ...], after: tuple[Node, ...], found: list[str]) -> None:
    for index, node in enumerate(nodes):
        rest = (*nodes[index + 1 :], *after)
        if isinstance(node, Optional):
            _walk(node.nodes if node.nodes != (Blanks(),) else (), rest, found)
        elif isinstance(node, Field) and node.kind not in STRETCHES:
            _check_end(node, rest, found)
        elif isinstance(node, Blanks) and any(isinstance(first, Blanks) for first in _firsts(rest)):
            found.append("blanks follow blanks")


def _firsts(nodes: tuple[Node, ...]) -> list[Node]:
    """The nodes that can come first."""
    found: list[Node] = []
    for index, node in enumerate(nodes):
        if not isinstance(node, Optional):
            return [*found, node]
        found.extend(_firsts((*node.nodes, *nodes[index + 1 :])))
    return found


def _check_end(field: Field, rest: tuple[Node, ...], found: list[str]) -> None:
    for first in _firsts(rest):
        if isinstance(first, Field):
            found.append(f"{{{field.name}}} and {{{first.name}}} touch")
        elif isinstance(first, Literal) and _can_hold(field, first.text[0]):
            found.append(f"{{{field.name}:{field.kind}}} can swallow the {first.text[0]!r} that follows it")


_SAMPLES = {
    "code": "1",
    "plain": "1",
    "event": "LUNA_A",
    "constant": "A",
    "level": "abc",
    "block": "0" * 40,
    "peer": "h/1",
    "clock": "00:00",
    "dashes": "-",
}
_FIXED = ("stamp", "hex64", "alarm")


def _can_hold(field: Field, character: str) -> bool:
    """Whether a value could go on with a character, alone or before a digit; fixed forms cannot, whatever it is."""
    if "|" in field.kind or field.kind in _FIXED:
        return False
    longer = _SAMPLES.get(field.kind, "0") + character
    return any(re.fullmatch(field.expression, value) for value in (longer, longer + "1"))
