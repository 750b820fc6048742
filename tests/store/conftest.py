"""A store in a folder of its own."""

import pytest

from store.database import Database


@pytest.fixture
def db(tmp_path):
    database = Database.open(tmp_path / "store.duckdb")
    yield database
    database.close()


@pytest.fixture
def ask(db):
    """Rows of a question, as the last commit has them."""

    def rows(sql, parameters=None):
        with db.reader() as cursor:
            return cursor.execute(sql, parameters).fetchall()

    return rows
