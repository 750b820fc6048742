"""Answers that are kept: of short texts alone. Thousands of long ones, which anybody may send, would fill memory."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 500
"""Characters. An HSM's own words, commands and names are shorter; a line may have 65,536."""


def remembered(most: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Like lru_cache; the answers are shared, so they are not to be changed."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        known = lru_cache(maxsize=most)(function)

        @wraps(function)
        def ask(*given: P.args, **named: P.kwargs) -> R:
            for word in given:
                if type(word) is str and len(word) > LONGEST:
                    return function(*given, **named)
            return known(*given, **named)  # type: ignore[arg-type]  # lru_cache wants hashable arguments, and has them

        return ask

    return decorate
