"""The captured texts of one pattern for a batch, on their way to columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from parsers import body as bodies
from parsers import shell
from parsers.columns import BITS, PARSED
from parsers.cutting import UNSAFE_IN_JSON, braced, groups, whole
from parsers.distinct import Distinct, distinct

if TYPE_CHECKING:
    from parsers.pattern import Pattern
    from parsers.template import Field

_JUDGED_FIELDS = ("return_name", "return_code", "code", "vendor_event", "command")
"""Fields that mean something together: each distinct combination is read by body.py."""

_SEPARATOR = "\x00"
_ORIGIN = r"(?s)^(.*?)(?:/([0-9]{1,5}))?$"


class Fields:
    """One pattern's captured texts on their way to columns."""

    def __init__(self, pattern: Pattern, groups: pl.DataFrame) -> None:
        self.pattern = pattern
        self.row = groups["row"]
        self.columns: dict[str, pl.Series] = {}
        self.members: list[pl.Series] = []
        self.doubts: list[pl.Series] = []
        self.judged: list[tuple[int, pl.Series]] = []
        for index, entry in enumerate(pattern.fields):
            self._take(index, entry, _stripped(groups[f"f{index}"]))

    def _take(self, index: int, entry: Field, text: pl.Series) -> None:
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
        number = text.alias(name).to_frame().select_seq(whole(name)).to_series()
        self.columns[name] = number
        self.doubts.append(number.is_null() & text.is_not_null())

    def _origin(self, text: pl.Series) -> None:
        parts = groups(text, _ORIGIN, ["source", "port"])
        self.columns["source"] = _none_if_empty(parts["source"])
        self._column("source_port", parts["port"])

    def _member(self, name: str, kind: str, text: pl.Series) -> None:
        """One member of `details` as JSON text."""
        if kind == "decimal":
            shown = distinct(text).judged(lambda value: json.dumps(bodies.detail(kind, value)), pl.String)
        elif kind == "plain":
            shown = text
        else:
            self.doubts.append(text.str.contains(UNSAFE_IN_JSON).fill_null(value=False))
            shown = '"' + text + '"'
        self.members.append(f'"{name}":' + shown)

    def frame(self) -> pl.DataFrame:
        """`row`, the columns, `details`, `body_trouble` and `sure`."""
        more, sure = self._judge()
        for doubt in self.doubts:
            sure &= ~doubt
        members = [member.alias(str(index)) for index, member in enumerate([*self.members, more["more_details"]])]
        details = pl.DataFrame(members).select_seq(braced([pl.all()])).to_series()
        own = [series.alias(name) for name, series in self.columns.items()]
        return (
            pl.DataFrame([self.row, *own])
            .hstack(more.drop("more_details"))
            .with_columns_seq(details=details, sure=sure)
        )

    def _judge(self) -> tuple[pl.DataFrame, pl.Series]:
        """The judged columns per message, and whether its values fit."""
        if self.judged:
            keys = pl.DataFrame([text.fill_null("").alias(str(index)) for index, text in self.judged])
            each = distinct(keys.select_seq(pl.concat_str(pl.all(), separator=_SEPARATOR)).to_series())
        else:
            each = Distinct(pl.repeat(0, self.row.len(), dtype=pl.UInt32, eager=True), pl.Series([""]))
        judged = [self._one(key) for key in each.values.to_list()]
        names = sorted({name for columns in judged if columns for name in columns} | {"more_details", "body_trouble"})
        schema = {name: PARSED.get(name, pl.String()) for name in names}
        rows = (tuple((columns or {}).get(name) for name in names) for columns in judged)
        fits = each.spread(pl.Series([columns is not None for columns in judged], dtype=pl.Boolean))
        return each.table(rows, schema), fits

    def _one(self, key: str) -> dict[str, object] | None:
        """What one combination of judged fields means; None where the line engine must look."""
        texts = dict(zip((index for index, _ in self.judged), key.split(_SEPARATOR), strict=False))
        body = bodies.read(
            self.pattern, [texts.get(index) for index in range(len(self.pattern.fields))], lambda _: None
        )
        if body is None or self._hides(texts):
            return None
        body.details.pop("code_text", None)
        more = bodies.as_text(body.details)
        kept = {name: value for name, value in body.columns.items() if value is not None and value != ""}
        return kept | {"more_details": more[1:-1] if more else None, "body_trouble": "; ".join(body.trouble)}

    def _hides(self, texts: dict[int, str]) -> bool:
        """Whether a command holds a secret: its whole line is then rewritten by the line engine."""
        commands = (texts[index] for index, _ in self.judged if self.pattern.fields[index].name == "command")
        return any(shell.read(command).masked != command for command in commands)


def _stripped(text: pl.Series) -> pl.Series:
    """Without the blanks around it; null where nothing else is there."""
    return _none_if_empty(text.str.strip_chars(" "))


def _none_if_empty(text: pl.Series) -> pl.Series:
    empty = text == ""
    return text.set(empty, None) if empty.any() else text
