"""From the spools to the store: one thread reads and parses, one inserts, so that both cores work.

A piece is whatever piled up while the last ones were parsed and stored. Batches and their rows go in together, so each
is stored exactly once, whatever ends this process and when.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest.follow import Spools, oldest_waiting, received
from ingest.parsed import rows_of, stored_batch
from store.writer import StoredBatches, Writer, stored_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from ingest.parsed import Parses
    from ingest.spool import SpooledBatch
    from store.database import Database
    from store.writer import StoredBatch

log = logging.getLogger("hsmtrail.loader")

POLL_SECONDS = 0.02
MAX_BYTES = 28 << 20
"""Of lines parsed at once."""

MAX_WAIT = 0.25
SHARE = 3
"""From one reading to the next it waits, unless MAX_BYTES wait, SHARE times as long as it last took to parse and store,
at most MAX_WAIT seconds: few lines are there soon, and small commits, which cost as much as large ones, stay rare."""

FULL_SECONDS = 0.2
"""So often the parsing thread looks whether the storing one still lives while it waits for room."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read for one piece; `moments` entries of the loader's list of waiting lines belong to it."""

    batches: list[SpooledBatch]
    moments: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Parsed lines on their way into the store."""

    batches: list[StoredBatch]
    rows: pl.DataFrame
    moments: int


@dataclass(frozen=True, slots=True)
class LoaderStatus:
    """Since the start."""

    commits: int
    records: int
    copies: int
    lag_seconds: float
    failed: bool


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class Loader:
    """`start` and `stop` for a service; `catch_up` for a command that waits until all is stored."""

    def __init__(  # noqa: PLR0913  (each is a part or a limit that tests and the wiring choose)
        self,
        db: Database,
        data_dir: Path,
        parser: Parses,
        on_stored: Callable[[StoredBatches], None] = lambda _: None,
        on_failure: Callable[[], None] = lambda: None,
        *,
        max_bytes: int = MAX_BYTES,
        max_wait: float = MAX_WAIT,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db, self._parser, self._on_stored, self._on_failure = db, parser, on_stored, on_failure
        self._max_bytes, self._max_wait, self._now = max_bytes, max_wait, now
        self._spools = Spools(data_dir / "spool", stored_batches(db))
        self._writer = Writer(db)
        self._pieces: queue.Queue[Piece | None] = queue.Queue(1)
        self._waiting: deque[datetime] = deque()
        self._nothing_waited_at, self._gathered_at = now(), -max_wait
        self._parsing = self._storing = 0.0
        self._gathered = self._flood_ends = 0
        self._stopping = threading.Event()
        self._drain = False
        self._failure: BaseException | None = None
        self._commits = self._records = self._copies = 0
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._parse_all,), name="loader-parse", daemon=True),
            threading.Thread(target=self._guarded, args=(self._store_all,), name="loader-store", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Store what was parsed already, then end; the rest waits in the spool."""
        self._stopping.set()
        self._join()

    def catch_up(self) -> None:
        """Store all that the spools have, then end. Raises what went wrong."""
        self._drain = True
        self.start()
        self._join()
        if self._failure is not None:
            raise self._failure

    def lag_seconds(self) -> float:
        """The age of the oldest line from a socket that is not stored yet; 0.0 when all is stored."""
        waiting = next(iter(self._waiting.copy()), None)
        if waiting is None and self._spools.behind():
            waiting = self._nothing_waited_at
        return 0.0 if waiting is None else max(0.0, (self._now() - waiting).total_seconds())

    def flooded(self) -> bool:
        """From a reading that found more than is read at once until one that did not is stored too, or all is."""
        return self._commits < self._flood_ends and self.lag_seconds() > 0

    def status(self) -> LoaderStatus:
        return LoaderStatus(
            self._commits, self._records, self._copies, self.lag_seconds(), failed=self._failure is not None
        )

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._spools.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Ends both threads when one fails: a full disk for example, which only a new start may mend."""
        try:
            work()
        except Exception as error:
            self._failure = error
            log.exception("loading_failed")
            self._stopping.set()
            self._on_failure()

    def _parse_all(self) -> None:
        try:
            while (gathered := self._gather()).batches:
                began = time.monotonic()
                said = [stored_batch(batch) for batch in gathered.batches]
                piece = Piece(said, rows_of(gathered.batches, self._parser), gathered.moments)
                self._parsing = time.monotonic() - began
                self._hand_over(piece)
                del piece  # a large one; the next may be long in coming
        finally:
            self._hand_over(None)

    def _gather(self) -> Gathered:
        """The next batches: at once after a pause, else a while after the last ones. None: it is time to end."""
        found: list[SpooledBatch] = []
        size = moments = 0
        while not self._stopping.is_set():
            moment = self._now()
            more = self._spools.next_batches(self._max_bytes - size)
            moments += self._noted(more, moment)
            found += more
            size += sum(batch.table.nbytes for batch in more)
            waited = time.monotonic() - self._gathered_at >= self._rest()
            if size >= self._max_bytes or (found and waited) or (self._drain and not more):
                break
            self._stopping.wait(POLL_SECONDS)
        self._gathered_at = time.monotonic()
        self._gathered += 1
        if size >= self._max_bytes:
            self._flood_ends = self._gathered + 1
        return Gathered(found, moments)

    def _rest(self) -> float:
        return min(self._max_wait, SHARE * (self._parsing + self._storing))

    def _noted(self, batches: list[SpooledBatch], moment: datetime) -> int:
        """How many moments were added to those of waiting lines."""
        oldest = received(batches)
        if oldest is None:
            self._nothing_waited_at = moment
            return 0
        self._waiting.append(oldest)
        return 1

    def _hand_over(self, piece: Piece | None) -> None:
        while self._failure is None or piece is None:
            try:
                self._pieces.put(piece, timeout=FULL_SECONDS)
            except queue.Full:
                if not self._threads[1].is_alive():
                    return
            else:
                return

    def _store_all(self) -> None:
        while (piece := self._pieces.get()) is not None:
            began = time.monotonic()
            stored = self._writer.store(piece.batches, piece.rows)
            self._storing = time.monotonic() - began
            for _ in range(piece.moments):
                self._waiting.popleft()
            self._commits += 1
            self._records += stored.records
            self._copies += stored.copies
            del piece  # a large one; the next may be long in coming
            self._on_stored(stored)


def lag_seconds(db: Database, data_dir: Path, now: datetime) -> float:
    """As `Loader.lag_seconds`, while no service runs."""
    waiting = oldest_waiting(data_dir / "spool", stored_batches(db))
    return 0.0 if waiting is None else max(0.0, (now - waiting).total_seconds())
