"""An empty store, and a clock that is set by hand."""

import pytest

from store.database import Database
from support.alerting import Clock


@pytest.fixture
def db(tmp_path):
    database = Database.open(tmp_path / "store.duckdb")
    yield database
    database.close()


@pytest.fixture
def clock():
    return Clock()
