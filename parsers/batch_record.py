"""HSM audit records of a batch: cut at commas and blanks, each distinct middle and tail judged once.

It knows the built-in template and that alone, and only records whose every part it has checked; the rest is left to
the engine that reads line by line.

    5,26/11/23 08:15:01,S/N 150718 session 1 Access 2147483651:2669 | SO operation X returned RC_OK(0x0) | container=20 …
    sequence, stamp, fixed words                                      middle                               tail
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from parsers import body as bodies
from parsers import clock, raw_block, record, template
from parsers.columns import PARSED, TIMESTAMP
from parsers.distinct import distinct, whole

if TYPE_CHECKING:
    from datetime import datetime

    from parsers.patterns import Pattern

KNOWN = (
    "[?[?{prefix:before_caret}?]^[? ?]?]{audit_sequence:number}[? ?],[? ?]{stamp:stamp}[? ?],[? ?]"
    "[?S/N {hsm_serial:digits} ?]session {session:number} Access {access_major:number}:{access_minor:number} "
    "[?{actor:text} ?]operation {vendor_event:event} returned {return_name:constant}[?({return_code:code})?][? {tail:tail}?]"
    "[? ?][?,[? ?]{mac:hex64}[? ?],[? ?]{raw_block:block}?]"
)
_KNOWN_NODES = template.read(KNOWN)
_STAND_IN = "1,00/01/01 00:00:00,session 1 Access 1:1 "
_STAMP = re.compile(template.KINDS["stamp"])
_UNSAFE = r'["\\\x00-\x1f]'

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
_JUDGED: dict[str, pl.DataType] = {
    name: PARSED[name] for name in ("operation", "command_class", "return_code", "outcome", "strike", "role")
} | {"body_trouble": pl.String()}
_NO_ROLE = 511
_WORKING = (
    *("stamp", "middle", "tail", "prefix_detail", "actor_detail", "tail_detail", "actor", "printed_code"),
    *("middle_sure", "tail_sure", "bracket_cut"),
)


def knows(pattern: Pattern) -> bool:
    """Whether a pattern is the one that is read here."""
    return pattern.nodes == _KNOWN_NODES and pattern.lookup == "event" and not (pattern.constants or pattern.details)


def read_records(messages: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """The columns of the body, `details`, `record_at` (as written), `block_at`, `body_trouble` and `sure`, per message."""
    frame = _words(_envelope(messages))
    middle = distinct(frame["middle"])
    parts = [
        frame,
        middle.table((_middle(text, pattern) for text in middle.values.to_list()), _MIDDLE),
        _tails(frame["tail"], pattern),
    ]
    frame = _judged(pl.concat(parts, how="horizontal"), middle.codes)
    stamps = distinct(frame["stamp"])
    frame = frame.with_columns(record_at=stamps.judged(_moment, TIMESTAMP))
    frame = frame.with_columns(block_at=pl.lit(None, TIMESTAMP)) if frame["raw_block"].is_null().all() else _blocks(frame)
    return frame.with_columns(
        details=_details(frame),
        sure=frame["sure"]
        & frame["middle_sure"].fill_null(value=False)
        & (frame["bracket_cut"] == frame["tail"].is_not_null()).fill_null(value=False)
        & frame["tail_sure"].fill_null(value=True)
        & frame["record_at"].is_not_null(),
    ).drop(_WORKING)


def _details(frame: pl.DataFrame) -> pl.Series:
    members = frame.select(
        pl.concat_str("prefix_detail", "actor_detail", "tail_detail", separator=",", ignore_nulls=True).alias("m")
    )
    braced = pl.lit("{") + pl.col("m") + pl.lit("}")
    return members.select(pl.when(pl.col("m") != "").then(braced)).to_series()


def _envelope(messages: pl.Series) -> pl.DataFrame:
    frame = messages.alias("message").to_frame()
    if messages.str.contains("^", literal=True).any():
        frame = _without_prefix(frame)
    else:
        frame = frame.with_columns(prefix_detail=pl.lit(None, pl.String), prefix_sure=pl.lit(value=True))
    names = ["sequence", "stamp", "text", "mac", "raw_block"]
    cut = frame.select(
        "prefix_detail", "prefix_sure", pl.col("message").str.splitn(",", 5).struct.rename_fields(names).alias("cut")
    ).unnest("cut")
    if cut["sequence"].str.starts_with(" ").any():
        cut = cut.with_columns(pl.col("sequence").str.strip_chars_start(" "))
    if cut["mac"].is_null().all():
        return cut.with_columns(sure=pl.col("prefix_sure")).drop("prefix_sure")
    cut = cut.with_columns(pl.col("text", "mac", "raw_block").str.strip_chars(" "))
    proof = pl.col("mac").str.contains(_form("hex64")) & pl.col("raw_block").str.contains(_form("block"))
    fits = pl.col("mac").is_null() | proof.fill_null(value=False)
    return cut.with_columns(sure=pl.col("prefix_sure") & fits).drop("prefix_sure")


def _form(kind: str) -> str:
    return f"^(?:{template.KINDS[kind]})$"


def _without_prefix(frame: pl.DataFrame) -> pl.DataFrame:
    """What stands before the first caret, as a member of the details, and the record after it."""
    names = ["prefix", "rest"]
    cut = frame.select("message", pl.col("message").str.splitn("^", 2).struct.rename_fields(names).alias("cut")).unnest("cut")
    there = pl.col("rest").is_not_null()
    prefix = pl.col("prefix").str.strip_chars(" ")
    quoted = pl.lit('"prefix":"') + prefix + pl.lit('"')
    return cut.select(
        message=pl.when(there).then(pl.col("rest")).otherwise(pl.col("message")),
        prefix_detail=pl.when(there & (prefix != "")).then(quoted),
        prefix_sure=~(there & pl.col("prefix").str.contains(_UNSAFE)),
    )


def _words(cut: pl.DataFrame) -> pl.DataFrame:
    """The fixed words of the text, checked, and the two parts that follow them."""
    serial = cut["text"].str.starts_with("S/N ").fill_null(value=False)
    if serial.all():
        return _cut_words(cut, with_serial=True)
    if not serial.any():
        return _cut_words(cut, with_serial=False)
    rows = cut.with_row_index("row")
    parts = [_cut_words(rows.filter(serial), with_serial=True), _cut_words(rows.filter(~serial), with_serial=False)]
    return pl.concat(parts, how="diagonal").sort("row").drop("row")


def _cut_words(cut: pl.DataFrame, *, with_serial: bool) -> pl.DataFrame:
    names = (["sn", "hsm_serial"] if with_serial else []) + ["w_session", "session", "w_access", "access", "rest"]
    words = cut.select(pl.col("text").str.splitn(" ", len(names)).struct.rename_fields(names).alias("w")).unnest("w")
    access = words.select(pl.col("access").str.splitn(":", 2).struct.rename_fields(["major", "minor"]).alias("a")).unnest("a")
    halves = words.select(pl.col("rest").str.splitn(") ", 2).struct.rename_fields(["middle", "tail"]).alias("h")).unnest("h")
    columns = {
        "hsm_serial": words["hsm_serial"] if with_serial else pl.Series([None] * cut.height, dtype=pl.String),
        "audit_sequence": whole(cut["sequence"], 64),
        "session": whole(words["session"], 64),
        "access_major": whole(access["major"], 64),
        "access_minor": whole(access["minor"], 64),
    }
    sure = cut["sure"] & (words["w_session"] == "session") & (words["w_access"] == "Access")
    for name in ("audit_sequence", "session", "access_major", "access_minor"):
        sure &= columns[name].is_not_null()
    if with_serial:
        sure &= words["hsm_serial"].str.contains(_form("digits"))
    kept = cut.drop("sequence", "text", "sure")
    return kept.with_columns(
        *(series.alias(name) for name, series in columns.items()), *halves.get_columns(), sure=sure.fill_null(value=False)
    )


def _middle(text: str, pattern: Pattern) -> tuple[object, ...]:
    """Actor, event and result of one middle, by the pattern itself; a closing bracket was cut off where a tail follows."""
    nothing = (None, None, None, None, None, None, False)
    if text.count("operation") != 1 or text.count("returned") != 1:
        return nothing
    cut = text.count("(") - text.count(")") == 1
    captures = pattern.captures(_STAND_IN + text + (")" if cut else ""))
    if captures is None:
        return nothing
    said = {field.name: captured for field, captured in zip(pattern.fields, captures, strict=True) if captured is not None}
    code = bodies.number_of(said["return_code"]) if "return_code" in said else None
    if "tail" in said or (code is not None and code >> 32):
        return nothing
    actor = said.get("actor", "").strip(" ")
    detail = (bodies.as_text({"actor": actor}) or "")[1:-1] if actor else None
    return actor, said["vendor_event"], said["return_name"], code, detail, cut, True


def _tails(tails: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """The tails: usual ones at once, others word by word."""
    each = distinct(tails)
    usual = _usual(each.values, pattern)
    odd = ~usual["tail_sure"]
    if odd.any():
        slow = [_odd(text) for text in each.values.filter(odd).to_list()]
        rows = pl.DataFrame(slow, schema=_TAIL, orient="row").with_columns(row=each.values.to_frame().with_row_index("row").filter(odd)["row"])
        fast = usual.with_row_index("row").filter(~odd)
        usual = pl.concat([fast, rows.select(fast.columns)]).sort("row").drop("row")
    return pl.DataFrame([each.spread(column) for column in usual.get_columns()])


def _odd(text: str) -> tuple[object, ...]:
    tail = record.read(text.strip(" "), record.pieces(text))
    sure = "operation" not in text and "role" not in tail.columns
    members = bodies.as_text(tail.details)
    names = ("partition", "role_id", "object_handle", "object_uid", "entry")
    return (*(tail.columns.get(name) for name in names), members and members[1:-1], sure)


def _usual(values: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """Tails that are as the family's `usual_tail` says; `tail_sure` is false for the others."""
    names = [field.name for field in template.fields(pattern.usual_tail)]
    form = rf"(?s)^()(?:{template.expression(pattern.usual_tail)}) *$"
    groups = values.alias("t").to_frame().select(
        (pl.lit(" ") + pl.col("t")).str.extract_groups(form).struct.rename_fields(["matched", *names]).alias("g")
    ).unnest("g")
    absent = pl.lit(None, pl.String)
    column = {name: pl.col(name) if name in names else absent for name in ("partition", "role_id", "key", "object_handle", "using", "entry")}
    frame = groups.select(
        "matched", *(value.alias(name) for name, value in column.items())
    ).with_columns(role=pl.col("role_id").cast(pl.UInt8, strict=False))
    members = [
        pl.lit('"role_id":') + pl.col("role_id"),
        pl.lit('"key":') + pl.col("key"),
        pl.lit('"using":"') + pl.col("using") + pl.lit('"'),
    ]
    sure = (
        pl.col("matched").is_not_null()
        & (pl.col("role_id").is_null() | pl.col("role").is_not_null())
        & ~(pl.col("key").is_not_null() & pl.col("object_handle").is_not_null())
    )
    detail = frame.select(pl.concat_str(members, separator=",", ignore_nulls=True).alias("d")).to_series()
    return frame.select(
        "partition",
        pl.col("role").alias("role_id"),
        pl.coalesce("object_handle", "key").cast(pl.UInt64, strict=False).alias("object_handle"),
        pl.lit(None, pl.String).alias("object_uid"),
        "entry",
        detail.set(detail == "", None).alias("tail_detail"),
        sure.alias("tail_sure"),
    )


