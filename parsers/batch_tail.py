"""The ends of audit records in a batch: each distinct middle and tail read once, and what they mean together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from parsers import body as bodies
from parsers import record, template
from parsers.columns import PARSED
from parsers.cutting import groups, members, replaced, split
from parsers.distinct import Distinct, combined, distinct, indexed
from parsers.remembering import remembered

if TYPE_CHECKING:
    from parsers.pattern import Pattern

STAND_IN = "1,00/01/01 00:00:00,session 1 Access 1:1 "
"""Stands for everything before the middle, so that the pattern itself can read it."""

_MIDDLE: dict[str, pl.DataType] = {
    "actor": pl.String(),
    "vendor_event": pl.String(),
    "return_name": pl.String(),
    "printed_code": pl.UInt32(),
    "actor_detail": pl.String(),
    "bracket_cut": pl.Boolean(),
    "middle_sure": pl.Boolean(),
}
_TAIL: dict[str, pl.DataType] = {
    "partition": pl.String(),
    "role_id": pl.UInt8(),
    "object_handle": pl.UInt64(),
    "object_uid": pl.String(),
    "entry": pl.String(),
    "tail_detail": pl.String(),
    "tail_sure": pl.Boolean(),
}
_USUAL = ("partition", "role_id", "key", "object_handle", "using", "entry")
_MEANT = ("operation", "command_class", "return_code", "outcome", "strike", "role")
_KEY = "key="
_CONTAINER = "+"
_LONGEST = 18
"""Digits of a number as JSON writes it (template.KINDS, `plain`)."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What each distinct end says, a row of `table` for each, and which of them each record has."""

    codes: pl.Series
    table: pl.DataFrame

    def spread(self, *names: str) -> pl.DataFrame:
        """Columns of the table, one row per record."""
        return self.table.select_seq(pl.col(*names).gather(self.codes))

    def column(self, entries: pl.Series) -> Distinct:
        """What a column with an entry per distinct end says of each record."""
        return indexed(entries, self.codes)


def read_middles(texts: pl.Series, pattern: Pattern) -> Ends:
    """Actor, event and result of each record: columns _MIDDLE."""
    each = distinct(texts)
    rows = [_middle(text, pattern) for text in each.values.to_list()]
    return Ends(each.codes, pl.DataFrame(rows, schema=_MIDDLE, orient="row"))


@remembered(4096)
def _middle(text: str | None, pattern: Pattern) -> tuple[object, ...]:
    """By the pattern itself. Only one reading is possible where the words that divide it come once."""
    nothing = (None,) * (len(_MIDDLE) - 1) + (False,)
    if text is None or text.count("operation") != 1 or text.count("returned") != 1:
        return nothing
    bracket_cut = text.count("(") - text.count(")") == 1
    captures = pattern.captures(STAND_IN + text + (")" if bracket_cut else ""))
    if captures is None:
        return nothing
    said = {entry.name: found for entry, found in zip(pattern.fields, captures, strict=True) if found is not None}
    code = bodies.number_of(said["return_code"]) if "return_code" in said else None
    if "tail" in said or said["vendor_event"] == bodies.EXTERNAL or (code is not None and code >> 32):
        return nothing
    actor = said.get("actor", "").strip(" ")
    detail = _inside(bodies.as_text({"actor": actor})) if actor else None
    return actor, said["vendor_event"], said["return_name"], code, detail, bracket_cut, True


def _inside(braced: str | None) -> str | None:
    """The members of a JSON object without its braces."""
    return braced[1:-1] if braced else None


def read_tails(texts: pl.Series, pattern: Pattern) -> tuple[Ends, pl.Series]:
    """What each form of a tail says, columns _TAIL, and the number of the key or object of each record.

    Usual tails are read at once, others word by word. Keys would make nearly every tail distinct: their numbers are
    taken out first.
    """
    codes, forms, numbers = _numbered(texts)
    ends = Ends(codes, _forms(forms, pattern))
    handles = numbers.cast(pl.UInt64, strict=False)
    odd = ~(_plain(numbers, handles) & ends.spread("tail_sure").to_series())
    if odd.any():
        ends, handles = _with_odd(ends, texts.filter(odd), odd.arg_true()), handles.set(odd, None)
    own = ends.spread("object_handle").to_series()
    return ends, pl.select(pl.coalesce(handles, own)).to_series().alias("object_handle")


