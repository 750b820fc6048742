"""What `hsmtrail demo` prints: short, and safe to print whatever the samples hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hsmtrail.log import shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from hsmtrail.demo_receivers import Call, Mail
    from hsmtrail.demo_verdict import Told, Verdict


class Screen:
    """Prints as the demo goes on."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def started(self, monday: date, lines: int) -> None:
        year, week, _ = monday.isocalendar()
        self._say(f"Sending {lines:,} messages of three HSMs as week {year}-W{week:02}, over UDP and TCP on loopback.")

    def stored(self, status: dict[str, Any]) -> None:
        listeners, service = status["receiver"]["listeners"], status["service"]
        received = ", ".join(f"{item['received']:,} by {item['protocol'].upper()}" for item in listeners)
        lost = sum(item["kernel_dropped"] + sum(item["refused"].values()) for item in listeners)
        self._say(
            f"Received {received}; {lost} lost; {service['records']:,} stored, {service['unknown']:,} not understood."
        )

    def deliveries(self, mails: Sequence[Mail], calls: Sequence[Call]) -> None:
        good = sum(call.verified for call in calls)
        self._say(f"Alerts came: {len(mails)} mails, {len(calls)} webhook calls ({good} with a good signature).")
        if mails:
            self._say(f"  first mail: {mails[0].subject}")

    def verdict(self, result: Verdict) -> None:
        table = Table(show_edge=False, pad_edge=False)
        for heading in ("", "story", "what happened", "found"):
            table.add_column(heading, overflow="fold", no_wrap=heading in {"", "story", "found"})
        for told in result.told:
            table.add_row(*(Text("\n".join(map(shown, lines))) for lines in _cells(told)))
        self._console.print(table)
        for item in result.unexplained:
            self._say(f"NOT EXPLAINED by any story: {item.detector} {item.severity}: {item.subject}, {item.first_seen}")
        nothing_else = "; nothing else is above low" if not result.unexplained else ""
        self._say(f"{len(result.detectors)} detectors found what the stories hold{nothing_else}.")

    def places(self, pack: Path, configuration: Path | None) -> None:
        self._say(f"Review pack: {pack}")
        if configuration:
            self._say(f'Look around: hsmtrail findings list --config "{configuration}"')

    def _say(self, text: str) -> None:
        self._console.print(Text(shown(text)), soft_wrap=True)


def _cells(told: Told) -> tuple[list[str], ...]:
    """The lines of each cell of a story's row."""
    found = sorted({f"{item.detector} {item.severity}" for item in told.found})
    missing = [f"MISSING {wanted.detector} {wanted.severity}" for wanted in told.missing]
    said = [*missing, *found] or ["nothing, as it should be"]
    return ["✗" if missing else "✓"], [told.story.name], [told.story.tells], said
