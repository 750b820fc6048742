"""Numbered migrations, then the views."""

from datetime import datetime

import duckdb
import pytest

from store import migrate
from store.database import Database


def test_new_store_has_every_migration(ask):
    """The table `migrations` tells what the store has had, and when."""
    rows = ask("SELECT version, name, applied_at FROM migrations ORDER BY version")
    assert [(version, name) for version, name, _ in rows] == [(m.version, m.name) for m in migrate.migrations()]
    assert all(isinstance(applied_at, datetime) for *_, applied_at in rows)


def test_opening_again_changes_nothing(tmp_path):
    """A migration is applied once; rows survive."""
    path = tmp_path / "store.duckdb"
    for _ in range(2):
        db = Database.open(path)
        with db.transaction() as cursor:
            cursor.execute("INSERT INTO queries VALUES (now()::TIMESTAMP, 'a', 'b', 'answered', 1, 0.1)")
        db.close()
    db = Database.open(path)
    with db.reader() as cursor:
        assert cursor.execute("SELECT count(*) FROM queries").fetchall() == [(2,)]
        assert cursor.execute("SELECT count(*) FROM migrations").fetchall() == [(len(migrate.migrations()),)]
    db.close()


def test_versions_are_numbered_without_gaps():
    """0001, 0002, …, so that two people cannot take the same number unseen."""
    versions = [migration.version for migration in migrate.migrations()]
    assert versions == list(range(1, len(versions) + 1))


def test_failed_migration_leaves_the_version_before():
    """Half a migration is none."""
    with duckdb.connect() as connection:
        bad = migrate.Migration(1, "bad", "CREATE TABLE one (a INTEGER); CREATE TABLE two (")
        with pytest.raises(duckdb.Error):
            migrate.migrate(connection, [bad], "SELECT 1")
        assert migrate.stored_version(connection) == 0
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'one'").fetchall() == [(0,)]
