"""What can be used of a configuration that is wrong elsewhere: `check` looks at that in the same round."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hsmtrail.config import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ROUNDS = 20
"""A table falls with the key that it cannot do without, so some rounds are needed; never as many as this."""

Place = tuple[Any, int | str]
"""A table or an array, and the key or the number in it."""


def usable(path: Path) -> tuple[Configuration, frozenset[str]] | None:
    """The configuration without what is wrong in it, and the names of the tables and keys that are not whole; None
    for a file that is no TOML at all.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    broken: set[str] = set()
    for _ in range(ROUNDS):
        try:
            return Configuration.model_validate({**document, "path": path}), frozenset(broken)
        except ValidationError as error:
            locations = [item["loc"] for item in error.errors()]
        broken |= {str(location[0]) for location in locations}
        _drop(_place(document, location) for location in locations)
        document.setdefault("data_dir", "data")
    return None


def _place(document: dict[str, Any], location: Iterable[int | str]) -> Place | None:
    """The innermost thing at a location that is there: of a key that is missing the table that lacks it."""
    node: Any = document
    place: Place | None = None
    for part in location:
        there = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if not there:
            break
        place, node = (node, part), node[part]
    return place


def _drop(places: Iterable[Place | None]) -> None:
    """From the end of each array, so that the numbers before it still hold."""
    found = {(id(place[0]), place[1]): place for place in places if place is not None}
    for holder, part in sorted(found.values(), key=lambda place: place[1] if isinstance(place[1], int) else 0)[::-1]:
        del holder[part]
