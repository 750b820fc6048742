"""Table `queries`, who asked what: written by a thread of its own, so that no answer waits for what is being stored."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

log = logging.getLogger("hsmtrail.query")

REST = 0.25
"""Seconds between two transactions: as much may be unwritten when the process is killed. A clean end writes all."""


class Asked:
    """`put` returns at once; `close` waits until all that was put is written, `written` for so many seconds at most."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]) -> None:
        self._transaction = transaction
        self._rows: queue.SimpleQueue[list[object] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, row: list[object]) -> None:
        """Moment, who, SQL, state, rows, seconds."""
        with self._changed:
            self._waiting += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="queries", daemon=True)
                self._thread.start()
        self._rows.put(row)

    def written(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting == 0, seconds)

    def close(self) -> None:
        """Nothing is put afterwards."""
        self._closing.set()
        if self._thread is not None:
            self._rows.put(None)
            self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            rows = [self._rows.get()]
            while not self._rows.empty():
                rows.append(self._rows.get())
            ended = None in rows
            self._write([row for row in rows if row is not None])
            self._closing.wait(REST)

    def _write(self, rows: list[list[object]]) -> None:
        try:
            with self._transaction() as cursor:
                for row in rows:
                    cursor.execute("INSERT INTO queries VALUES (?, ?, ?, ?, ?, ?)", row)
        except duckdb.Error:  # the answers stand all the same, and a store that cannot be written says so elsewhere too
            log.exception("questions_not_written_down")
        finally:  # whatever went wrong: nobody waits for these any more
            with self._changed:
                self._waiting -= len(rows)
                self._changed.notify_all()
