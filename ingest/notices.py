"""Warnings that may come a thousand times a second, and are said once a minute."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

PAUSE = 60.0


class Notices:
    """For each event and place: the first is logged at once, later ones are counted for the next line."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def warn(self, event: str, place: str, **facts: object) -> None:
        now = self._clock()
        with self._lock:
            said, unsaid = self._said.get((event, place), (now - PAUSE, 0))
            due = now - said >= PAUSE
            self._said[event, place] = (now, 0) if due else (said, unsaid + 1)
        if due:
            more = {"not_logged_before": unsaid} if unsaid else {}
            self._log.warning(event, extra={"facts": {"place": place, **facts, **more}})
