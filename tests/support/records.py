"""Records put into a store by plain SQL, in the way in which it keeps them."""

from __future__ import annotations

import polars as pl

from parsers.columns import EMPTY, WORDS
from store.narrow import Narrow

IDENTITY = {"batch": 0, "listener": "", "transport": "", "peer": "", "peer_identity": ""}


def put(cursor, sql, parameters=None):
    """`sql` gives the columns that matter, `record_id`, `received_at` and `event_at` among them; others are empty."""
    rows = pl.DataFrame(cursor.execute(sql, parameters).to_arrow_table())
    usual = IDENTITY | dict.fromkeys(WORDS, "") | {name: None for name in EMPTY if name not in WORDS}
    missing = {name: pl.lit(value) for name, value in usual.items() if name not in rows.columns}
    Narrow().insert(cursor, rows.with_columns(**missing))


def put_one(cursor, **values):
    """One record."""
    columns = ", ".join(f'${name} AS "{name}"' for name in values)
    put(cursor, f"SELECT {columns}", values)
