"""The drift of the vendor's words: forms of message that no pattern knew, counted over a window of the newest ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

WINDOW = timedelta(days=30)
NEWEST = 50_000
"""So many unknown records are looked at: a flood of strange lines makes the answer shorter, not slower."""

LONGEST_EXAMPLE = 300

SQL = """
WITH looked_at AS (
    SELECT record_id, received_at, device, family, form, left(raw, $longest) AS example
    FROM unknown_forms WHERE received_at >= $since AND copy_of IS NULL
    ORDER BY received_at DESC, record_id DESC LIMIT $newest
),
forms AS (
    SELECT device, family, form, count(*) AS records, min(received_at) AS first_seen, max(received_at) AS last_seen,
           arg_max(example, record_id) AS example, max(record_id) AS record_id
    FROM looked_at GROUP BY device, family, form
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY records DESC, last_seen DESC, form, device) AS by_number,
           row_number() OVER (ORDER BY first_seen DESC, records DESC, form, device) AS by_age,
           count(*) OVER () AS forms, sum(records) OVER ()::UBIGINT AS looked_at
    FROM forms
)
SELECT device, family, form, records, first_seen, last_seen, example, record_id, by_number, by_age, forms, looked_at
FROM ranked WHERE by_number <= $most OR by_age <= $most
"""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of message, and one line that has it."""

    device: str
    family: str
    form: str
    records: int
    first_seen: datetime
    last_seen: datetime
    example: str
    record_id: int


@dataclass(frozen=True, slots=True)
class UnknownForms:
    """`forms` and `records`: how many there are among those looked at; `complete`: there were no more to look at."""

    since: datetime
    forms: int
    records: int
    complete: bool
    frequent: tuple[Form, ...]
    newest: tuple[Form, ...]


def unknown_forms(cursor: duckdb.DuckDBPyConnection, now: datetime, most: int = 5) -> UnknownForms:
    """The most frequent and the newest forms of the last 30 days."""
    given = {"since": now - WINDOW, "newest": NEWEST, "longest": LONGEST_EXAMPLE, "most": most}
    rows = cursor.execute(SQL, given).fetchall()
    forms, records = rows[0][-2:] if rows else (0, 0)
    frequent = sorted((row for row in rows if row[8] <= most), key=lambda row: row[8])
    newest = sorted((row for row in rows if row[9] <= most), key=lambda row: row[9])
    return UnknownForms(
        now - WINDOW,
        forms,
        records,
        records < NEWEST,
        tuple(Form(*row[:8]) for row in frequent),
        tuple(Form(*row[:8]) for row in newest),
    )
