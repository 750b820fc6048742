"""Opens the store: the only place that knows DuckDB's settings and what its errors mean."""

from __future__ import annotations

import os
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from store import migrate
from store.asked import Asked
from store.copies import KnownPaths
from store.inserting import ROW_GROUP
from store.narrow import Narrow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLL_SECONDS = 0.2
USE = "USE store"
ATTACH = f"ATTACH '{{}}' AS store (ROW_GROUP_SIZE {ROW_GROUP}, STORAGE_VERSION 'v1.5.0')"
"""Any DuckDB that we allow can read this version of the format."""

KNOWS_SUBPLANS = "SELECT 1 FROM duckdb_optimizers() WHERE name = 'common_subplan'"
NO_SUBPLANS = "SET disabled_optimizers = 'common_subplan'"
"""It holds in memory what a question reads twice, NOT MATERIALIZED or not: millions of records (decision 37)."""


_CLAIMED: set[Path] = set()
_CLAIMING = threading.Lock()

HOLDER = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
NEWER_FILE = re.compile(r"newer version of DuckDB")


class StoreError(Exception):
    """The store cannot be had; the text is one sentence for the operator."""


class StoreHeld(StoreError):  # noqa: N818  (the word the operator thinks in)
    """Another process has it open; DuckDB allows one."""


class StoreTooNew(StoreError):  # noqa: N818
    """A newer hsmtrail or a newer DuckDB has written it."""


class StoreBroken(StoreError):  # noqa: N818
    """The file or its log is damaged; it can be made again from the spool."""


class Database:
    """One open store. Writers take turns; readers see the last commit and wait for nobody.

    A cursor belongs to the thread that took it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self.narrow = Narrow()
        """How records are written; within a transaction only."""
        self.asked = Asked(self.transaction)
        """Who asked what."""
        self._paths: KnownPaths | None = None
        self._connection = connection
        self._writing = threading.Lock()
        self._making = threading.Lock()

    @staticmethod
    def open(path: Path, wait_seconds: float = 0.0, memory_limit: str = "1GB", threads: int = 2) -> Database:
        """Open or make the store and bring it to this version. Raises StoreHeld, StoreTooNew, StoreBroken."""
        connection = _attached(path, settings(path, memory_limit, threads), time.monotonic() + wait_seconds)
        try:
            path.chmod(0o600)
            _bring_up_to_date(connection, path)
        except BaseException:
            _close(connection, path)
            raise
        return Database(connection, path)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All of it or nothing. One at a time; do not open a second one inside."""
        with self._writing, self._cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(cursor)
                self.narrow.forget()
                self._paths = None
                raise

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One unchanging view of the last commit; writing through it is an error."""
        with self._cursor() as cursor:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                yield cursor
            finally:
                _roll_back(cursor)

    def known_paths(self, cursor: duckdb.DuckDBPyConnection) -> KnownPaths:
        """By which ways sources are known; for all that write, within a transaction only."""
        if self._paths is None:
            self._paths = KnownPaths.of_store(cursor)
        return self._paths

    def close(self) -> None:
        """Let writers end, then close; DuckDB moves its log into the file."""
        self.asked.close()
        with self._writing:
            _close(self._connection, self.path)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._making:  # a connection may not be used by two threads at once, also not to make cursors
            cursor = self._connection.cursor()
        try:
            cursor.execute(USE)
            yield cursor
        finally:
            cursor.close()


def settings(path: Path, memory_limit: str, threads: int) -> dict[str, str | bool | int | float | list[str]]:
    """What holds for the whole instance and can be changed by no statement."""
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "checkpoint_threshold": "256MB",  # the 16 MB that it has by itself cost half of the rate and stall often
        "memory_limit": memory_limit,
        "temp_directory": str(path.parent / "store.spill"),
        "threads": str(threads),
        "write_buffer_row_group_count": "1",
    }


def _attached(
    path: Path, config: dict[str, str | bool | int | float | list[str]], until: float
) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            return _attached_once(path, config)
        except StoreHeld:
            if time.monotonic() >= until:
                raise
            time.sleep(POLL_SECONDS)


def _attached_once(path: Path, config: dict[str, str | bool | int | float | list[str]]) -> duckdb.DuckDBPyConnection:
    """The file is attached to an empty instance: only so can the size of row groups be chosen."""
    _claim(path)
    connection = duckdb.connect(config=config)
    before = os.umask(0o077)  # the file is its owner's from its first byte
    try:
        connection.execute(ATTACH.format(str(path).replace("'", "''")))
        connection.execute(USE)
        _leave_as_written(connection)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        _close(connection, path)
        raise _explained(path, error) from None
    finally:
        os.umask(before)
    return connection


def _leave_as_written(connection: duckdb.DuckDBPyConnection) -> None:
    """What a question reads twice is read twice where it says so; a release without that optimizer needs nothing."""
    if connection.execute(KNOWS_SUBPLANS).fetchall():
        connection.execute(NO_SUBPLANS)


def _claim(path: Path) -> None:
    """DuckDB's lock does not see a second opening by the same process."""
    with _CLAIMING:
        if path.resolve() in _CLAIMED:
            raise StoreHeld(f"{path}: held by this process ({os.getpid()}) already.")
        _CLAIMED.add(path.resolve())


def _close(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.close()
    with _CLAIMING:
        _CLAIMED.discard(path.resolve())


def _explained(path: Path, error: duckdb.Error) -> StoreError:
    text = str(error)
    if "Could not set lock" in text:
        holder = HOLDER.search(text)
        by = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return StoreHeld(f"{path}: held by {by}. Stop that first, or ask it: `hsmtrail status`.")
    if NEWER_FILE.search(text):
        return StoreTooNew(f"{path}: written by a newer DuckDB than {duckdb.__version__}. Use that one again.")
    if "No space left on device" in text:
        return StoreError(f"{path}: no room left on its disk. Make room; nothing that was stored is lost.")
    if "Permission denied" in text:
        return StoreError(f"{path}: permission denied. Give this user the right to read and write it.")
    first = text.splitlines()[0][:300]
    return StoreBroken(f"{path}: damaged ({first}). `hsmtrail recover` makes it again from the spool.")


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    known = migrate.migrations()
    try:
        have = migrate.stored_version(connection)
        if have > known[-1].version:
            raise StoreTooNew(f"{path}: made by a newer hsmtrail (schema {have}, this one knows {known[-1].version}).")
        migrate.migrate(connection, known, migrate.views())
    except (duckdb.OperationalError, duckdb.InternalError) as error:
        raise _explained(path, error) from None


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # already ended: by COMMIT, or by a failure that ended the connection
