"""The receiver: listeners, the spool's thread and the status, started and stopped together."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import asdict, dataclass, fields
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
from ingest.udp import UdpListener

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.counters import Counted

__all__ = ["ListenerSettings", "Receiver", "ReceiverError", "ReceiverSettings"]

log = logging.getLogger("hsmtrail.receiver")

REPORT_EVERY = 0.5


class ReceiverError(Exception):
    """It cannot be started: one sentence with what, where and what to do."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """`pending_bytes`: how much may wait for the spool before senders are slowed."""

    data_dir: Path
    listeners: tuple[ListenerSettings, ...]
    name: str = "main"
    number: int = 1
    spool: SpoolSettings = SpoolSettings()  # noqa: RUF009  (frozen)
    pending_bytes: int = 12 << 20

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
        """Open the spool, bind every socket, and only then receive; ReceiverError when one of these cannot be."""
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
            self._bind(before)
        except ListenerError as error:
            self._release()
            raise ReceiverError(str(error)) from None
        self._started_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._report()
        for name, work in self._work():
            self._threads.append(threading.Thread(target=self._guarded, args=(work,), name=name))
            self._threads[-1].start()

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
                    "connections": asdict(listener.connections),
                }
                for listener in self._listeners
            ],
        }

    def _bind(self, before: dict[str, dict[str, Any]]) -> None:
        for settings in self._settings.listeners:
            if settings.protocol == "udp":
                self._listeners.append(UdpListener(settings, self._intake))
            else:
                counted = before.get(settings.name, {}).get("connections", {})
                known = {item.name: int(counted.get(item.name, 0)) for item in fields(Connections)}
                self._listeners.append(TcpListener(settings, self._intake, Connections(**known)))

    def _release(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._writer.close()

    def _work(self) -> list[tuple[str, Callable[[], None]]]:
        listeners = [(f"listener {listener.settings.name}", listener.run) for listener in self._listeners]
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


def _listeners_in(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(item["name"]): item for item in status.get("listeners", ())}


def _counters(writer: SpoolWriter, before: dict[str, dict[str, Any]]) -> dict[str, Counted]:
    """From the last batch and the last status: refusals and drops may be newer than the batch."""
    counters = dict(writer.counters)
    for name, document in before.items():
        known = counted_from(document)
        counters[name] = furthest(counters[name], known) if name in counters else known
    return counters
