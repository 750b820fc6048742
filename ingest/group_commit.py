"""The spool's own thread: what came within a moment is one batch, one fsync; a full disk is waited out."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

from ingest.portions import spool_table

if TYPE_CHECKING:
    from ingest.intake import Intake
    from ingest.portions import Portion
    from ingest.spool_writer import SpoolSettings, SpoolWriter

RETRY = 0.5
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class GroupCommit:
    def __init__(self, writer: SpoolWriter, settings: SpoolSettings, intake: Intake) -> None:
        self._writer, self._settings, self._intake = writer, settings, intake
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until the pending lines are closed and spooled."""
        pending = self._intake.pending
        while portions := pending.take(self._settings.commit_bytes, self._settings.commit_seconds):
            self._spool(portions)
            pending.done(portions)

    def stop_waiting(self) -> None:
        """Lines that the disk does not take are refused from now on, not tried again."""
        self._stopping.set()

    def _spool(self, portions: list[Portion]) -> None:
        table, taken = spool_table(portions), [portion.taken for portion in portions]
        ledger = self._intake.ledger
        while True:
            stopping = self._stopping.is_set()
            try:
                self._writer.commit(table, ledger.with_taken(taken))
            except OSError as error:
                self._block(error)
            else:
                self._intake.pending.blocked = ""
                ledger.take(taken)
                return
            if stopping:
                break
            self._stopping.wait(RETRY)
        for item in taken:
            ledger.refuse(item.listener, self._intake.pending.blocked, item.spooled)

    def _block(self, error: OSError) -> None:
        reason = "disk_full" if error.errno in NO_ROOM else "spool_error"
        self._intake.pending.blocked = reason
        self._intake.notices.warn("spool_blocked", reason, error=error.strerror, last_batch=self._writer.last_batch)
