"""Brings a store to this version: numbered SQL files, each in a transaction of its own, then the views anew."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `migrations/NNNN_name.sql`."""

    version: int
    name: str
    sql: str


def migrations(folder: Path = HERE / "migrations") -> list[Migration]:
    """All that this version knows, oldest first."""
    return [
        Migration(int(file.stem[:4]), file.stem[5:], file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


def stored_version(cursor: duckdb.DuckDBPyConnection) -> int:
    """The newest migration that this store has had; 0 for a new one."""
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS migrations"
        " (version UBIGINT NOT NULL, name VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL)"
    )
    ((version,),) = cursor.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchall()
    return int(version)


def migrate(cursor: duckdb.DuckDBPyConnection, known: list[Migration], views: str) -> None:
    """Apply what is missing. The caller has made sure that the store is not newer than `known`."""
    have = stored_version(cursor)
    for migration in known:
        if migration.version > have:
            _apply(cursor, migration)
    with _whole(cursor):
        cursor.execute(views)


def views() -> str:
    """The SQL of the published views."""
    return (HERE / "views.sql").read_text(encoding="utf-8")


def _apply(cursor: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    applied_at = datetime.now(UTC).replace(tzinfo=None)
    with _whole(cursor):
        cursor.execute(migration.sql)
        cursor.execute("INSERT INTO migrations VALUES (?, ?, ?)", [migration.version, migration.name, applied_at])


@contextmanager
def _whole(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")
