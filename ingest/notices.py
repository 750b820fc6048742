"""Warnings that may come a thousand times a second, and are said once a minute."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

PAUSE = 60.0
MOST = 200
"""So many different things are told apart; with more, what each is about is not."""


class Notices:
    """For each event and place: the first is logged at once, later ones are counted for the next line."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str, str], tuple[float, int]] = {}

    def warn(self, event: str, place: str, about: str = "", **facts: object) -> None:
        """Once a minute for each event and place, and for each that it is `about` while these are not too many."""
        now = self._clock()
        with self._lock:
            key = (event, place, about if self._has_room(now) else "")
            said, unsaid = self._said.get(key, (now - PAUSE, 0))
            due = now - said >= PAUSE
            self._said[key] = (now, 0) if due else (said, unsaid + 1)
        if due:
            more = {"not_logged_before": unsaid} if unsaid else {}
            self._log.warning(event, extra={"facts": {"place": place, **facts, **more}})

    def _has_room(self, now: float) -> bool:
        if len(self._said) >= MOST:
            self._said = {key: told for key, told in self._said.items() if now - told[0] < PAUSE}
        return len(self._said) < MOST
