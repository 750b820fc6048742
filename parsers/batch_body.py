"""The bodies of a batch: each pattern in turn over the messages that the ones before it left.

A pattern's regular expression is run by polars over all its messages at once; what its fields mean together is judged
once per distinct combination, by the same functions that read single lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from parsers import batch_record, template
from parsers.batch_fields import Fields
from parsers.batch_repeated import repeated
from parsers.cutting import groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.pattern import Pattern

FEW = 64
"""Fewer messages than this are cheaper one by one."""

_ALONE = ("event", "internal", "cloud")
"""Lookups and fields of audit records: what batch_record.py does not take of them is read line by line."""

_OF_RECORDS = ("stamp", "tail", "raw_block")


def read_bodies(messages: pl.DataFrame, candidates: Sequence[Pattern]) -> tuple[list[pl.DataFrame], pl.Series]:
    """Frames of what was matched, and the rows of what is left to the line engine.

    `messages` has `row` and `message`. Each frame has `row`, columns of the body, `details`, `body_trouble`, `pattern`,
    `pattern_version` and `family`; rows in no frame and not left over are no pattern's.
    """
    often = None if any(map(batch_record.knows, candidates)) else repeated(messages, candidates)
    known = None if often is None else often.spread(_by_pattern(often.texts, candidates, few=1)[0])
    if known is None:
        return _by_pattern(messages, candidates, FEW)
    frames, doubtful = _by_pattern(_without(messages, known), candidates, FEW)
    return [known, *frames], doubtful


def _by_pattern(
    messages: pl.DataFrame, candidates: Sequence[Pattern], few: int
) -> tuple[list[pl.DataFrame], pl.Series]:
    """Each pattern in turn; `few`: the fewest messages that are looked at together."""
    frames: list[pl.DataFrame] = []
    doubtful: list[pl.Series] = []
    for pattern in candidates:
        if messages.height < few:
            doubtful.append(messages["row"])
            break
        found = _read_pattern(messages, pattern)
        if found is None:
            continue
        sure, unsure = _parted(found)
        if sure.height:
            frames.append(_named(sure.drop("sure"), pattern))
        if unsure.height:
            doubtful.append(unsure["row"])
        if found.height == messages.height:
            break
        messages = _without(messages, found)
    return frames, pl.concat(doubtful) if doubtful else pl.Series("row", [], dtype=pl.UInt32)


def _without(messages: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    return messages.join(found.select_seq("row"), on="row", how="anti", maintain_order="left")


def _parted(found: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    if found["sure"].all():
        return found, found.clear()
    return found.filter(pl.col("sure")), found.filter(~pl.col("sure"))


def _named(frame: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    return frame.with_columns_seq(
        pattern=pl.lit(pattern.name), pattern_version=pl.lit(pattern.version), family=pl.lit(pattern.family)
    )


def _read_pattern(messages: pl.DataFrame, pattern: Pattern) -> pl.DataFrame | None:
    """The messages that a pattern knows; None when there are none."""
    if batch_record.knows(pattern):
        return _records(messages, pattern)
    needle = _needle(pattern)
    near = messages.filter(pl.col("message").str.contains(needle, literal=True)) if needle else messages
    if not near.height:
        return None
    if pattern.lookup in _ALONE or any(entry.name in _OF_RECORDS for entry in pattern.fields):
        known = near.filter(pl.col("message").str.contains(pattern.expression))
        return known.select_seq("row", sure=pl.lit(value=False)) if known.height else None
    return _extracted(near, pattern)


def _records(messages: pl.DataFrame, pattern: Pattern) -> pl.DataFrame | None:
    """Audit records; one that could not be cut with certainty stays, unsure, when it is this pattern's all the same."""
    found = batch_record.read_records(messages["message"], pattern).with_columns_seq(messages["row"])
    if found["sure"].all():
        return found
    unsure = messages.filter(~found["sure"])
    theirs = unsure.filter(~unsure["message"].str.contains(pattern.expression))
    found = _without(found, theirs)
    return found if found.height else None


def _needle(pattern: Pattern) -> str:
    """The longest literal that every message of a pattern holds."""
    texts = [node.text for node in pattern.nodes if isinstance(node, template.Literal)]
    return max(texts, key=len, default="")


def _extracted(near: pl.DataFrame, pattern: Pattern) -> pl.DataFrame | None:
    form = pattern.expression.replace("^", "^()", 1)
    names = ["matched", *(f"f{index}" for index in range(len(pattern.fields)))]
    found = groups(near["message"], form, names).with_columns_seq(near["row"]).filter(pl.col("matched").is_not_null())
    return Fields(pattern, found).frame() if found.height else None
