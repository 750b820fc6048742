"""What a receiver said to one attempt."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.alerts.visible import visible

KEPT = 500
"""Characters of an answer that are kept; receivers may say anything, at any length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`accepted`: the receiver has taken charge of it.

    `refused` are the mail addresses that are still to be served (only some of them: the others have it).
    `reached` is False when the receiver could not be talked to at all: what else waits for it need not be tried.
    `wait` is what the receiver asked for, in seconds.
    """

    accepted: bool
    text: str
    refused: tuple[str, ...] = ()
    reached: bool = True
    wait: float = 0.0


def short(text: str) -> str:
    """At most 500 characters, none of them unseen."""
    line = visible(" ".join(text.split()), KEPT)
    return line if len(line) <= KEPT else line[: KEPT - 1] + "…"
