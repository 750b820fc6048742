"""What may be asked, what is refused, and what stops."""

import json

import duckdb
import pytest

from store import functions
from store.database import Database
from store.guard import check
from store.query import QueryFailed, Refused, Stopped, run_query
from store.writer import store_batches
from support.rows import AT, audit, batch, frame, record

ROWS = [record(1), record(2, severity=4), audit(3, 41, details='{"level": 1}', strike=True, role="so", severity=4)]


@pytest.fixture
def query(db):
    store_batches(db, [batch(1, ROWS)], frame(ROWS))

    def ask(sql, parameters=None, seconds=30.0, rows=100, asked_by="analyst"):
        return run_query(db, sql, parameters, seconds=seconds, rows=rows, asked_by=asked_by)

    return ask


ANSWERED = [
    "SELECT 1",
    "select count(*) from records;",
    "-- a comment; with a semicolon\nSELECT /* ; */ ';' AS x -- and the end",
    "FROM events",
    "FROM events SELECT device LIMIT 1",
    "VALUES (1, 'a'), (2, 'b')",
    "TABLE batches",
    "WITH x AS (SELECT 1 AS a) FROM x",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
    "SELECT 1 INTERSECT SELECT 1",
    "EXPLAIN SELECT * FROM records",
    " /* why */ explain -- so\n select 1",
    "EXPLAIN (FORMAT json) SELECT 1",
    "DESCRIBE records",
    "DESCRIBE SELECT 1 AS a",
    "SUMMARIZE records",
    "SUMMARIZE SELECT * FROM events",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW TABLES FROM main",
    "SHOW SCHEMAS",
    "FROM (DESCRIBE events)",
    "PIVOT records ON operation USING count(*)",
    "PIVOT records ON severity IN (1, 4) USING count(*) GROUP BY device",
    "FROM (PIVOT records ON family USING count(*))",
    "WITH p AS (PIVOT records ON family USING count(*)) FROM p",
    "SELECT * FROM records PIVOT (count(*) FOR family IN ('lunash'))",
    "UNPIVOT (SELECT severity, facility FROM records) ON severity, facility INTO NAME n VALUE v",
    "SELECT * EXCLUDE (raw) REPLACE (upper(host) AS host) RENAME (peer AS sender) FROM records",
    "SELECT COLUMNS('.*_at') FROM records",
    "SELECT device, row_number() OVER w, lag(event_at) OVER w FROM events WINDOW w AS (PARTITION BY device ORDER BY event_at)",
    "SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY device ORDER BY event_at) = 1",
    "SELECT a.record_id FROM events a ASOF JOIN events b ON a.device = b.device AND a.event_at >= b.event_at",
    "SELECT * FROM events a JOIN batches USING (batch) WHERE EXISTS (SELECT 1 FROM records r WHERE r.record_id = a.record_id)",
    "SELECT * FROM range(3) t(i), LATERAL (SELECT i + 1)",
    "SELECT unnest([1, 2]), {'a': 1}, [x + 1 FOR x IN [1, 2] IF x > 1], MAP {'k': 1}",
    "SELECT list_transform([1, 2], lambda x: x + 1), list_reduce([1, 2], lambda a, b: a + b)",
    "SELECT details->>'$.level', details->'level', json_extract(details, '$.level'), json_keys(details) FROM records",
    "FROM json_each('{\"a\": 1}')",
    "SELECT time_bucket(INTERVAL 5 minutes, event_at), count(*) FILTER (WHERE strike) FROM events GROUP BY ALL",
    "SELECT event_at BETWEEN event_at - INTERVAL 1 day AND now()::TIMESTAMP, CASE WHEN strike THEN 1 END FROM events",
    "SELECT host COLLATE nocase, host LIKE 'l%', host SIMILAR TO 'l.*', host ~ 'l', regexp_matches(host, 'l') FROM events",
    "SELECT quantile_cont(severity, 0.5), approx_count_distinct(host), histogram(severity), mode(host) FROM events",
    "FROM histogram(records, severity)",
    "FROM histogram_values('records', severity)",
    "SELECT * FROM records USING SAMPLE 10 ROWS",
    "SELECT sha256(raw), md5(raw), to_base64(encode(raw)), parse_filename('/a/b.txt'), bar(1, 0, 10) FROM records",
    "SELECT strftime(event_at, '%Y'), date_trunc('hour', event_at), event_at AT TIME ZONE 'Europe/Berlin' FROM events",
    "SELECT set_bit('0110'::BIT, 0, 1), gen_random_uuid(), random(), current_user, version(), pg_typeof(1)",
    "SELECT table_name, column_name FROM information_schema.columns",
    "FROM duckdb_tables()",
    "SELECT * FROM duckdb_columns",
    "FROM pragma_table_info('records')",
    "SELECT relname FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT count(*) FROM generate_series(1, 10), repeat(1, 3)",
    "SELECT * FROM (VALUES (1)) POSITIONAL JOIN (VALUES (2))",
    "SELECT 1 WHERE (1, 2) IN (SELECT (1, 2)) GROUP BY GROUPING SETS (())",
]

