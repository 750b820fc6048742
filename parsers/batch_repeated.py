"""Messages that many lines repeat, but for the address at their end: each of them is read once.

    info : 0 : NTLS Client "app-7" connected and authenticated : 192.0.2.17/51832
    what many lines say                                         | origin

They are read with STAND_IN for the origin. What takes that for the origin takes every address and port for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from parsers import template
from parsers.columns import PARSED
from parsers.cutting import groups
from parsers.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.pattern import Pattern

STAND_IN = "\n/1"
"""No sure line holds a line feed, so nobody can write it."""

FEW = 256
"""Fewer messages are not worth the look."""

OFTEN = 4
"""A message that comes so often is read once for all."""

_ORIGIN = r"[^ ] ((?:[0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,5})$"
_WITHIN_ORIGIN = re.compile(r"[0-9./]+")
_HOST, _PORT = STAND_IN.split("/")
_STOP = template.Literal(".")
_OWN = {"source": PARSED["source"], "source_port": PARSED["source_port"]}


@dataclass(frozen=True, slots=True)
class Repeated:
    """`rows`: `row`, `text` (its number) and the origin that was taken away; `texts`: `row` (its number), `message`."""

    rows: pl.DataFrame
    texts: pl.DataFrame

    def spread(self, frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
        """What frames say of the texts, said of each message that has one of them, with the message's own origin."""
        if not frames:
            return None
        read = pl.concat([_with_own(frame) for frame in frames], how="diagonal_relaxed")
        read = read.join(self.texts.select_seq("row", stands_in=pl.col("message").str.ends_with(STAND_IN)), on="row")
        taken = (pl.col("source") == _HOST) & (pl.col("source_port") == int(_PORT))
        read = read.filter(~pl.col("stands_in") | taken.fill_null(value=False)).drop("stands_in")
        theirs = self.rows.join(
            read.select_seq("row").with_row_index("place"), left_on="text", right_on="row", maintain_order="left"
        )
        said = read.select_seq(pl.exclude("row").gather(theirs["place"])).with_columns_seq(theirs["row"])
        return said.with_columns_seq(
            pl.when(theirs["source"].is_null()).then(pl.col(name)).otherwise(theirs[name]).alias(name) for name in _OWN
        )


def repeated(messages: pl.DataFrame, candidates: Sequence[Pattern]) -> Repeated | None:
    """None where it saves nothing. `messages` has `row` and `message`."""
    if messages.height < FEW:
        return None
    cut = _without_origins(messages, candidates)
    each = distinct(cut["message"])
    often = np.bincount(each.codes.to_numpy(), minlength=each.values.len()) >= OFTEN
    rows = cut.select_seq("row", *_OWN, text=each.codes).filter(pl.Series(often).gather(each.codes) & cut["fits"])
    texts = pl.DataFrame({"message": each.values}).with_row_index("row").filter(pl.Series(often))
    return Repeated(rows, texts) if rows.height else None


def _with_own(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns_seq(pl.lit(None, kind).alias(name) for name, kind in _OWN.items() if name not in frame)


def _without_origins(messages: pl.DataFrame, candidates: Sequence[Pattern]) -> pl.DataFrame:
    """With STAND_IN in the place of an origin at the end, which is in columns of its own, and `fits` them."""
    wanted = any(entry.name == "origin" for pattern in candidates for entry in pattern.fields)
    if not wanted or not all(takes_whole_words(pattern.nodes) for pattern in candidates):
        return messages.with_columns_seq(*(pl.lit(None, kind).alias(name) for name, kind in _OWN.items()), fits=True)
    origin = groups(messages["message"], _ORIGIN, ["origin"])["origin"]
    before = pl.col("message").str.len_bytes() - pl.col("origin").str.len_bytes()
    text = pl.col("message").cast(pl.Binary).bin.slice(0, before).cast(pl.String) + STAND_IN
    parts = pl.col("origin").str.splitn("/", 2).struct
    port = parts.field("field_1").cast(PARSED["source_port"], strict=False)
    return messages.with_columns_seq(origin=origin).select_seq(
        "row",
        message=pl.when(pl.col("origin").is_null()).then("message").otherwise(text),
        source=parts.field("field_0"),
        source_port=port,
        fits=pl.col("origin").is_null() | port.is_not_null(),  # another pattern's, with a port that is none
    )


@lru_cache(maxsize=1024)
def takes_whole_words(nodes: tuple[template.Node, ...]) -> bool:
    """Whether an origin can only be taken as a whole by one field: nothing else in the template fits within it.

    A full stop at the very end fits behind it, and never within it: its last character is a digit.
    """
    shape = _shape(nodes)
    before = {one for one, _ in shape.pairs}
    words = {word for node in shape.nodes if node != _STOP or node in before for word in _words(node)}
    side_by_side = any(isinstance(one, template.Field) and isinstance(two, template.Field) for one, two in shape.pairs)
    return not side_by_side and not any(_WITHIN_ORIGIN.fullmatch(word) for word in words)


def _words(node: template.Node) -> list[str]:
    """What a node wants to the letter; blanks within it stand before an origin as well as any others."""
    match node:
        case template.Literal(text):
            return [text]
        case template.Field(_, kind) if "|" in kind:
            return re.split(r"[ |]", kind)
    return []


@dataclass(slots=True)
class _Shape:
    """Which nodes of a template can be its first and its last, and which can follow one another."""

    nodes: list[template.Node] = field(default_factory=list)
    firsts: list[template.Node] = field(default_factory=list)
    lasts: list[template.Node] = field(default_factory=list)
    pairs: list[tuple[template.Node, template.Node]] = field(default_factory=list)
    may_be_empty: bool = True

    def add(self, part: _Shape, *, may_be_left_out: bool) -> None:
        self.nodes += part.nodes
        self.pairs += part.pairs + list(product(self.lasts, part.firsts))
        self.firsts += part.firsts if self.may_be_empty else []
        self.lasts = (self.lasts if may_be_left_out else []) + part.lasts
        self.may_be_empty &= may_be_left_out


def _shape(nodes: tuple[template.Node, ...]) -> _Shape:
    shape = _Shape()
    for node in nodes:
        if isinstance(node, template.Optional):
            shape.add(_shape(node.nodes), may_be_left_out=True)
        else:
            shape.add(_Shape([node], [node], [node], [], may_be_empty=False), may_be_left_out=False)
    return shape