def _judged(frame: pl.DataFrame, middles: pl.Series) -> pl.DataFrame:
    """Operation, outcome, strike and role of each distinct middle with its role number and container."""
    keys = frame.select(
        key=middles.cast(pl.UInt64) * 1024
        + pl.col("role_id").cast(pl.UInt64).fill_null(_NO_ROLE) * 2
        + pl.col("partition").is_not_null()
    ).to_series()
    each = distinct(keys)
    firsts = frame.select("actor", "vendor_event", "return_name", "printed_code", "role_id", "partition", "middle_sure").with_columns(key=keys)
    facts = firsts.unique("key", keep="any").drop_nulls("key")
    by_key = {row[-1]: row[:-1] for row in facts.iter_rows()}
    return frame.with_columns(each.table((_judge(*by_key[key]) for key in each.values.to_list()), _JUDGED).get_columns())


def _judge(  # noqa: PLR0913  (one row of facts)
    actor: str | None, event: str | None, name: str | None, code: int | None, role_id: int | None, partition: str | None, sure: bool  # noqa: FBT001
) -> tuple[object, ...]:
    if not sure:
        return (None,) * len(_JUDGED)
    judged = bodies.judge_event(event or "", actor or "", name, code, role_id, container=partition is not None)
    return (*(judged.columns[column] for column in list(_JUDGED)[:-1]), "; ".join(judged.trouble))


