"""Ends of a command that are not success: one sentence for the user, and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class Failure(Exception):  # noqa: N818  (the word the user thinks in)
    """Something was found wrong, or could not be done: exit status 1."""

    status = 1


class Misuse(Failure):
    """Used wrongly: bad configuration, bad arguments, a refused statement: exit status 2."""

    status = 2


def sentence(error: ValidationError) -> str:
    """What a user gave that cannot be: each place with what is wrong there."""
    return "; ".join(map(_one, error.errors()))


def _one(item: Any) -> str:  # noqa: ANN401  (pydantic's ErrorDetails is a TypedDict with open ctx)
    place = ".".join(map(str, item["loc"]))
    return (f"{place}: " if place else "") + str(item["msg"]).removeprefix("Value error, ")
