"""Sends what waits in the outbox until it is accepted: at least once, and known as one when it comes twice.

A row is marked delivered right after the receiver has accepted it. The receiver can see a message twice only when
we end between the two, or when its acceptance does not reach us (the connection breaks, or our time is up, after
the last byte): Message-ID and webhook-id are then the same as before, and the receiver can drop the repeat.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from analytics.alerts.answer import Answer, short
from analytics.alerts.enqueue import enqueue, enqueue_pack, enqueue_test
from analytics.alerts.letter import CannotBeMade
from analytics.alerts.mail import send_mail
from analytics.alerts.message import as_text, from_text
from analytics.alerts.sinks import EmailSink
from analytics.alerts.webhook import post
from store import outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from analytics.alerts.message import Message
    from analytics.alerts.sinks import Sink
    from store.database import Database
    from store.outbox import Waiting

__all__ = ["Limits", "Outbox", "delay", "enqueue", "enqueue_pack", "enqueue_test"]

log = logging.getLogger("hsmtrail.alerts")

FIRST_DELAY = 2.0
LONGEST_DELAY = 900.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of sending: sinks at a time, seconds for one mail and one call, seconds between looks at the clock."""

    sinks_at_once: int = 8
    mail_seconds: float = 30.0
    webhook_seconds: float = 15.0
    look_every: float = 30.0
    after_trouble: float = 5.0


@dataclass(frozen=True, slots=True)
class _Result:
    """One answer that is not yet written down."""

    answer: Answer
    message: Message | None
    at: datetime


def delay(row: int, attempts: int) -> timedelta:
    """2 s, 4 s, 8 s … 15 min, each up to a fifth shorter so that rows spread; the same for the same row and attempt."""
    longest = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    share = int.from_bytes(hashlib.sha256(f"{row}:{attempts}".encode()).digest()[:4], "big") / 2**32
    return timedelta(seconds=longest * (1 - 0.2 * share))


