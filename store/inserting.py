"""Rows into a table of the store, as cheaply as DuckDB takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

ROW_GROUP = 30_720
"""Rows of a group. Commits of at least as many are written once, straight into the file; smaller ones to the log first
and again at the next checkpoint, which costs twice as much. DuckDB's own 122,880 are reached by a backlog only."""

ALL = "SELECT * FROM arriving"
IN_ONE_STREAM = "SELECT arriving.* FROM arriving POSITIONAL JOIN (SELECT 1 AS one)"
"""The same rows, so that DuckDB does not get ready for several threads: half the price for a small commit."""


def insert(cursor: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> None:
    """At least one row. Columns without any value are left out: DuckDB writes NULL for them in no time."""
    said = frame.select([name for name in frame.columns if frame[name].null_count() < frame.height])
    arriving = said.to_arrow(compat_level=pl.CompatLevel.newest())
    large = frame.height >= ROW_GROUP
    if large:  # a batch for each row group: several threads then compress without copying from one another
        arriving = pa.Table.from_batches(arriving.combine_chunks().to_batches(max_chunksize=ROW_GROUP))
    cursor.register("arriving", arriving)
    cursor.execute(f"INSERT INTO {table} BY NAME {ALL if large else IN_ONE_STREAM}")
