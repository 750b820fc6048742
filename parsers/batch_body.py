"""The bodies of a batch: each pattern in turn over the messages that the ones before it left.

A pattern's regular expression is run by polars over all its messages at once; what its fields mean together is judged
once per distinct combination, by the same functions that read single lines.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from parsers import batch_record, shell, template
from parsers import body as bodies
from parsers.columns import BITS, PARSED
from parsers.distinct import Distinct, distinct, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.patterns import Pattern

FEW = 64
"""Fewer messages than this are cheaper one by one."""

_JUDGED_FIELDS = ("return_name", "return_code", "code", "vendor_event", "command")
_ALONE = ("event", "internal")
"""Lookups and fields of audit records: what batch_record.py does not take of them is read line by line."""

_OF_RECORDS = ("stamp", "tail", "raw_block")

_SEPARATOR = "\x00"
_UNSAFE = r'["\\\x00-\x1f]'
_ORIGIN = r"(?s)^(.*?)(?:/([0-9]{1,5}))?$"


def read_bodies(messages: pl.DataFrame, candidates: Sequence[Pattern]) -> tuple[list[pl.DataFrame], pl.Series]:
    """Frames of what was matched, and the rows of what is left to the line engine.

    `messages` has `row` and `message`. Each frame has `row`, columns of the body, `details`, `body_trouble`, `pattern`,
    `pattern_version` and `family`; rows in no frame and not left over are no pattern's.
    """
    frames: list[pl.DataFrame] = []
    doubtful: list[pl.Series] = []
    for pattern in candidates:
        if messages.height < FEW:
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
        messages = messages.join(found.select("row"), on="row", how="anti", maintain_order="left")
    return frames, pl.concat(doubtful) if doubtful else pl.Series("row", [], dtype=pl.UInt32)


def _parted(found: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    if found["sure"].all():
        return found, found.clear()
    return found.filter(pl.col("sure")), found.filter(~pl.col("sure"))


def _named(frame: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    return frame.with_columns(
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
        return known.select("row", sure=pl.lit(value=False)) if known.height else None
    return _extracted(near, pattern)


def _records(messages: pl.DataFrame, pattern: Pattern) -> pl.DataFrame | None:
    """Audit records; one that could not be cut with certainty stays, unsure, when it is this pattern's all the same."""
    found = batch_record.read_records(messages["message"], pattern).with_columns(messages["row"])
    if found["sure"].all():
        return found
    unsure = messages.filter(~found["sure"])
    theirs = unsure.filter(~unsure["message"].str.contains(pattern.expression))
    found = found.join(theirs.select("row"), on="row", how="anti", maintain_order="left")
    return found if found.height else None


def _needle(pattern: Pattern) -> str:
    """The longest literal that every message of a pattern holds."""
    texts = [node.text for node in pattern.nodes if isinstance(node, template.Literal)]
    return max(texts, key=len, default="")


def _extracted(near: pl.DataFrame, pattern: Pattern) -> pl.DataFrame | None:
    form = pattern.expression.replace("^", "^()", 1)
    names = ["matched", *(f"f{index}" for index in range(len(pattern.fields)))]
    groups = near.select("row", pl.col("message").str.extract_groups(form).struct.rename_fields(names).alias("g")).unnest("g")
    groups = groups.filter(pl.col("matched").is_not_null())
    if not groups.height:
        return None
    return _Reading(pattern, groups).frame()


