"""Answers that are kept: many of short texts, few of long ones, of which anybody may send as many as fill memory."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 500
"""Characters. An HSM's own words, commands and names are shorter; a line may have 65,536."""

LONG_ONES = 4
"""A line asks the same more than once: what its command means, and how it may be shown."""


def remembered(most: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Like lru_cache; the answers are shared, so they are not to be changed."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        known, latest = lru_cache(maxsize=most)(function), lru_cache(maxsize=LONG_ONES)(function)

        @wraps(function)
        def ask(*given: P.args, **named: P.kwargs) -> R:
            for word in given:
                if type(word) is str and len(word) > LONGEST:
                    return latest(*given, **named)  # type: ignore[arg-type]  # as below
            return known(*given, **named)  # type: ignore[arg-type]  # lru_cache wants hashable arguments, and has them

        return ask

    return decorate
