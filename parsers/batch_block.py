"""The raw blocks of a batch: where block and text agree, the block's time counts; the rest is for the line engine."""

from __future__ import annotations

import numpy as np
import polars as pl

from parsers import raw_block
from parsers.columns import TIMESTAMP
from parsers.distinct import distinct

_SAID = ("return_code", "access_minor", "access_major", "session")
"""What words 3 to 6 of the block say once more."""

Words = np.ndarray[tuple[int, int], np.dtype[np.uint32]]


def with_blocks(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds `block_at`; a record whose block says anything else than its text is no longer sure."""
    block = frame["raw_block"]
    if block.is_null().all():
        return frame.with_columns_seq(block_at=pl.lit(None, TIMESTAMP), zone_detail=pl.lit(None, pl.String))
    usable = frame["sure"] & (block.str.len_bytes() >= 2 * raw_block.LENGTH) & (block.str.len_bytes() % 2 == 0)
    usable = usable.fill_null(value=False)
    shown = frame.filter(usable)
    words = _words(shown["raw_block"].str.head(2 * raw_block.LENGTH))
    block_at = pl.Series(words[:, 2].astype(np.int64) * 1_000_000, dtype=pl.Int64).cast(TIMESTAMP)
    apart = (shown["record_at"] - block_at).dt.total_seconds()
    agrees = pl.DataFrame({"row": usable.arg_true(), "block_at": block_at, "agrees": _agree(shown, words, apart)})
    agrees = agrees.with_columns_seq(zone_detail=_zones(apart))
    joined = frame.with_row_index("row").join(agrees, on="row", how="left", maintain_order="left").drop("row")
    fits = pl.col("raw_block").is_null() | pl.col("agrees").fill_null(value=False)
    return joined.with_columns_seq(sure=pl.col("sure") & fits).drop("agrees")


def _zones(apart: pl.Series) -> pl.Series:
    """The offset of the appliance's clock as a member of the details; null where there is none."""
    if not (apart != 0).any():
        return pl.repeat(None, apart.len(), dtype=pl.String, eager=True)
    return distinct(apart.cast(pl.String)).judged(_zone, pl.String)


def _zone(seconds: str) -> str | None:
    return f'"zone":"{raw_block.offset(int(seconds))}"' if int(seconds) else None


def _agree(shown: pl.DataFrame, words: Words, apart: pl.Series) -> pl.Series:
    """Whether sequence, code, access and session are the same, and the times apart by no more than a zone."""
    agree = (apart % raw_block.QUARTER == 0) & (apart.abs() <= raw_block.WIDEST_ZONE) & pl.Series(words[:, 2] != 0)
    said = words.astype(np.uint64)
    agree &= _same(shown["audit_sequence"] & 0xFFFFFF, said[:, 0] & np.uint64(0xFFFFFF))
    for place, name in enumerate(_SAID, 3):
        agree &= _same(shown[name], said[:, place])
    return agree.fill_null(value=False)


def _same(said: pl.Series, shown: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> pl.Series:
    return (said.cast(pl.UInt64) == pl.Series(shown)).fill_null(value=True)


def _words(blocks: pl.Series) -> Words:
    """The 32-bit words of blocks of the same length, one row each."""
    data = blocks.str.decode("hex").to_list()
    return np.frombuffer(b"".join(data), dtype="<u4").reshape(len(data), raw_block.LENGTH // 4)
