"""The ends of audit records in a batch: each distinct middle and tail read once, and what they mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from parsers import body as bodies
from parsers import record, template
from parsers.columns import PARSED
from parsers.cutting import groups, members, split
from parsers.distinct import distinct

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
_FACTS = ("vendor_event", "actor", "return_name", "printed_code", "role_id", "partition")
_MEANT = ("operation", "command_class", "return_code", "outcome", "strike", "role")
_NO_ROLE = 511
_KEY = "key="
_PLAIN = rf"^(?:{template.KINDS['plain']})$"


def read_middles(texts: pl.Series, pattern: Pattern) -> tuple[pl.DataFrame, pl.Series]:
    """Actor, event and result of each record, and the number of its middle among the distinct ones."""
    each = distinct(texts)
    return each.table((_middle(text, pattern) for text in each.values.to_list()), _MIDDLE), each.codes


def _middle(text: str, pattern: Pattern) -> tuple[object, ...]:
    """By the pattern itself. Only one reading is possible where the words that divide it come once."""
    nothing = (None,) * (len(_MIDDLE) - 1) + (False,)
    if text.count("operation") != 1 or text.count("returned") != 1:
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


def read_tails(texts: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """The columns _TAIL: usual tails at once, others word by word."""
    frame = texts.alias("text").to_frame().hstack(_numbered(texts))
    tails = _usual(frame, pattern)
    odd = frame["text"].is_not_null() & ~tails["tail_sure"]
    if not odd.any():
        return tails
    each = distinct(texts.filter(odd))
    rows = each.table((_odd(text) for text in each.values.to_list()), _TAIL)
    places = pl.concat([(~odd).arg_true(), odd.arg_true()])
    return pl.concat([tails.filter(~odd), rows])[places.arg_sort()]


def _odd(text: str) -> tuple[object, ...]:
    tail = record.read(text.strip(" "), record.pieces(text))
    sure = "operation" not in text and "role" not in tail.columns
    columns = (tail.columns.get(name) for name in list(_TAIL)[:5])
    return (*columns, _inside(bodies.as_text(tail.details)), sure)


def _numbered(texts: pl.Series) -> pl.DataFrame:
    """`form`: the tail with its key's number left out, and `number`: keys would make nearly every tail distinct."""
    cut = split(texts, _KEY, ["before", "rest"]).with_columns(texts.alias("text"))
    cut = cut.drop("rest").hstack(split(cut["rest"], " ", ["number", "after"]))
    fits = pl.col("number").str.contains(_PLAIN)
    form = pl.concat_str("before", pl.lit(f"{_KEY}0 "), pl.col("after").fill_null(""))
    return cut.select(form=pl.when(fits).then(form).otherwise("text"), number=pl.when(fits).then("number"))


def _usual(frame: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    """Tails that are as the family's `usual_tail` says, each form read once; `tail_sure` is false for the others."""
    each = distinct(frame["form"])
    forms = each.spread_all(_forms(each.values, pattern)).with_columns(frame["number"])
    number, handle = pl.col("number"), pl.col("number").cast(pl.UInt64, strict=False)
    return forms.select(
        "partition",
        "role_id",
        pl.coalesce(handle, "object_handle").alias("object_handle"),
        pl.lit(None, pl.String).alias("object_uid"),
        "entry",
        tail_detail="detail",
        tail_sure=pl.col("usual") & (number.is_null() | handle.is_not_null()),
    )


def _forms(texts: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """What each form says."""
    names = [entry.name for entry in template.fields(pattern.usual_tail)]
    form = rf"(?s)^()(?:{template.expression(pattern.usual_tail)}) *$"
    found = groups(" " + texts, form, ["matched", *names])
    found = found.with_columns(pl.lit(None, pl.String).alias(name) for name in _USUAL if name not in names)
    role, key, handle = pl.col("role_id"), pl.col("key"), pl.col("object_handle")
    role_id = role.cast(pl.UInt8, strict=False)
    role_detail = pl.lit('"role_id":') + role
    using = pl.concat_str(pl.lit('"using":"'), pl.col("using"), pl.lit('"'))
    return found.select(
        "partition",
        role_id,
        pl.coalesce(handle, key).cast(pl.UInt64, strict=False).alias("object_handle"),
        "entry",
        detail=members([role_detail, using]),
        usual=pl.col("matched").is_not_null()
        & (role.is_null() | role_id.is_not_null())
        & (key.is_null() | handle.is_null()),
    )


def with_meaning(frame: pl.DataFrame, middles: pl.Series) -> pl.DataFrame:
    """Adds operation, outcome, strike and role: judged once per middle, role number and presence of a container."""
    role = pl.col("role_id").cast(pl.UInt64).fill_null(_NO_ROLE)
    number = pl.lit(middles).cast(pl.UInt64) * 1024 + role * 2 + pl.col("partition").is_not_null()
    keys = frame.select(number.alias("key")).to_series()
    each = distinct(keys)
    facts = frame.select(*_FACTS, key=keys).unique("key", keep="any").drop_nulls("key")
    known = {row[-1]: _meaning(row[:-1]) for row in facts.iter_rows()}
    schema = {name: PARSED[name] for name in _MEANT} | {"body_trouble": pl.String()}
    return frame.hstack(each.table((known[key] for key in each.values.to_list()), schema))


def _meaning(facts: tuple[object, ...]) -> tuple[object, ...]:
    event, actor, name, code, role_id, partition = facts
    if not isinstance(event, str) or not isinstance(name, str):
        return (None,) * (len(_MEANT) + 1)
    judged = bodies.judge_event(
        event,
        str(actor or ""),
        name,
        code if isinstance(code, int) else None,
        role_id if isinstance(role_id, int) else None,
        container=partition is not None,
    )
    return (*(judged.columns[column] for column in _MEANT), "; ".join(judged.trouble))
