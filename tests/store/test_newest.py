"""The newest records are chosen first and fetched by their ids: the answer is the same."""

from __future__ import annotations

import pytest

from store import newest
from store.newest import Question, fetched_last
from store.query import run_query
from support.records import put

ROWS = """
SELECT i AS record_id, TIMESTAMP '2026-11-23' + to_minutes(i * 7 % 500) AS event_at, event_at AS received_at,
       if(i % 3 = 0, 'login', 'show') AS operation, if(i % 5 = 0, 'ok', '') AS outcome,
       if(i % 4 = 0, 1::UBIGINT, NULL) AS copy_of, 'line ' || i AS raw, raw AS message, 'lunash' AS family,
       'hsm show' AS command
FROM range(500) AS t(i)
"""


@pytest.fixture
def filled(db):
    with db.transaction() as cursor:
        put(cursor, ROWS)
    return db


CHOSEN = [
    ("SELECT * FROM records ORDER BY event_at DESC LIMIT 10", None),
    ("FROM events ORDER BY event_at LIMIT 3 OFFSET 5", None),
    ("SELECT raw, e.event_at FROM events e WHERE e.operation = 'login' ORDER BY e.event_at DESC, raw LIMIT 7", None),
    ("SELECT * EXCLUDE (raw) FROM logins WHERE outcome = $outcome ORDER BY event_at DESC LIMIT $n", {"outcome": "ok", "n": 4}),
    ("SELECT raw FROM unknown WHERE outcome = ? ORDER BY event_at LIMIT ?", ["ok", 2]),
    ("SELECT raw FROM lunash_commands WHERE operation = 'nothing' ORDER BY event_at LIMIT 5", None),
    ("SELECT raw FROM events ORDER BY operation, outcome DESC, record_id LIMIT 0", None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "parameters"), CHOSEN)
def test_the_answer_is_the_same(filled, sql, parameters):
    """Other columns, conditions, parameters, order, offset: as DuckDB itself answers."""
    with filled.reader() as cursor:
        direct = cursor.execute(sql, parameters).to_arrow_table()
        short = fetched_last(cursor, Question(sql, parameters))
        assert "IN (" in short.sql
        assert cursor.execute(short.sql, short.parameters).to_arrow_table().equals(direct)
    answer = run_query(filled, sql, parameters, seconds=10, rows=1000, asked_by="a test").table
    assert answer.to_pylist() == direct.to_pylist()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM records ORDER BY event_at",
        "SELECT * FROM records LIMIT 5",
        "SELECT event_at AS record_id FROM records ORDER BY record_id LIMIT 5",
        "SELECT max(event_at) FROM records ORDER BY ALL LIMIT 5",
        "SELECT operation, count(*) FROM events GROUP BY ALL ORDER BY operation LIMIT 5",
        "SELECT operation FROM events GROUP BY ALL ORDER BY operation LIMIT 5",
        "SELECT raw FROM events WHERE record_id < 1e400 ORDER BY event_at LIMIT 5",
        "SELECT DISTINCT operation FROM events ORDER BY operation LIMIT 5",
        "SELECT raw FROM events ORDER BY 1 LIMIT 5",
        "SELECT raw FROM events ORDER BY ALL LIMIT 5",
        "SELECT raw FROM events ORDER BY length(raw) LIMIT 5",
        "SELECT raw FROM events ORDER BY event_at LIMIT 5 PERCENT",
        "SELECT raw FROM events QUALIFY row_number() OVER (ORDER BY event_at) < 3 ORDER BY event_at LIMIT 5",
        "SELECT raw FROM events USING SAMPLE 5 ROWS ORDER BY event_at LIMIT 5",
        "SELECT a.raw FROM events a JOIN events b USING (record_id) ORDER BY a.event_at LIMIT 5",
        "SELECT raw FROM (FROM events) ORDER BY event_at LIMIT 5",
        "WITH events AS (SELECT 1 AS record_id, 2 AS event_at) SELECT * FROM events ORDER BY event_at LIMIT 5",
        "SELECT * REPLACE (1 AS record_id) FROM events ORDER BY event_at LIMIT 5",
        "SELECT COLUMNS('r.*') FROM events ORDER BY event_at LIMIT 5",
        "SELECT * FROM batches ORDER BY batch LIMIT 5",
        "EXPLAIN SELECT * FROM records ORDER BY event_at LIMIT 5",
        "DESCRIBE records",
    ],
)
def test_other_questions_are_left_as_they_are(filled, sql):
    """Whatever is not plainly that one kind is DuckDB's own affair."""
    with filled.reader() as cursor:
        assert fetched_last(cursor, Question(sql, None)) == Question(sql, None)


def test_very_many_are_fetched_as_usual(filled, monkeypatch):
    """A list of ids has an end."""
    monkeypatch.setattr(newest, "MOST", 5)
    asked = Question("SELECT raw FROM records ORDER BY event_at, record_id LIMIT 6", None)
    with filled.reader() as cursor:
        assert fetched_last(cursor, asked) == asked