class _Reading:
    """One pattern's captured texts on their way to columns."""

    def __init__(self, pattern: Pattern, groups: pl.DataFrame) -> None:
        self.pattern = pattern
        self.row = groups["row"]
        self.columns: dict[str, pl.Series] = {}
        self.members: list[pl.Series] = []
        self.doubts: list[pl.Series] = []
        self.judged: list[tuple[int, pl.Series]] = []
        for index, entry in enumerate(pattern.fields):
            text = groups[f"f{index}"].str.strip_chars(" ")
            self._take(index, entry, text.set(text == "", None))

    def _take(self, index: int, entry: template.Field, text: pl.Series) -> None:
        if entry.name in _JUDGED_FIELDS:
            self.judged.append((index, text))
        if entry.name == "origin":
            self._origin(text)
        elif entry.name == "code":
            self._member("code_text", "word", text)
        elif entry.name in PARSED and entry.name not in _JUDGED_FIELDS:
            self._column(entry.name, text)
        elif entry.name not in _JUDGED_FIELDS:
            self._member(entry.name, entry.kind, text)

    def _column(self, name: str, text: pl.Series) -> None:
        if name not in BITS:
            self.columns[name] = text
            return
        number = whole(text, BITS[name])
        self.columns[name] = number
        self.doubts.append(number.is_null() & text.is_not_null())

    def _origin(self, text: pl.Series) -> None:
        names = ["source", "source_port"]
        parts = text.alias("o").to_frame().select(
            pl.col("o").str.extract_groups(_ORIGIN).struct.rename_fields(names).alias("g")
        ).unnest("g")
        self.columns["source"] = parts["source"].set(parts["source"] == "", None)
        self._column("source_port", parts["source_port"])

    def _member(self, name: str, kind: str, text: pl.Series) -> None:
        """One member of `details` as JSON text."""
        if kind == "decimal":
            shown = distinct(text).judged(lambda value: json.dumps(bodies.detail(kind, value)), pl.String)
        elif kind == "plain":
            shown = text
        else:
            self.doubts.append(text.str.contains(_UNSAFE).fill_null(value=False))
            shown = '"' + text + '"'
        self.members.append(f'"{name}":' + shown)

    def frame(self) -> pl.DataFrame:
        more, sure = self._judge()
        for doubt in self.doubts:
            sure &= ~doubt
        members = pl.DataFrame([member.alias(f"m{index}") for index, member in enumerate([*self.members, more["more_details"]])])
        joined = members.select(pl.concat_str(pl.all(), separator=",", ignore_nulls=True).alias("m"))
        details = joined.select(pl.when(pl.col("m") != "").then(pl.lit("{") + pl.col("m") + pl.lit("}"))).to_series()
        own = [series.alias(name) for name, series in self.columns.items() if name not in more.columns]
        return pl.DataFrame([self.row, *own]).hstack(more.drop("more_details")).with_columns(details=details, sure=sure)

    def _judge(self) -> tuple[pl.DataFrame, pl.Series]:
        """The judged columns per message, and whether its values fit."""
        if self.judged:
            keys = pl.DataFrame([text.fill_null("").alias(str(index)) for index, text in self.judged])
            each = distinct(keys.select(pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series())
        else:
            each = Distinct(pl.repeat(0, self.row.len(), dtype=pl.UInt32, eager=True), pl.Series([""]))
        judged = [self._one(key) for key in each.values.to_list()]
        names = sorted({name for columns in judged if columns for name in columns})
        schema = {name: PARSED.get(name, pl.String()) for name in names}
        rows = (tuple((columns or {}).get(name) for name in names) for columns in judged)
        fits = each.spread(pl.Series([columns is not None for columns in judged], dtype=pl.Boolean))
        return each.table(rows, schema), fits

    def _one(self, key: str) -> dict[str, object] | None:
        """What one combination of judged fields means; None where the line engine must look."""
        texts = dict(zip((index for index, _ in self.judged), key.split(_SEPARATOR), strict=False))
        body = bodies.read(self.pattern, [texts.get(index) for index in range(len(self.pattern.fields))], lambda _: None)
        if body is None or self._hides(texts):
            return None
        body.details.pop("code_text", None)
        more = bodies.as_text(body.details)
        kept = {name: value for name, value in body.columns.items() if value is not None and value != ""}
        return kept | {"more_details": more and more[1:-1], "body_trouble": "; ".join(body.trouble)}

    def _hides(self, texts: dict[int, str]) -> bool:
        """Whether a command holds a secret: its whole line is then rewritten by the line engine."""
        commands = (texts[index] for index, _ in self.judged if self.pattern.fields[index].name == "command")
        return any(shell.read(command).masked != command for command in commands)
