"""The live detectors: after each commit, at most once a second, in a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.duty import Duty

log = logging.getLogger("hsmtrail.judge")

BREATH = 1.0
"""Seconds from the start of one judgement to the next, at least."""

FLOOD, REST, LONGEST_REST = 0.5, 4.0, 5.0
"""A judgement that takes longer than so many seconds, since a flood is arriving, rests four times as long: the flood is
stored sooner. At most so many seconds: a wrong password must reach a person within a minute. What is urgent ends a rest
that has lasted as long as the judgement before it: half of the time at most is spent on judging then."""

LONGEST_HOLD, LOOK = 5.0, 0.1
"""While more waits than can be stored at once the next judgement is held up, at most so many seconds: one judgement of
a backlog that is stored costs less than several of its parts. So often it is looked whether it still does."""


def rest_after(took: float, breath: float = BREATH) -> float:
    """Seconds of rest after a judgement that took so many."""
    return breath - took if took <= min(FLOOD, breath) else min(took * REST, LONGEST_REST)


class News:
    """Whether there is something that was not judged yet, and whether it bears no delay: a wrong secret."""

    def __init__(self) -> None:
        self.arrived, self.urgent = threading.Event(), threading.Event()

    def tell(self, urgent: int = 0) -> None:
        if urgent:
            self.urgent.set()
        self.arrived.set()

    def heard(self) -> None:
        self.urgent.clear()
        self.arrived.clear()


class Judge:
    """Whoever tells the news says that there is something new; the thread judges what was not judged yet."""

    def __init__(  # noqa: PLR0913  (what it waits for, and whom it tells)
        self,
        duty: Duty,
        news: News,
        on_judged: Callable[[], object],
        *,
        breath: float = BREATH,
        clock: Callable[[], float] = time.monotonic,
        flooded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`flooded`: whether more waits than can be stored at once."""
        self._duty, self._news, self._on_judged, self._breath = duty, news, on_judged, breath
        self._clock, self._flooded = clock, flooded
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)

    def start(self) -> None:
        self._news.tell()  # what came while nobody judged
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._news.tell(urgent=1)
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._news.arrived.wait()
            self._hold()
            self._news.heard()
            if self._stopping.is_set():
                return
            began = self._clock()
            self._judge()
            self._rest(self._clock() - began)

    def _hold(self) -> None:
        until = time.monotonic() + LONGEST_HOLD
        while self._flooded() and time.monotonic() < until and not self._news.urgent.wait(LOOK):
            pass

    def _rest(self, took: float) -> None:
        rest = rest_after(took, self._breath)
        least = min(took, rest)
        if not self._stopping.wait(least):
            self._news.urgent.wait(rest - least)

    def _judge(self) -> None:
        try:
            self._duty.judge_arrivals()
        except Exception:  # one bad judgement must not end all that follow; runs and this line keep it
            log.exception("judging_failed")
        self._on_judged()