def _moment(stamp: str) -> datetime | None:
    return clock.read(stamp, clock.EPOCH) if _STAMP.fullmatch(stamp) else None


def _blocks(frame: pl.DataFrame) -> pl.DataFrame:
    """The second witness: where block and text agree the block's time counts; any other record is left to the slow engine."""
    digits = raw_block.LENGTH * 2
    block = frame["raw_block"]
    usable = block.is_not_null() & (block.str.len_bytes() >= digits) & (block.str.len_bytes() % 2 == 0) & frame["sure"]
    words = _block_words(block.filter(usable).str.head(digits))
    at = words[:, 2].astype(np.int64)
    shown = frame.filter(usable)
    agree = (
        _same(shown["audit_sequence"] & 0xFFFFFF, words[:, 0] & 0xFFFFFF)
        & _same(shown["return_code"], words[:, 3])
        & _same(shown["access_minor"], words[:, 4])
        & _same(shown["access_major"], words[:, 5])
        & _same(shown["session"], words[:, 6])
        & pl.Series(at != 0)
    )
    block_at = pl.Series(at * 1_000_000, dtype=pl.Int64).cast(TIMESTAMP)
    apart = (shown["record_at"] - block_at).dt.total_seconds()
    agree &= ((apart % 900 == 0) & (apart.abs() <= raw_block.WIDEST_ZONE)).fill_null(value=False)
    places = usable.arg_true()
    spread = pl.DataFrame({"row": places, "block_at": block_at, "agrees": agree})
    joined = frame.with_row_index("row").join(spread, on="row", how="left", maintain_order="left").drop("row")
    return joined.with_columns(
        sure=pl.col("sure") & (pl.col("raw_block").is_null() | pl.col("agrees").fill_null(value=False))
    ).drop("agrees")


def _same(said: pl.Series, shown: np.ndarray) -> pl.Series:
    return (said.cast(pl.UInt64) == pl.Series(shown.astype(np.uint64))).fill_null(value=True)


def _block_words(blocks: pl.Series) -> np.ndarray:
    """The 32-bit words of blocks of the same length."""
    data = blocks.str.decode("hex").to_list()
    return np.frombuffer(b"".join(data), dtype="<u4").reshape(len(data), raw_block.LENGTH // 4)
