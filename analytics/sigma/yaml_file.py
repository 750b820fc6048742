"""A Sigma rule's YAML as strangers write it: bounded, without anchors, and each key with its line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from analytics.header import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MOST_BYTES, MOST_NODES, DEEPEST = 64 * 1024, 4000, 12
"""Real rules have some kilobytes, some hundred nodes, and are six deep."""

Keys = tuple[str, ...]
"""Where a value stands: ("detection", "selection", "user|contains"); an item of a list by its number."""


class RefusedError(Exception):
    """Why a rule cannot become a detector, each reason with its line."""

    def __init__(self, reasons: Sequence[Mistake]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(map(str, reasons)))


@dataclass(frozen=True, slots=True)
class Place:
    """The line of a key or an item, and its value where that is a single one."""

    line: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The text, and for each document the place of every key."""

    file: str
    text: str
    documents: tuple[Mapping[Keys, Place], ...]

    def refused(self, what: str, document: int = 0, keys: Keys = ()) -> RefusedError:
        """At the line of these keys, or of the nearest above them that has one."""
        return RefusedError([self.mistake(what, document, keys)])

    def mistake(self, what: str, document: int = 0, keys: Keys = ()) -> Mistake:
        places = self.documents[document] if document < len(self.documents) else {}
        above = (keys[:length] for length in range(len(keys), 0, -1))
        first = min((place.line for place in places.values()), default=1)
        return Mistake(self.file, next((places[one].line for one in above if one in places), first), what)


def read(path: Path) -> RuleFile:
    """The file, when it is small, plain YAML of maps. Raises RefusedError with one reason."""
    try:
        with path.open("rb") as file:
            octets = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RefusedError([Mistake(path.name, 1, f"cannot be read: {error.strerror}")]) from None
    if len(octets) > MOST_BYTES:
        raise RefusedError([Mistake(path.name, 1, f"is larger than {MOST_BYTES:,} bytes: no rule is")])
    try:
        text = octets.decode("utf-8")
        _bounded(path.name, text)
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except UnicodeDecodeError:
        raise RefusedError([Mistake(path.name, 1, "is not UTF-8")]) from None
    except yaml.YAMLError as error:
        raise RefusedError([_not_yaml(path.name, error)]) from None
    return RuleFile(path.name, text, tuple(_places(path.name, node) for node in nodes))


def _bounded(file: str, text: str) -> None:
    """Looked at event by event, before anything is built of it."""
    depth = count = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        count += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise RefusedError([Mistake(file, line, "anchors and aliases are not taken: write the value out")])
        if depth > DEEPEST or count > MOST_NODES:
            what = f"is deeper than {DEEPEST} levels" if depth > DEEPEST else f"has more than {MOST_NODES:,} values"
            raise RefusedError([Mistake(file, line, f"{what}: no rule does")])


def _not_yaml(file: str, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    return Mistake(file, mark.line + 1 if mark else 1, f"is not YAML: {' '.join(str(what).split())}")


def _places(file: str, node: Any) -> dict[Keys, Place]:  # noqa: ANN401  (a node of YAML, which has no types)
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1 if node else 1
        raise RefusedError([Mistake(file, line, "is no Sigma rule: a rule is a map with logsource and detection")])
    found: dict[Keys, Place] = {}
    for keys, place in _walk(node, ()):
        if keys in found:
            what = f"{keys[-1]} is there twice, first in line {found[keys].line}"
            raise RefusedError([Mistake(file, place.line, what)])
        found[keys] = place
    return found


def _walk(node: Any, above: Keys) -> Iterator[tuple[Keys, Place]]:  # noqa: ANN401
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(str(number), item, item) for number, item in enumerate(node.value)]
    else:
        return
    for key, begins, child in children:
        value = child.value if isinstance(child, yaml.ScalarNode) else ""
        yield (*above, key), Place(begins.start_mark.line + 1, value)
        yield from _walk(child, (*above, key))
