"""A store in a folder of its own."""

import shutil

import pytest

from store.database import Database


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A file to copy: making one anew takes three times as long."""
    path = tmp_path_factory.mktemp("empty") / "store.duckdb"
    Database.open(path).close()
    return path


@pytest.fixture
def db(tmp_path, empty_store):
    database = Database.open(shutil.copy(empty_store, tmp_path / "store.duckdb"))
    yield database
    database.close()


@pytest.fixture
def ask(db):
    """Rows of a question, as the last commit has them; all that was asked is written down before, unless told not to."""

    def rows(sql, parameters=None, *, written=True):
        if written:
            db.asked.written(60)
        with db.reader() as cursor:
            return cursor.execute(sql, parameters).fetchall()

    return rows
