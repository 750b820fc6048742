"""Cuts columns of text into columns of parts, for whole batches at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from parsers.columns import BITS, LARGEST, PARSED

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSAFE_IN_JSON = r'["\\\x00-\x1f]'
"""What JSON writes with a backslash: a text without any of it stands between quotes as it is."""


def split(column: pl.Series, separator: str, names: list[str]) -> pl.DataFrame:
    """The parts between the first separators; the last part is all the rest, missing parts are null."""
    parts = pl.col("x").str.splitn(separator, len(names)).struct.rename_fields(names)
    return column.alias("x").to_frame().select_seq(parts.alias("parts")).unnest("parts")


def groups(column: pl.Series, form: str, names: list[str]) -> pl.DataFrame:
    """The groups of a regular expression; all null where it does not fit."""
    found = pl.col("x").str.extract_groups(form).struct.rename_fields(names)
    return column.alias("x").to_frame().select_seq(found.alias("found")).unnest("found")


def evaluated(expression: pl.Expr, *columns: pl.Series) -> pl.Series:
    """An expression over columns that have the names it uses."""
    return pl.DataFrame(list(columns)).select_seq(expression).to_series()


def replaced(column: pl.Series, places: pl.Series, entries: pl.Series) -> pl.Series:
    """The column with other entries in some places; `scatter` would change the column itself."""
    rows = pl.arange(column.len(), dtype=pl.UInt32, eager=True)
    rows = rows.scatter(places, pl.arange(column.len(), column.len() + places.len(), dtype=pl.UInt32, eager=True))
    return pl.concat([column, entries]).gather(rows)


def members(columns: Sequence[pl.Expr | str]) -> pl.Expr:
    """Members of a JSON object joined by commas, those that are there; null where none is."""
    joined = pl.concat_str(columns, separator=",", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def braced(columns: Sequence[pl.Expr | str]) -> pl.Expr:
    """The JSON object of such members; null where there is none."""
    return pl.concat_str(pl.lit("{"), members(columns), pl.lit("}"))


def whole(name: str) -> pl.Expr:
    """Numbers of at most 20 digits that fit their column; null for everything else.

    A cast alone takes a plus sign, which comes before the digits in the order of characters.
    """
    plain = (pl.col(name).str.len_bytes() <= 20) & (pl.col(name) >= "0")
    number = pl.col(name).cast(PARSED[name], strict=False)
    if LARGEST[name] < (1 << BITS[name]) - 1:
        plain &= number <= LARGEST[name]
    return pl.when(plain).then(number).alias(name)
