"""Asks a person's question: guarded, read-only, limited in time and size, and written down."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from store.guard import Refused, check
from store.newest import Question, fetched_last

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from store.database import Database

__all__ = ["Answer", "QueryFailed", "Refused", "Stopped", "run_query"]

ROWS_AT_ONCE = 10_000
LARGEST = 1 << 30
"""An answer is cut at so many bytes too."""

LONGEST_KEPT = 10_000
"""Characters of a question that are written down."""

AGAIN_SECONDS = 0.05
STREAMS = int(duckdb.__version__.partition(".")[0]) >= 2
"""Whether `sql` with parameters streams; before 2.0 it makes the whole answer first, and only `execute` streams."""


class QueryFailed(Exception):  # noqa: N818  (what the user is told)
    """DuckDB could not answer: its own words."""


class Stopped(Exception):  # noqa: N818
    """The question took longer than it may."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`truncated`: there was more."""

    table: pa.Table
    truncated: bool


def run_query(  # noqa: PLR0913  (the limits are named by every caller)
    db: Database,
    sql: str,
    parameters: Sequence[object] | Mapping[str, object] | None,
    *,
    seconds: float,
    rows: int,
    asked_by: str,
) -> Answer:
    """Raises Refused, QueryFailed or Stopped; whatever comes of it stands in table `queries` soon afterwards."""
    if "queries" in sql.lower():
        db.asked.written(seconds)
    began = time.monotonic()
    asked_at = datetime.now(UTC).replace(tzinfo=None)
    state, answer = "failed", None
    try:
        answer = _asked(db, sql, parameters, seconds, rows)
        state = "answered"
    except Refused:
        state = "refused"
        raise
    except Stopped:
        state = "stopped"
        raise
    finally:
        count = answer.table.num_rows if answer else 0
        db.asked.put([asked_at, asked_by, sql[:LONGEST_KEPT], state, count, time.monotonic() - began])
    return answer


def _asked(
    db: Database, sql: str, parameters: Sequence[object] | Mapping[str, object] | None, seconds: float, rows: int
) -> Answer:
    try:
        with db.reader() as cursor:
            return _watched(cursor, Question(sql, parameters), seconds, rows)
    except duckdb.Error as error:  # not the question's: DuckDB closes a store that it could not write
        raise QueryFailed(f"the store cannot be asked: {error}") from None


def _watched(cursor: duckdb.DuckDBPyConnection, asked: Question, seconds: float, rows: int) -> Answer:
    watch = _Watch(cursor, seconds)
    try:
        with watch:
            check(cursor, asked.sql)
            return _answer(cursor, fetched_last(cursor, asked), rows)
    except Refused:
        raise
    except (duckdb.Error, pa.ArrowException, OSError, ValueError, TypeError, RuntimeError) as error:
        if watch.fired:
            raise Stopped(f"stopped after {seconds:g} s; ask for less, or allow more time") from None
        raise QueryFailed(str(error)) from None


def _answer(cursor: duckdb.DuckDBPyConnection, asked: Question, rows: int) -> Answer:
    reader = _reader(cursor, asked, min(ROWS_AT_ONCE, rows + 1))
    batches: list[pa.RecordBatch] = []
    count = size = 0
    for batch in reader:
        batches.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if count > rows or size > LARGEST:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    return Answer(table.slice(0, rows), truncated=count > rows or size > LARGEST)


def _reader(cursor: duckdb.DuckDBPyConnection, asked: Question, rows: int) -> pa.RecordBatchReader:
    if STREAMS or not asked.parameters:
        return cursor.sql(asked.sql, params=asked.parameters or None).to_arrow_reader(rows)
    return cursor.execute(asked.sql, asked.parameters).to_arrow_reader(rows)


class _Watch:
    """Interrupts the cursor when its time is over, and again until it heeds."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self._cursor, self._seconds = cursor, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="query-watch", daemon=True)
        self.fired = False

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        wait = self._seconds
        while not self._ended.wait(wait):
            self.fired = True
            self._cursor.interrupt()
            wait = AGAIN_SECONDS
