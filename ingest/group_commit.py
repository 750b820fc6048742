"""The spool's own thread: what came within a moment is one batch, one fsync; a full disk is waited out.

A batch without lines is evidence too: it says that we listened, and carries the counters. One is spooled at the start
and after each minute without a line, so that silence can be told from a receiver that was down.
"""

from __future__ import annotations

import errno
import logging
import threading
from typing import TYPE_CHECKING

from ingest.portions import spool_table

if TYPE_CHECKING:
    import pyarrow as pa

    from ingest.counters import Taken
    from ingest.intake import Intake
    from ingest.portions import Portion
    from ingest.spool_writer import SpoolSettings, SpoolWriter

log = logging.getLogger("hsmtrail.spool")

RETRY = 0.5
REST = 60.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class GroupCommit:
    def __init__(self, writer: SpoolWriter, settings: SpoolSettings, intake: Intake, rest: float = REST) -> None:
        self._writer, self._settings, self._intake, self._rest = writer, settings, intake, rest
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until the pending lines are closed and spooled."""
        pending, settings = self._intake.pending, self._settings
        portions: list[Portion] | None = []
        while portions is not None:
            self._commit(portions)
            portions = pending.take(settings.commit_bytes, settings.commit_seconds, self._rest)

    def _commit(self, portions: list[Portion]) -> None:
        size = sum(portion.size for portion in portions)
        taken = [portion.taken for portion in portions]
        try:
            table = spool_table(portions)
            portions.clear()  # the table has copies
            reason = self._spool(table, taken)
        except Exception:  # the next lines may do better, and these are counted
            log.exception("batch_failed")
            reason = "spool_error"
        if reason:
            for item in taken:
                self._intake.ledger.refuse(item.listener, reason, item.spooled)
        self._intake.pending.done(size)

    def stop_waiting(self) -> None:
        """Lines that the disk does not take are refused from now on, not tried again."""
        self._stopping.set()

    def _spool(self, table: pa.RecordBatch, taken: list[Taken]) -> str:
        """Commit, however long it takes; why not, when the receiver stops before the disk takes it."""
        pending, ledger = self._intake.pending, self._intake.ledger
        while True:
            stopping = self._stopping.is_set()
            try:
                self._writer.commit(table, ledger.with_taken(taken))
            except OSError as error:
                self._block(error)
            else:
                pending.blocked = ""
                ledger.take(taken)
                return ""
            if stopping:
                return pending.blocked
            self._stopping.wait(RETRY)

    def _block(self, error: OSError) -> None:
        reason = "disk_full" if error.errno in NO_ROOM else "spool_error"
        self._intake.pending.blocked = reason
        self._intake.notices.warn("spool_blocked", reason, error=error.strerror, last_batch=self._writer.last_batch)