REFUSED = [
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE records",
    "COMMIT; DROP TABLE records; BEGIN",
    "PIVOT records ON family USING count(*); DROP TABLE records",
    "INSERT INTO queries SELECT * FROM queries",
    "UPDATE records SET raw = ''",
    "DELETE FROM records",
    "TRUNCATE records",
    "MERGE INTO queries USING queries q ON true WHEN MATCHED THEN DELETE",
    "DROP TABLE records",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO x() AS 1",
    "CREATE TABLE x AS PIVOT records ON family USING count(*)",
    "CREATE SECRET s (TYPE http)",
    "ALTER TABLE records ADD COLUMN x INTEGER",
    "COPY records TO '/tmp/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "COPY (PIVOT records ON family USING count(*)) TO '/tmp/x.csv'",
    "COPY queries FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/x.duckdb'",
    "ATTACH ':memory:' AS x",
    "DETACH store",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 1",
    "SET VARIABLE x = 1",
    "RESET threads",
    "PRAGMA database_list",
    "PRAGMA version",
    "CALL pragma_version()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "BEGIN",
    "ROLLBACK",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "DEALLOCATE x",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN /**/ ANALYZE SELECT 1",
    "EXPLAIN (ANALYZE) SELECT 1",
    "EXPLAIN (FORMAT json, ANALYZE) SELECT 1",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
    "EXPLAIN DELETE FROM records",
    "EXPLAIN INSERT INTO queries FROM queries",
    "EXPLAIN PIVOT records ON family USING count(*)",
    "EXPLAIN SELECT current_setting('memory_limit')",
    "WITH d AS (INSERT INTO queries FROM queries RETURNING *) SELECT * FROM d",
    "WITH d AS (DELETE FROM records RETURNING *) SELECT * FROM d",
    "WITH d AS (UPDATE records SET raw = '' RETURNING *) FROM d",
    "WITH d AS (COPY (SELECT 1) TO '/tmp/x.csv') SELECT 1",
    "WITH d AS MATERIALIZED (DELETE FROM records RETURNING *) PIVOT d ON family USING count(*)",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM READ_CSV_AUTO('/etc/passwd')",
    "SELECT * FROM \"read_text\"('/etc/passwd')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    "SELECT * FROM read_blob('*')",
    "SELECT * FROM read_parquet('s3://bucket/x')",
    "SELECT * FROM read_json('x')",
    "SELECT * FROM parquet_metadata('x')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'x.csv'",
    'FROM "x.parquet"',
    "FROM 'https://192.0.2.1/x'",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM which_secret('x', 'http')",
    "SELECT * FROM duckdb_logs",
    "SELECT * FROM duckdb_databases",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM pragma_database_list",
    "DESCRIBE FROM duckdb_settings()",
    "SUMMARIZE SELECT * FROM duckdb_settings()",
    "DESCRIBE '/etc/passwd.csv'",
    "FROM histogram('pg_settings', name)",
    "FROM histogram_values(pg_catalog.pg_settings, name)",
    "SHOW VARIABLES",
    "DESCRIBE pg_settings",
    "SELECT current_setting('memory_limit')",
    "SELECT CURRENT_SETTING('memory_limit')",
    "SELECT \"current_setting\"('memory_limit')",
    "SELECT main.current_setting('memory_limit')",
    "SELECT list_transform(['memory_limit'], lambda x: current_setting(x))",
    "SELECT * FROM records ORDER BY current_setting('memory_limit')",
    "SELECT * FROM records LIMIT (SELECT current_setting('threads')::INT)",
    "SELECT count(*) FILTER (WHERE getenv('HOME') = '') FROM records",
    "SELECT getenv('HOME')",
    "VALUES (getenv('HOME'))",
    "SELECT write_log('x')",
    "SELECT nextval('x')",
    "SELECT json_serialize_plan('SELECT current_setting(''threads'')')",
    "SELECT * FROM query('SELECT current_setting(''threads'')')",
    "SELECT * FROM query_table('pg_settings')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint()",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_map_function(1)",
    "SELECT * FROM seq_scan('records')",
    "SELECT * FROM a_function_of_a_later_duckdb(1)",
    "PIVOT (FROM duckdb_settings()) ON name USING first(value)",
    "PIVOT (SELECT family, current_setting('threads') AS t FROM records) ON family USING max(t)",
    "PIVOT (SELECT * FROM query('FROM pg_settings')) ON name USING first(setting)",
    "PIVOT (FROM pg_settings) ON name USING first(setting)",
    'PIVOT (FROM U&"duckdb\\005Fsettings"()) ON name USING first(value)',
    "SELECT '" + "x" * 100_000 + "'",
    "SELECT 1\0",
]


