"""Each distinct value judged once: codes per row, and one entry per distinct value."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_LARGEST = 1 << 63
"""So many combinations have numbers of their own in 64 bits with a sign."""


@dataclass(frozen=True, slots=True)
class Distinct:
    """A column as codes into its distinct values, of which null may be one."""

    codes: pl.Series  # UInt32 per row, never null
    values: pl.Series

    def spread(self, entries: pl.Series) -> pl.Series:
        """One entry per distinct value becomes one per row."""
        return entries.gather(self.codes)

    def judged(self, judge: Callable[[str], object], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
        """What `judge` says of each value, per row; null stays null."""
        judged = [None if value is None else judge(value) for value in self.values.to_list()]
        return self.spread(pl.Series(judged, dtype=dtype))

    def table(self, rows: Iterable[tuple[object, ...]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """One tuple per distinct value, spread to all rows."""
        return self.spread_all(pl.DataFrame(list(rows), schema=dict(schema), orient="row"))

    def spread_all(self, entries: pl.DataFrame) -> pl.DataFrame:
        """A frame with one row per distinct value becomes one with a row per row."""
        return entries.select_seq(pl.all().gather(self.codes))


def distinct(column: pl.Series) -> Distinct:
    """Arrow's hash table gives codes and values in one pass: a third of what a join with the unique values costs."""
    if column.dtype == pl.Null:
        column = column.cast(pl.String)
    if column.null_count() == 0 and column.len() and (column == column.head(1)).all():
        return Distinct(pl.repeat(0, column.len(), dtype=pl.UInt32, eager=True), column.head(1))
    return _encoded(column.to_arrow(compat_level=pl.CompatLevel.oldest()))


def indexed(entries: pl.Series, codes: pl.Series) -> Distinct:
    """The column of the entries that the codes point at, as codes into its own distinct values."""
    known = distinct(entries)
    return Distinct(known.codes.gather(codes), known.values)


def _encoded(column: pa.Array) -> Distinct:
    encoded = column.dictionary_encode(null_encoding="encode")
    return Distinct(pl.Series(np.asarray(encoded.indices).view(np.uint32)), pl.Series(encoded.dictionary))


def combined(columns: Sequence[Distinct]) -> tuple[pl.Series, pl.DataFrame]:
    """Codes of the distinct combinations per row, and a frame of those, a column named by its place for each.

    Codes as numbers are told apart at a fifth of what it costs to write the combinations as texts.
    """
    sizes = [column.values.len() for column in columns]
    if prod(sizes) > _LARGEST:
        codes, frame = combined(columns[:-1])
        codes, last = combined([Distinct(codes, pl.arange(frame.height, dtype=pl.UInt32, eager=True)), columns[-1]])
        return codes, frame[last["0"]].with_columns_seq(last["1"].alias(str(len(columns) - 1)))
    number = columns[0].codes.to_numpy().astype(np.int64)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        number = number * size + column.codes.to_numpy()
    each = _encoded(pa.array(number))
    rest, found = each.values.to_numpy(), []
    for place, column in reversed(list(enumerate(columns))):
        found.append(column.values.gather(rest % sizes[place]).alias(str(place)))
        rest = rest // sizes[place]
    return each.codes, pl.DataFrame(found[::-1])
