"""What only the old store knows, into one that was made again: findings, decisions, deliveries, who asked what.

Rows and batches come from the evidence, names of devices and people from the configuration: these are not carried.
The order in which batches arrived is, for it says what every detector has judged already.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store.database import Database

MADE_AGAIN = frozenset(
    {
        *("migrations", "lines", "origins", "meanings", "batches", "custody", "reparsed", "reparse_changes"),
        *("devices", "accounts", "ranges", "clients", "partitions"),
    }
)
"""From the evidence and the configuration; how history was read again is over with the history that was."""

BY_POSITION = frozenset({"runs"})
"""Of use only when batches have the positions that they had."""

OLD_NAME = ".recover-read"


@dataclass(slots=True)
class Carried:
    """Rows by table; and of what could not be carried, why."""

    rows: dict[str, int] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    note: str = ""


def carry(old: Path, new: Database, *, with_log: bool) -> Carried:
    """`old` is read through another name and never written; without its log what was not checkpointed is lost."""
    carried = Carried()
    if not old.exists():
        return carried
    tables = _tables(new)
    with _readable(old, with_log=with_log, note=carried) as read_from:
        if read_from is None:
            carried.lost = dict.fromkeys(tables, carried.note)
            return carried
        keep = _positions(read_from, new, carried)
        for table in tables:
            if table in BY_POSITION and not keep:
                carried.lost[table] = "the order in which batches arrived is not known: everything is judged again"
            else:
                _table(read_from, new, table, carried)
    return carried


class _readable:  # noqa: N801  (a with statement)
    """The old store under a second name, so that DuckDB finds its log, or finds none."""

    def __init__(self, old: Path, *, with_log: bool, note: Carried) -> None:
        self._old, self._with_log, self._note = old, with_log, note
        self._name = old.with_name(old.name + OLD_NAME)
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> duckdb.DuckDBPyConnection | None:
        for with_log in (True, False) if self._with_log else (False,):
            self._link(with_log=with_log)
            try:
                self._connection = duckdb.connect(self._name, read_only=True)
            except duckdb.Error as error:
                self._note.note = f"the old store cannot be opened: {str(error).splitlines()[0][:300]}"
                continue
            self._note.note = "" if with_log else "what its log had is not carried: the log cannot be read"
            return self._connection
        return None

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
        self._unlink()

    def _link(self, *, with_log: bool) -> None:
        self._unlink()
        os.link(self._old, self._name)
        log = self._old.with_name(self._old.name + ".wal")
        if with_log and log.exists():
            os.link(log, self._name.with_name(self._name.name + ".wal"))

    def _unlink(self) -> None:
        for suffix in ("", ".wal"):
            self._name.with_name(self._name.name + suffix).unlink(missing_ok=True)


def _tables(new: Database) -> list[str]:
    with new.reader() as cursor:
        found = cursor.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' ORDER BY table_name"
        ).fetchall()
    return [name for (name,) in found if name not in MADE_AGAIN]


def _table(old: duckdb.DuckDBPyConnection, new: Database, table: str, carried: Carried) -> None:
    try:
        rows = old.execute(f"SELECT * FROM {table}").to_arrow_table()  # noqa: S608  (a table of ours)
        with new.transaction() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
            if rows.num_rows:
                cursor.register("carried", rows)
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM carried")  # noqa: S608
    except (duckdb.Error, pa.ArrowException) as error:
        carried.lost[table] = str(error).splitlines()[0][:300]
    else:
        carried.rows[table] = rows.num_rows


def _positions(old: duckdb.DuckDBPyConnection, new: Database, carried: Carried) -> bool:
    """Give batches the positions and moments that they had; False when the old store does not say it of all."""
    try:
        rows = old.execute("SELECT batch, position, stored_at FROM batches").to_arrow_table()
    except duckdb.Error as error:
        carried.lost["batches"] = str(error).splitlines()[0][:300]
        return False
    with suppress(_Unknown), new.transaction() as cursor:
        cursor.register("old", rows)
        _check(cursor)
        cursor.execute(
            "UPDATE batches SET position = new.position, stored_at = new.stored_at FROM ("
            " SELECT batch, coalesce(old.position, newest + row_number() OVER (ORDER BY batches.position)) AS position,"
            " coalesce(old.stored_at, batches.stored_at) AS stored_at"
            " FROM batches LEFT JOIN old USING (batch), (SELECT coalesce(max(position), 0) AS newest FROM old)"
            ") AS new WHERE batches.batch = new.batch"
        )
        return True
    return False


class _Unknown(Exception):  # noqa: N818
    """A batch that the old store should have known has no position there."""


def _check(cursor: duckdb.DuckDBPyConnection) -> None:
    ((unknown,),) = cursor.execute(
        "SELECT count(*) FROM batches ANTI JOIN old USING (batch)"
        " JOIN (SELECT batch >> 48 AS receiver, max(batch) AS newest FROM old GROUP BY receiver) AS reach"
        " ON batches.batch >> 48 = reach.receiver WHERE batches.batch <= reach.newest"
    ).fetchall()
    if unknown:
        raise _Unknown


def set_aside(path: Path, name: str) -> Iterator[Path]:
    """Give the store and its logs a second name that stays; the first ones may go then."""
    for suffix in ("", ".wal", ".wal.checkpoint", ".wal.recovery"):
        first, second = path.with_name(path.name + suffix), path.with_name(name + suffix)
        if first.exists():
            os.link(first, second)
            yield second


def put_in_place(new: Path, path: Path) -> None:
    """The new store takes the old one's name; its logs, which are set aside, must not be read into the new one."""
    for suffix in (".wal", ".wal.checkpoint", ".wal.recovery"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