@pytest.mark.parametrize("sql", ANSWERED)
def test_reading_is_answered(query, sql):
    """Every way to read that the contract names, with the functions that analysts use."""
    assert query(sql).table.num_columns > 0


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60])
def test_all_else_is_refused(query, ask, sql):
    """Nothing that writes, reaches a file, a setting or a secret, or cannot be examined; and it stands in `queries`."""
    with pytest.raises(Refused) as caught:
        query(sql)
    assert str(caught.value)
    assert ask("SELECT state, sql = ?, rows FROM queries", [sql[:10_000]]) == [("refused", True, 0)]
    assert ask("SELECT count(*) FROM records") == [(len(ROWS),)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM records", "nothing"),
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM missing", "missing"),
        ("SELECT 1 / 'a'", "Could not convert"),
        ("SELECT ?", "parameter"),
        ("SELECT error('a reason')", "a reason"),
    ],
)
def test_failure_gives_duckdbs_words(query, ask, sql, words):
    """A mistake in the question is told as DuckDB tells it."""
    with pytest.raises(QueryFailed, match=words):
        query(sql)
    assert ask("SELECT state, asked_by FROM queries") == [("failed", "analyst")]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT record_id - (1::UBIGINT << 48) AS n FROM records WHERE severity = ? ORDER BY n", [4]),
        (
            "SELECT record_id - (1::UBIGINT << 48) AS n FROM records WHERE severity = $severity ORDER BY n",
            {"severity": 4},
        ),
    ],
)
def test_values_are_bound(query, sql, parameters):
    """Parameters by place and by name."""
    assert query(sql, parameters).table.column("n").to_pylist() == [2, 3]


def test_answer_is_cut_and_says_so(query):
    """At most `rows` rows; `truncated` only when there was more."""
    assert query("FROM range(10)", rows=10).truncated is False
    answer = query("FROM range(1000000000)", rows=10)
    assert (answer.table.num_rows, answer.truncated) == (10, True)
    bound = query("SELECT * FROM range(1000000000) WHERE range > ?", [4], rows=2)
    assert (bound.table.column(0).to_pylist(), bound.truncated) == ([5, 6], True)
    assert query("FROM range(10)", rows=0).truncated is True


def test_answer_is_cut_by_size_too(query, monkeypatch):
    """A few very long rows are as bad as many."""
    monkeypatch.setattr("store.query.LARGEST", 1 << 20)
    answer = query("SELECT repeat('x', 1000) FROM range(1000000)", rows=1_000_000)
    assert answer.truncated
    assert answer.table.nbytes < 64 << 20


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000000) a, range(1000000) b",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
        "SELECT sleep_ms(60000)",
    ],
)
def test_long_question_is_stopped(query, ask, sql):
    """After its time a question ends, and others go on."""
    with pytest.raises(Stopped, match=r"0\.2 s"):
        query(sql, seconds=0.2)
    assert ask("SELECT state, seconds BETWEEN 0.2 AND 30 FROM queries") == [("stopped", True)]


def test_question_is_written_down(query, ask, db):
    """Who asked what, when, with how many rows for an answer."""
    query("SELECT 1 AS a UNION ALL SELECT 2", asked_by="analyst")
    rows = ask("SELECT asked_by, sql, state, rows, seconds > 0, asked_at > ? FROM queries", [AT])
    assert rows == [("analyst", "SELECT 1 AS a UNION ALL SELECT 2", "answered", 2, True, True)]


def test_answer_stands_when_it_cannot_be_written_down(query, db, caplog):
    """A store that takes no more writes still answers, and our log says so."""
    with db.transaction() as cursor:
        cursor.execute("DROP TABLE queries")
    assert query("SELECT 1").table.num_rows == 1
    db.asked.written(60)
    assert [record.message for record in caplog.records] == ["questions_not_written_down"]


