"""How lines come here: a little late, overtaking one another, some twice, some by a relay that may keep them for a while."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from support.ordinary.site import NAMED, RELAY, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.ordinary.wire import Line

QUEUED = (moment("fri 02:00"), moment("fri 02:04"))
"""So long the relay reaches nobody; then all that it kept comes at once."""

TWICE = 0.003
"""The share of audit records that a network repeats."""

Arrival = tuple[datetime, "Line", str]
"""When it is received, what, and from which peer."""


def arriving(lines: list[Line]) -> list[Arrival]:
    """In the order of their arrival."""
    chance = random.Random("ways")
    found = [one for line in lines for one in _ways(line, chance)]
    return sorted(found, key=lambda one: one[0])


def _ways(line: Line, chance: random.Random) -> Iterator[Arrival]:
    device = NAMED[line.device]
    if line.peer != device.address:  # whoever that is
        yield line.at, line, line.peer
        return
    if device.relayed != "only":
        yield line.at + timedelta(seconds=chance.uniform(0.02, 1.5)), line, line.peer
    if device.relayed:
        kept = QUEUED[1] if QUEUED[0] <= line.at < QUEUED[1] else line.at
        yield kept + timedelta(seconds=chance.uniform(0.5, 4)), line, RELAY
    if line.transport == "udp" and b" operation LUNA_" in line.raw and chance.random() < TWICE:
        yield line.at + timedelta(seconds=2), line, line.peer
