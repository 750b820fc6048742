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
    """Rows of a question, as the last commit has them; all that was asked is written down before, unless told not to."""

    def rows(sql, parameters=None, *, written=True):
        if written:
            db.asked.written()
        with db.reader() as cursor:
            return cursor.execute(sql, parameters).fetchall()

    return rows