def test_no_answer_waits_for_a_writer(query, ask, db):
    """While records are being stored, questions are answered; all are written down afterwards, in their order."""
    with db.transaction() as cursor:
        cursor.execute("DELETE FROM queries")
        for number in range(3):
            assert query(f"SELECT {number}").table.num_rows == 1
        assert ask("SELECT count(*) FROM queries", written=False) == [(0,)]
    assert ask("SELECT sql FROM queries") == [("SELECT 0",), ("SELECT 1",), ("SELECT 2",)]


def test_a_question_about_questions_waits_no_longer_than_it_may(query, db):
    """However long somebody is storing: its limit holds for the wait too."""
    with db.transaction():
        query("SELECT 1")
        assert query("SELECT count(*) AS n FROM queries", seconds=0.2).table.to_pylist() == [{"n": 0}]


def test_questions_are_written_down_before_the_store_closes(tmp_path):
    """Also those of its last moment."""
    db = Database.open(tmp_path / "closing.duckdb")
    for number in range(50):
        run_query(db, f"SELECT {number}", None, seconds=10, rows=10, asked_by="analyst")
    db.close()
    again = Database.open(tmp_path / "closing.duckdb")
    with again.reader() as cursor:
        assert cursor.execute("SELECT count(*) FROM queries").fetchall() == [(50,)]
    again.close()


def test_a_store_that_cannot_be_asked_says_so(tmp_path):
    """DuckDB closes a store that it could not write: that is told as an answer, not as a fault of ours."""
    db = Database.open(tmp_path / "store.duckdb")
    db.close()
    with pytest.raises(QueryFailed, match="the store cannot be asked"):
        run_query(db, "SELECT 1", None, seconds=10, rows=10, asked_by="analyst")


def test_a_question_about_questions_has_all_before_it(query):
    """Who has just asked sees that."""
    query("SELECT 'before'")
    assert query("SELECT sql FROM queries").table.to_pylist() == [{"sql": "SELECT 'before'"}]


def test_temporary_types_of_a_pivot_are_gone(query, ask):
    """A PIVOT makes a type for itself; nobody sees it afterwards."""
    query("PIVOT records ON family USING count(*)")
    assert ask("SELECT count(*) FROM duckdb_types() WHERE NOT internal AND logical_type = 'ENUM'") == [(0,)]


def test_every_function_that_reaches_out_is_refused():
    """Of all functions that this DuckDB has, by their names: none that reads, scans, sets, logs or runs text."""
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT DISTINCT function_name, function_type FROM duckdb_functions()").fetchall()
    tables = {name for name, kind in rows if kind in ("table", "table_macro")}
    values = {name for name, kind in rows if kind not in ("table", "table_macro", "pragma")}
    allowed = {name for name in tables if not functions.table_function_refused(name)}
    suspicious = ("read", "scan", "secret", "setting", "log", "file", "checkpoint", "query", "extension", "parquet")
    assert not [name for name in allowed if any(word in name for word in suspicious)]
    refused = {name for name in values if functions.function_refused(name) and not name.startswith("__")}
    assert refused >= {"current_setting", "nextval", "write_log", "json_serialize_plan"}
    assert len(refused) < 10


@pytest.mark.parametrize(
    "tree",
    [
        {"node": {"type": "INSERT_QUERY_NODE"}},
        {"node": {"type": "SELECT_NODE", "cte_map": {"map": [{"value": {"query": {"node": {"type": "COPY_NODE"}}}}]}}},
        {"node": {"type": "SELECT_NODE", "from_table": {"type": "BOX_SCORE", "alias": "", "sample": None}}},
        {"node": {"type": "SELECT_NODE", "select_list": [{"class": "EXOTIC", "type": "EXOTIC"}]}},
        {"node": {"type": "SELECT_NODE", "from_table": {"type": "BASE_TABLE", "path": ["pg_settings"]}}},
    ],
)
def test_trees_of_a_later_duckdb_are_refused(tree):
    """Kinds of nodes that we do not know are refused, wherever they stand."""
    with pytest.raises(Refused):
        check(Later([tree]), "SELECT 1")


class Later:
    """A cursor of a DuckDB that parses more than ours."""

    def __init__(self, statements):
        self.statements = statements

    def extract_statements(self, sql):
        with duckdb.connect() as connection:
            return connection.extract_statements(sql)

    def execute(self, _sql, _parameters):
        return self

    def fetchall(self):
        return [(json.dumps({"error": False, "statements": self.statements}),)]
