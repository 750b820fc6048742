"""What waits for the spool: bounded in bytes, so that a slow disk slows the senders and not the machine."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.portions import Portion


LOOK = 0.01
"""Seconds between two looks of somebody who waits for room."""


class Pending:
    """Between the listeners' threads and the spool's; `blocked` says why nothing can be spooled now, or ''.

    Who waits for room gets it in the order of coming. `reserve` bytes are kept for what must not wait.
    """

    def __init__(self, most_bytes: int, reserve: int = 4 << 20) -> None:
        self.blocked = ""
        self._most, self._reserve = most_bytes, reserve
        self._portions: deque[tuple[float, Portion]] = deque()
        self._queue: deque[object] = deque()  # of those that wait for room
        self._bytes = 0  # waiting or being written
        self._waiting = 0
        self._target = 0
        self._stopping = self._closed = False
        self._changed = threading.Condition()

    def put(self, portion: Portion, *, patient: bool = True, unless: Callable[[], bool] = bool) -> bool:
        """Wait for room, and be taken. False: not taken.

        The spool is blocked and the caller would not wait for it, or `unless`, asked while waiting, was true.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or not self._has_room(portion.size, self._most):
                    if (self.blocked and (self._stopping or not patient)) or unless():
                        return False
                    self._changed.wait(LOOK)
                self._add(portion)
            finally:
                self._queue.remove(ticket)
                if self._queue:
                    self._changed.notify_all()
        return True

    def put_at_once(self, portion: Portion) -> bool:
        """Be taken before those that wait, into the reserve too; False when that is used up."""
        with self._changed:
            if self.blocked or not self._has_room(portion.size, self._most + self._reserve):
                return False
            self._add(portion)
        return True

    def _has_room(self, size: int, most: int) -> bool:
        return not self._bytes or self._bytes + size <= most

    def _add(self, portion: Portion) -> None:
        self._portions.append((time.monotonic(), portion))
        self._bytes += portion.size
        self._waiting += portion.size
        if len(self._portions) == 1 or self._waiting >= self._target:
            self._changed.notify_all()

    def take(self, least_bytes: int, seconds: float, rest: float | None = None) -> list[Portion] | None:
        """What came together: `least_bytes`, or all when the oldest is `seconds` old.

        Empty when nothing came for `rest` seconds; None when all is over.
        """
        with self._changed:
            self._target = least_bytes
            if not self._changed.wait_for(lambda: bool(self._portions) or self._closed, rest):
                return []
            while self._portions and self._waiting < least_bytes and not self._closed:
                left = self._portions[0][0] + seconds - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._next(least_bytes) or None

    def _next(self, least_bytes: int) -> list[Portion]:
        taken: list[Portion] = []
        size = 0
        while self._portions and size < least_bytes:
            portion = self._portions.popleft()[1]
            taken.append(portion)
            size += portion.size
        self._waiting -= size
        return taken

    def done(self, size: int) -> None:
        """So many bytes are spooled or refused: there is room again."""
        with self._changed:
            self._bytes -= size
            self._changed.notify_all()

    def stop_waiting(self) -> None:
        """Nobody waits for a blocked spool any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
