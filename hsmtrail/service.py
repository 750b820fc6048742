"""`hsmtrail work`: spool to store, detectors, alerts, packs and HTTP, in one process that owns DuckDB."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
import threading
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from hsmtrail import last_good, wiring
from hsmtrail.api import Door, application
from hsmtrail.check import examine
from hsmtrail.config import load
from hsmtrail.config_checks import split_address
from hsmtrail.desk import Desk, open_store, utc_now
from hsmtrail.failures import Failure
from hsmtrail.judge import Judge, News
from hsmtrail.schedule import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from hsmtrail.config import Configuration

log = logging.getLogger("hsmtrail.work")

MOST_MISTAKES = 20
HOLD_SECONDS = 30.0
"""How long a store that another process holds is waited for."""


def run(configuration: Configuration) -> int:
    """Until SIGTERM or SIGINT. 2: it could not start; 1: it failed and is worth starting again.

    On SIGHUP it begins again with what its files say then, when nothing is wrong with them.
    """
    try:
        while True:
            service = Service(configuration)
            service.listen_to_hang_ups()
            status = asyncio.run(service.run())
            if service.reading_again is None:
                return status
            configuration = service.reading_again
            log.info("reloaded", extra={"facts": {"configuration": str(configuration.path)}})
    except Failure as failure:
        sys.stderr.write(f"hsmtrail: {failure}\n")
        return failure.status


def local_token(path: Path) -> str:
    """The token of this machine's own commands; made once, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
    return token


class Service:
    """Starts its parts in order and stops them in the reverse order."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.failed = False
        self.reading_again: Configuration | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()

    async def run(self) -> int:
        self._loop = loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as parts:
            try:
                await self._start(parts, loop)
                log.info("ready", extra={"facts": {"pid": os.getpid()}})
                await self._stop.wait()
            finally:
                self._stop.set()  # what has started waits for this to end
            log.info("stopping", extra={"facts": {"failed": self.failed}})
        return 1 if self.failed else 0

    def listen_to_hang_ups(self) -> None:
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._hang_up())

    def _hang_up(self) -> None:
        """SIGHUP: from a terminal that is closed the end, else a look at the files."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set if sys.stderr.isatty() else self._look_again)

    def _look_again(self) -> None:
        threading.Thread(target=self._read_again, name="reading again", daemon=True).start()

    def _read_again(self) -> None:
        """Patterns and detectors are read in full: a mistake in any of them keeps what is in force."""
        path = self.configuration.path
        mistakes = examine(path, machine=False).mistakes
        if mistakes or self._loop is None:
            log.error("reload_refused", extra={"facts": {"mistakes": mistakes[:MOST_MISTAKES]}})
            return
        self.reading_again = load(path)
        _soon(self._loop, self._stop.set)

    async def _start(self, parts: AsyncExitStack, loop: asyncio.AbstractEventLoop) -> None:
        patterns = wiring.site_patterns(self.configuration)
        patterns.current()  # a set that is broken from the start starts nothing
        db = await asyncio.to_thread(open_store, self.configuration, HOLD_SECONDS)
        parts.callback(db.close)
        outbox = wiring.outbox(db, self.configuration, utc_now)
        news = News()
        loader = wiring.loader(
            db, self.configuration, patterns, lambda stored: news.tell(stored.strikes), lambda: _soon(loop, self._fail)
        )
        detectors = last_good.detectors(self.configuration)

        def complete_until() -> datetime:
            return utc_now() - timedelta(seconds=loader.lag_seconds())

        def wake() -> None:
            _soon(loop, self._wake.set)

        duty = wiring.duty(db, self.configuration, utc_now, complete_until, detectors=detectors, on_told=wake)
        judge = Judge(duty, news, on_judged=wake, flooded=loader.flooded)
        desk = Desk(
            configuration=self.configuration,
            db=db,
            duty=duty,
            patterns=patterns,
            now=utc_now,
            wake=news.tell,
            lag_seconds=loader.lag_seconds,
            service_pid=os.getpid(),
            user="service",
            detector_mistakes=tuple(map(str, detectors.mistakes)),
        )
        sending = asyncio.create_task(outbox.run(self._stop, self._wake))
        parts.push_async_callback(_finished, sending)
        judge.start()
        parts.push_async_callback(asyncio.to_thread, judge.stop)
        loader.start()
        parts.push_async_callback(asyncio.to_thread, loader.stop)
        sealer = wiring.sealer(db, self.configuration)
        sealer.start()
        parts.push_async_callback(asyncio.to_thread, sealer.stop)
        timetable = Timetable(desk, on_work=wake)
        timetable.start()
        parts.push_async_callback(asyncio.to_thread, timetable.stop)
        await self._listen(parts, desk)

    def _fail(self) -> None:
        """A part cannot go on, for example since the disk is full: end, so that a fresh start may."""
        self.failed = True
        self._stop.set()

    async def _listen(self, parts: AsyncExitStack, desk: Desk) -> None:
        token = local_token(self.configuration.below("local.token"))
        door = Door(token, list(self.configuration.web.user))
        runner = web.AppRunner(application(desk, door, lambda: not self._stop.is_set()), access_log=None)
        await runner.setup()
        parts.push_async_callback(runner.cleanup)
        host, port = split_address(self.configuration.web.address)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = f"web.address {self.configuration.web.address}: {error.strerror}. Is something else there?"
            raise Failure(reason) from None
        address = self.configuration.below("service.json")
        bound = runner.addresses[0]
        _write(address, {"pid": os.getpid(), "host": bound[0], "port": bound[1]})
        parts.callback(address.unlink, missing_ok=True)


def _soon(loop: asyncio.AbstractEventLoop, what: Callable[[], object]) -> None:
    """From a thread: have the loop do it."""
    loop.call_soon_threadsafe(what)


async def _finished(task: asyncio.Task[None]) -> None:
    """Let the sender end what it sends; its own timeouts bound that."""
    await task


def _write(path: Path, document: dict[str, object]) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(document) + "\n", encoding="utf-8")
    beside.replace(path)