def _with_odd(usual: Ends, texts: pl.Series, places: pl.Series) -> Ends:
    """With the tails of some records read word by word."""
    each = distinct(texts)
    rows = pl.DataFrame([_odd(text) for text in each.values.to_list()], schema=_TAIL, orient="row")
    codes = replaced(usual.codes, places, each.codes + usual.table.height)
    return Ends(codes, pl.concat([usual.table, rows]))


def _odd(text: str) -> tuple[object, ...]:
    tail = record.read(text.strip(" "), record.pieces(text))
    sure = "operation" not in text and "role" not in tail.columns
    columns = (tail.columns.get(name) for name in list(_TAIL)[:5])
    return (*columns, _inside(bodies.as_text(tail.details)), sure)


def _numbered(texts: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The form of each tail (its code, and the forms), and its key's number."""
    cut = split(texts, _KEY, ["before", "rest"])
    cut = cut.drop("rest").hstack(split(cut["rest"], " ", ["number", "after"]))
    number = cut["number"]
    keyed = Distinct(number.is_not_null().cast(pl.UInt32), pl.Series([False, True]))
    codes, parts = combined([distinct(cut["before"]), distinct(cut["after"]), keyed])
    before, after, key = parts.get_columns()
    form = pl.concat_str(before, pl.lit(f"{_KEY}0 "), after.fill_null(""))
    return codes, pl.select(pl.when(key).then(form).otherwise(before)).to_series(), number


def _plain(numbers: pl.Series, handles: pl.Series) -> pl.Series:
    """Whether a number that can be read is written as JSON would: without a plus sign or needless zeros."""
    plain = (numbers >= "1") & (numbers.str.len_bytes() <= _LONGEST) | (numbers == "0")
    return numbers.is_null() | (plain & handles.is_not_null())


def _forms(texts: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """What each form says, columns _TAIL; `tail_sure` is false where it is not as the family's `usual_tail` says."""
    names = [entry.name for entry in template.fields(pattern.usual_tail)]
    form = rf"(?s)^()(?:{template.expression(pattern.usual_tail)}) *$"
    found = groups(" " + texts, form, ["matched", *names])
    found = found.with_columns_seq(pl.lit(None, pl.String).alias(name) for name in _USUAL if name not in names)
    role, key, handle = pl.col("role_id"), pl.col("key"), pl.col("object_handle")
    role_id = role.cast(pl.UInt8, strict=False)
    role_detail = pl.lit('"role_id":') + role
    using = pl.concat_str(pl.lit('"using":"'), pl.col("using"), pl.lit('"'))
    usual = (
        pl.col("matched").is_not_null() & (role.is_null() | role_id.is_not_null()) & (key.is_null() | handle.is_null())
    )
    return found.select_seq(
        "partition",
        role_id,
        pl.when(usual & key.is_null()).then(handle.cast(pl.UInt64, strict=False)).alias("object_handle"),
        pl.lit(None, pl.String).alias("object_uid"),
        "entry",
        tail_detail=members([role_detail, using]),
        tail_sure=usual | pl.lit(texts).is_null(),
    )


def meaning(middles: Ends, tails: Ends) -> pl.DataFrame:
    """The columns _MEANT and `body_trouble`: judged once per middle, role number and presence of a container."""
    role = pl.col("role_id").cast(pl.String).fill_null("")
    container = pl.when(pl.col("partition").is_not_null()).then(pl.lit(_CONTAINER)).otherwise(pl.lit(""))
    roles = tails.column(tails.table.select_seq(pl.concat_str(role, container)).to_series())
    number = pl.Series(range(middles.table.height), dtype=pl.UInt32)
    codes, pairs = combined([Distinct(middles.codes, number), roles])
    facts = middles.table.select_seq("vendor_event", "actor", "return_name", "printed_code").rows()
    rows = [_meaning(facts[middle], role or "") for middle, role in pairs.rows()]
    schema = {name: PARSED[name] for name in _MEANT} | {"body_trouble": pl.String()}
    return Ends(codes, pl.DataFrame(rows, schema=schema, orient="row")).spread(*schema)


def _meaning(facts: tuple[object, ...], role: str) -> tuple[object, ...]:
    event, actor, name, code = facts
    if not isinstance(event, str) or not isinstance(name, str):
        return (None,) * (len(_MEANT) + 1)
    number = role.removesuffix(_CONTAINER)
    judged = bodies.judge_event(
        event,
        str(actor or ""),
        name,
        code if isinstance(code, int) else None,
        int(number) if number else None,
        container=role.endswith(_CONTAINER),
    )
    return (*(judged.columns[column] for column in _MEANT), "; ".join(judged.trouble))
