"""Each distinct value judged once: codes per row, and one entry per distinct value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Distinct:
    """A column as codes into its distinct values; the code of a null is null."""

    codes: pl.Series  # UInt32 per row
    values: pl.Series

    def spread(self, entries: pl.Series) -> pl.Series:
        """One entry per distinct value becomes one per row."""
        return entries.gather(self.codes)

    def judged(self, judge: Callable[[str], object], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
        """What `judge` says of each value, per row; null stays null."""
        return self.spread(pl.Series([judge(value) for value in self.values.to_list()], dtype=dtype))

    def table(self, rows: Iterable[tuple[object, ...]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """One tuple per distinct value, spread to all rows."""
        return self.spread_all(pl.DataFrame(list(rows), schema=dict(schema), orient="row"))

    def spread_all(self, entries: pl.DataFrame) -> pl.DataFrame:
        """A frame with one row per distinct value becomes one with a row per row."""
        return entries.select(pl.all().gather(self.codes))


def distinct(column: pl.Series) -> Distinct:
    """Arrow's hash table gives codes and values in one pass: a third of what a join with the unique values costs."""
    if column.dtype == pl.Null:
        column = column.cast(pl.String)
    encoded = pc.dictionary_encode(column.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return Distinct(pl.Series(encoded.indices, dtype=pl.UInt32), pl.Series(encoded.dictionary))
