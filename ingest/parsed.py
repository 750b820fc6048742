"""Batches of the spool to rows of the store. Whatever the parser does, every line becomes a row."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from parsers.columns import EMPTY, PARSED
from parsers.decoding import text_of
from store.custody import Counters
from store.writer import StoredBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.spool import SpooledBatch

log = logging.getLogger("hsmtrail.loader")

IDENTITY = ["record_id", "batch", "received_at", "listener", "transport", "peer", "peer_port", "peer_identity"]
LINES = ["received_at", "peer", "peer_identity", "raw", "trouble"]
PARSER_FAILED = "parser failed"
FEWEST = 64
"""A piece of so many lines that fails is not searched further: all of them are kept unparsed."""


class Parses(Protocol):
    """What the loader wants of a parser: PARSED columns, as many rows as lines, in their order."""

    def parse(self, lines: pl.DataFrame) -> pl.DataFrame: ...


def rows_of(batches: Sequence[SpooledBatch], parser: Parses) -> pl.DataFrame:
    """All columns of `records` but `copy_of`."""
    lines = numbered(batches)
    return lines.select(IDENTITY).hstack(parsed(lines.select(LINES), parser))


def numbered(batches: Sequence[SpooledBatch]) -> pl.DataFrame:
    """The lines as they were received, each with its number and that of its batch."""
    lines = pl.DataFrame(pa.Table.from_batches([batch.table for batch in batches]))
    lengths = np.array([batch.rows for batch in batches])
    firsts = np.array([batch.first_record for batch in batches], dtype=np.uint64)
    starts = (np.cumsum(lengths) - lengths).astype(np.uint64)
    numbers = np.repeat(firsts - starts, lengths) + np.arange(lines.height, dtype=np.uint64)
    batch_numbers = np.repeat(np.array([batch.batch for batch in batches], dtype=np.uint64), lengths)
    return lines.with_columns(record_id=numbers, batch=batch_numbers)


def stored_batch(batch: SpooledBatch) -> StoredBatch:
    """What the store keeps of the batch itself."""
    return StoredBatch(
        batch=batch.batch,
        first_record=batch.first_record,
        rows=batch.rows,
        sha256=batch.sha256,
        previous=batch.previous,
        committed_at=batch.committed_at,
        segment=batch.segment,
        counters={
            listener: Counters(one.received, one.kernel_dropped, one.refused, one.cut, one.spooled)
            for listener, one in batch.counters.items()
        },
    )


def parsed(lines: pl.DataFrame, parser: Parses) -> pl.DataFrame:
    """The parser never raises; if it does, the lines at fault are kept unparsed and the others parsed."""
    try:
        return _checked(parser.parse(lines), lines.height)
    except Exception:  # whatever it is: a line must neither be lost nor hold up those behind it
        log.exception("parser_failed", extra={"facts": {"lines": lines.height}})
        if lines.height <= FEWEST:
            return unparsed(lines)
    half = lines.height // 2
    return pl.concat([parsed(lines.head(half), parser), parsed(lines.tail(lines.height - half), parser)])


def unparsed(lines: pl.DataFrame) -> pl.DataFrame:
    """Rows that say no more than what was received."""
    empty = pl.DataFrame([pl.Series(name, [EMPTY[name]], kind) for name, kind in PARSED.items()])
    texts = [text_of(raw) for raw in lines["raw"]]
    trouble = pl.when(lines["trouble"] == "").then(pl.lit(PARSER_FAILED))
    return (
        pl.concat([empty] * lines.height)
        .with_columns(
            message=pl.Series(texts, dtype=pl.String),
            raw=pl.Series(texts, dtype=pl.String),
            family=pl.lit("other"),
            event_at=lines["received_at"],
            event_at_source=pl.lit("received"),
            status=pl.lit("unparsed"),
            trouble=trouble.otherwise(pl.format("{}; {}", lines["trouble"], pl.lit(PARSER_FAILED))),
        )
        .select(PARSED.keys())
    )


def _checked(rows: pl.DataFrame, height: int) -> pl.DataFrame:
    if rows.height != height or rows.columns != list(PARSED):
        raise ValueError(f"the parser gave {rows.height} rows of {rows.width} columns for {height} lines")
    return rows
