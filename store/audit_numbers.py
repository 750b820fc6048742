"""How complete the audit records of each HSM are: it numbers them, so what is missing shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

MOST_RANGES = 100

IMPORTED = """
WITH imported AS (
    SELECT device, coalesce(hsm_serial, '') AS serial, min(event_at) AS first_at, max(event_at) AS last_at
    FROM records
    WHERE batch BETWEEN $first AND $last AND family = 'hsm_audit' AND audit_sequence IS NOT NULL
    GROUP BY ALL
),
numbered AS (
    SELECT device, coalesce(hsm_serial, '') AS serial, audit_sequence::HUGEINT AS number, event_at
    FROM audit_records
    WHERE event_at BETWEEN (SELECT min(first_at) FROM imported) AND (SELECT max(last_at) FROM imported)
),
ordered AS (
    SELECT device, serial, number, event_at,
        lag(number) OVER (PARTITION BY device, serial ORDER BY event_at, number) AS before
    FROM numbered JOIN imported USING (device, serial)
    WHERE event_at BETWEEN first_at AND last_at
),
logs AS (  -- a log that was begun anew counts from the bottom again
    SELECT *, count_if(coalesce(number < before AND number < 100 AND (number <= 1 OR before - number > 20), false))
        OVER (PARTITION BY device, serial ORDER BY event_at, number ROWS UNBOUNDED PRECEDING) AS log
    FROM ordered
),
single AS (
    SELECT device, serial, log, number, min(event_at) AS event_at FROM logs GROUP BY ALL
),
stepped AS (
    SELECT *, lag(number) OVER (PARTITION BY device, serial, log ORDER BY number) AS previous FROM single
)
SELECT device, serial, min(number)::UBIGINT AS first, max(number)::UBIGINT AS last,
    min(event_at) AS first_at, max(event_at) AS last_at,
    count(*) AS present,
    coalesce(sum(number - previous - 1), 0)::HUGEINT AS missing,
    count(*) FILTER (number - previous > 1) AS holes,
    coalesce(list(
        if(number - previous = 2, (number - 1)::VARCHAR, concat(previous + 1, '-', number - 1)) ORDER BY number
    ) FILTER (number - previous > 1), [])[1:$most] AS ranges
FROM stepped
GROUP BY device, serial, log
ORDER BY device, serial, first_at
"""


@dataclass(frozen=True, slots=True)
class Numbered:
    """One audit log over a span: numbers `first` to `last`, how many of them are in the store, and which are not.

    `ranges`: at most MOST_RANGES of the holes, '41' or '41-44'; `holes` is their number.
    """

    device: str
    serial: str
    first: int
    last: int
    first_at: datetime
    last_at: datetime
    present: int
    missing: int
    holes: int
    ranges: list[str]


def completeness(cursor: duckdb.DuckDBPyConnection, first_batch: int, last_batch: int) -> list[Numbered]:
    """Of each HSM of which these batches brought audit records, over the time that they span, whoever brought them."""
    given = {"first": first_batch, "last": last_batch, "most": MOST_RANGES}
    return [Numbered(*row) for row in cursor.execute(IMPORTED, given).fetchall()]
