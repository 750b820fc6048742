"""The published tables and views."""

import re
from pathlib import Path

from store.writer import store_batches
from support.rows import audit, batch, frame, record

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "views.md"
ROWS = [
    record(1, command="hsm show", operation="show"),
    record(2, command="hsm show", operation="show", peer="192.0.2.20"),
    audit(3, 41, operation="login", role="so"),
    record(4, status="partial", family="other", message="something else"),
    record(5, family="sshd", operation="login", account="admin", message="Accepted password"),
    record(6, family="hsm_audit", message="a line of the audit daemon"),
]


def test_every_table_and_column_is_documented(ask):
    """Who adds a column describes it."""
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    columns = ask("SELECT table_name, column_name FROM information_schema.columns WHERE table_catalog = 'store'")
    assert len(columns) > 300
    assert not {table for table, _ in columns} - named
    assert not {column for _, column in columns} - named


def test_views_hold_what_they_say(db, ask):
    """Which records each view has."""
    store_batches(db, [batch(1, ROWS)], frame(ROWS))

    def numbers(view):
        return [row for (row,) in ask(f"SELECT record_id - (1::UBIGINT << 48) FROM {view} ORDER BY 1")]

    assert numbers("records") == [1, 2, 3, 4, 5, 6]
    assert numbers("events") == [1, 3, 4, 5, 6]
    assert numbers("unknown") == [4]
    assert numbers("audit_records") == [3]
    assert numbers("lunash_commands") == [1]
    assert numbers("logins") == [3, 5]


def test_newest_approval_counts(db, ask):
    """`approved` has one row for each setting of each device and partition."""
    with db.transaction() as cursor:
        for value, day in (("1", "2026-11-01"), ("0", "2026-11-20"), ("1", "2026-11-10")):
            cursor.execute(
                "INSERT INTO baseline VALUES ('luna-a', 'hsm policy 12', '', ?, ?, 'admin', 'ticket', now())",
                [value, day],
            )
    assert ask("SELECT value, approved_at::VARCHAR FROM approved") == [("0", "2026-11-20 00:00:00")]


def test_schema_has_nothing_that_a_scale_out_catalog_refuses(ask):
    """No key, index, sequence or enum."""
    assert ask("SELECT count(*) FROM duckdb_constraints() WHERE constraint_type <> 'NOT NULL'") == [(0,)]
    assert ask("SELECT count(*) FROM duckdb_indexes()") == [(0,)]
    assert ask("SELECT count(*) FROM duckdb_sequences()") == [(0,)]
    assert ask("SELECT count(*) FROM duckdb_columns() WHERE data_type LIKE 'ENUM%'") == [(0,)]
