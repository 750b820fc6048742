"""The receiver: listeners, the spool's thread and the status, started and stopped together."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.counters import Connections, Ledger, counted_from, furthest
from ingest.group_commit import GroupCommit
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.sockets import ListenerError, ListenerSettings
from ingest.spool_writer import SpoolError, SpoolSettings, SpoolWriter
from ingest.status_file import read_status, write_status
from ingest.tcp import TcpListener
from ingest.tls import TlsListener
from ingest.udp import UdpListener

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.counters import Counted

__all__ = ["ListenerSettings", "Receiver", "ReceiverError", "ReceiverSettings"]

log = logging.getLogger("hsmtrail.receiver")

REPORT_EVERY = 0.5
FIXED = ("data_dir", "name", "number", "spool", "pending_bytes", "user", "group")
FIXED_OF_LISTENER = ("protocol", "host", "port", "receive_buffer", "workers", "max_message")
"""Settings that only a new start can change."""


class ReceiverError(Exception):
    """It cannot be started: one sentence with what, where and what to do."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """`pending_bytes`: how much may wait for the spool before senders are slowed.

    `user` and `group`: whom a process that was started as root becomes when its sockets are bound.
    """

    data_dir: Path
    listeners: tuple[ListenerSettings, ...]
    name: str = "main"
    number: int = 1
    spool: SpoolSettings = SpoolSettings()  # noqa: RUF009  (frozen)
    pending_bytes: int = 12 << 20
    user: str = ""
    group: str = ""

    @property
    def directory(self) -> Path:
        return self.data_dir / "spool" / self.name


class Receiver:
    """`failed` is set when a thread of it ended that should not have: stop it and start another."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self.failed = threading.Event()
        self._stopping = threading.Event()
        self._listeners: list[UdpListener | TcpListener] = []
        self._threads: list[threading.Thread] = []
        self._started_at = ""

    def start(self) -> None:
        """Open, then receive; ReceiverError when it cannot be opened."""
        self.open()
        self.begin()

    def open(self) -> None:
        """Open the spool and bind every socket; ReceiverError when one of these cannot be. Nothing is received yet."""
        settings = self._settings
        try:
            self._writer = SpoolWriter.open(settings.directory, settings.number, settings.spool)
        except SpoolError as error:
            raise ReceiverError(str(error)) from None
        before = _listeners_in(read_status(settings.directory))
        ledger = Ledger(_counters(self._writer, before))
        self._intake = Intake(Pending(settings.pending_bytes), ledger, Notices(log))
        self._commits = GroupCommit(self._writer, settings.spool, self._intake)
        self._dropped_before = {name: counted.kernel_dropped for name, counted in ledger.now().items()}
        try:
            for one in settings.listeners:
                self._listeners.append(_listener(one, self._intake, before.get(one.name, {})))
        except ListenerError as error:
            self.close()
            raise ReceiverError(str(error)) from None

    def begin(self) -> None:
        """Receive, in threads."""
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._report()
        for name, work in self._work():
            self._threads.append(threading.Thread(target=self._guarded, args=(work,), name=name))
            self._threads[-1].start()

    def close(self) -> None:
        """Let go of what was opened, when it is not to begin."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._writer.close()

    def follow(self, settings: ReceiverSettings) -> list[str]:
        """Go on by these settings without closing a socket; what of them needs a new start, in words."""
        old, self._settings = self._settings, settings
        later = [what for what in FIXED if getattr(old, what) != getattr(settings, what)]
        wanted = {one.name: one for one in settings.listeners}
        for listener in self._listeners:
            fresh = wanted.pop(listener.settings.name, None)
            if fresh is None:
                later.append(f"listener {listener.settings.name}: it is no more")
            elif changed := [what for what in FIXED_OF_LISTENER if _differ(what, listener.settings, fresh)]:
                later.append(f"listener {fresh.name}: {', '.join(changed)}")
            else:
                listener.follow(fresh)
        return later + [f"listener {name}: it is new" for name in wanted]

    def stop(self) -> None:
        """Take what the sockets hold, spool it, close. Lines that the disk does not take are refused and counted."""
        self._commits.stop_waiting()
        self._intake.pending.stop_waiting()
        commits, reports, *listeners = self._threads
        for listener in self._listeners:
            listener.stop()
        for thread in listeners:
            thread.join()
        for listener in self._listeners:
            listener.close()
        self._intake.pending.close()
        commits.join()
        self._stopping.set()
        reports.join()
        self._report()
        self._writer.close()

    def status(self) -> dict[str, Any]:
        """As `status.json` has it; addresses are those that were really bound."""
        counters = self._intake.ledger.now()
        return {
            "pid": os.getpid(),
            "started_at": self._started_at,
            "blocked": self._intake.pending.blocked,
            "spool_bytes": self._writer.spool_bytes,
            "last_batch": self._writer.last_batch,
            "listeners": [
                {
                    "name": listener.settings.name,
                    "protocol": listener.settings.protocol,
                    "address": listener.address,
                    **counters[listener.settings.name].as_json(),
                    **listener.connections.as_json(),
                    "connections_open": listener.connections_open,
                }
                for listener in self._listeners
            ],
        }

    def _work(self) -> list[tuple[str, Callable[[], None]]]:
        listeners = [work for listener in self._listeners for work in listener.work()]
        return [("spool", self._commits.run), ("status", self._reports), *listeners]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            log.exception("thread_failed", extra={"facts": {"thread": threading.current_thread().name}})
            self.failed.set()

    def _reports(self) -> None:
        while not self._stopping.wait(REPORT_EVERY):
            self._report()

    def _report(self) -> None:
        for listener in self._listeners:
            name = listener.settings.name
            self._intake.ledger.dropped(name, self._dropped_before.get(name, 0) + listener.kernel_dropped())
        try:
            write_status(self._settings.directory, self.status())
        except OSError as error:
            self._intake.notices.warn("status_not_written", str(self._settings.directory), error=error.strerror)


def _listener(settings: ListenerSettings, intake: Intake, before: dict[str, Any]) -> UdpListener | TcpListener:
    """`before`: its last status."""
    if settings.protocol == "udp":
        return UdpListener(settings, intake)
    kind = TlsListener if settings.protocol == "tls" else TcpListener
    return kind(settings, intake, Connections.from_json(before))


def _differ(what: str, old: ListenerSettings, new: ListenerSettings) -> bool:
    """A datagram's slot has its size from the start; TCP takes what comes."""
    if what == "max_message" and new.protocol != "udp":
        return False
    return bool(getattr(old, what) != getattr(new, what))


def _listeners_in(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(item["name"]): item for item in status.get("listeners", ())}


def _counters(writer: SpoolWriter, before: dict[str, dict[str, Any]]) -> dict[str, Counted]:
    """From the last batch and the last status: refusals and drops may be newer than the batch."""
    counters = dict(writer.counters)
    for name, document in before.items():
        known = counted_from(document)
        counters[name] = furthest(counters[name], known) if name in counters else known
    return counters