class Outbox:
    """One lane for each sink: within a lane the most severe first, one at a time; a slow sink holds up no other."""

    def __init__(
        self, db: Database, sinks: Sequence[Sink], now: Callable[[], datetime], limits: Limits | None = None
    ) -> None:
        self._db, self._now = db, now
        self._limits = limits or Limits()
        self._sinks = {sink.name: sink for sink in sinks}
        self._turns = asyncio.Semaphore(self._limits.sinks_at_once)
        self._busy: dict[str, asyncio.Lock] = {}
        self._unwritten: dict[int, _Result] = {}

    async def deliver_due(self) -> int:
        """Try everything that is due; gives how many rows were accepted."""
        names = await asyncio.to_thread(self._due_sinks)
        never = asyncio.Event()
        return sum(await asyncio.gather(*(self._lane(name, never) for name in names)))

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Until `stop`; `wake` says that something new may wait. What is being sent at the end is ended first."""
        lanes: dict[str, asyncio.Task[None]] = {}
        while not stop.is_set():
            wake.clear()
            pause = await self._start(lanes, stop, wake)
            await _first_of(stop, wake, pause)
        if lanes:
            await asyncio.wait(lanes.values())

    async def _start(self, lanes: dict[str, asyncio.Task[None]], stop: asyncio.Event, wake: asyncio.Event) -> float:
        """Start a lane for every sink that has something due; gives the seconds to the next look."""
        try:
            for name in await asyncio.to_thread(self._due_sinks):
                if name not in lanes:
                    lanes[name] = asyncio.create_task(self._guarded(name, stop))
                    lanes[name].add_done_callback(partial(_ended, lanes, name, wake))
            return await asyncio.to_thread(self._pause, set(lanes))
        except Exception:  # the store may come back; what waits in it is safe
            log.exception("outbox_not_read")
            return self._limits.after_trouble

    async def _guarded(self, name: str, stop: asyncio.Event) -> None:
        try:
            await self._lane(name, stop)
        except Exception:  # one lane's trouble is not the others'
            log.exception("lane_failed", extra={"facts": {"sink": name}})
            await _first_of(stop, stop, self._limits.after_trouble)

    async def _lane(self, name: str, stop: asyncio.Event) -> int:
        """Everything that is due for one sink, row by row; gives how many were accepted."""
        accepted = 0
        async with self._busy.setdefault(name, asyncio.Lock()):
            while not stop.is_set() and (row := await asyncio.to_thread(self._next, name)) is not None:
                result = self._unwritten.get(row.id) or await self._try(row)
                self._unwritten[row.id] = result  # when it cannot be written now, it is not sent again for that
                await asyncio.to_thread(self._write_down, row, result)
                del self._unwritten[row.id]
                accepted += result.answer.accepted
        return accepted

    async def _try(self, row: Waiting) -> _Result:
        """One attempt. Only what can never be sent has no message in its result."""
        message: Message | None = None
        try:
            message = _read(row)
            async with self._turns:
                answer = await self._send(message, _known(self._sinks, row.sink))
        except CannotBeMade as error:
            return _Result(Answer(accepted=False, text=short(str(error))), None, self._now())
        except Exception as error:  # a mistake of ours must not lose the alert: it is tried again, and seen in status
            log.exception("attempt_failed", extra={"facts": {"outbox": row.id, "sink": row.sink}})
            answer = Answer(accepted=False, text=f"our own mistake: {type(error).__name__}", reached=False)
        return _Result(answer, message, self._now())

    async def _send(self, message: Message, sink: Sink) -> Answer:
        if isinstance(sink, EmailSink):
            return await send_mail(message, sink, self._limits.mail_seconds)
        return await post(message, sink, self._now(), self._limits.webhook_seconds)

    def _write_down(self, row: Waiting, result: _Result) -> None:
        answer = result.answer
        attempt = outbox.Attempt(row, result.at, answer.text)
        facts = {"outbox": row.id, "sink": row.sink, "attempts": row.attempts + 1, "answer": answer.text}
        with self._db.transaction() as cursor:
            if answer.accepted:
                outbox.delivered(cursor, attempt)
            elif result.message is None:
                outbox.dead(cursor, attempt)
            else:
                until = result.at + max(delay(row.id, row.attempts + 1), timedelta(seconds=answer.wait))
                left = replace(result.message, recipients=answer.refused or result.message.recipients)
                outbox.postponed(cursor, attempt, until, as_text(left))
                if not answer.reached:
                    outbox.rest(cursor, row.sink, result.at, until, answer.text)
                facts["until"] = until.isoformat()
        _log(result, facts)

    def _due_sinks(self) -> list[str]:
        with self._db.reader() as cursor:
            return outbox.due_sinks(cursor, self._now())

    def _next(self, sink: str) -> Waiting | None:
        with self._db.reader() as cursor:
            return outbox.next_due(cursor, sink, self._now())

    def _pause(self, busy: set[str]) -> float:
        """Until the next row of an idle sink is due; a busy lane looks for itself."""
        with self._db.reader() as cursor:
            moment = outbox.next_moment(cursor, busy)
        if moment is None:
            return self._limits.look_every
        return min(max((moment - self._now()).total_seconds(), 0.0), self._limits.look_every)


def _read(row: Waiting) -> Message:
    try:
        return from_text(row.message)
    except ValueError as error:
        raise CannotBeMade(f"what was written cannot be read: {error}") from None


def _known(sinks: Mapping[str, Sink], name: str) -> Sink:
    if name not in sinks:
        raise CannotBeMade(f"no [[alert.email]] or [[alert.webhook]] has the name {name} any more")
    return sinks[name]


def _ended(lanes: dict[str, asyncio.Task[None]], name: str, wake: asyncio.Event, _: asyncio.Task[None]) -> None:
    del lanes[name]
    wake.set()


async def _first_of(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(wake.wait())]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _log(result: _Result, facts: dict[str, object]) -> None:
    if result.answer.accepted:
        log.info("alert_delivered", extra={"facts": facts})
    elif result.message is None:
        log.error("alert_dead", extra={"facts": facts})
    else:
        log.warning("alert_postponed", extra={"facts": facts})
