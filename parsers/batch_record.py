"""HSM audit records of a batch: cut at commas and blanks, and every part checked.

It knows the built-in template and that alone; a record with a part that does not fit is left to the line engine.

    5,26/11/23 08:15:01,S/N 150718 session 1 Access 2147483651:2669 SO operation X returned RC_OK(0x0) container=20 …
    sequence, stamp, and the fixed words of the text             ... | middle                        | tail
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from parsers import clock, record, template
from parsers.batch_block import with_blocks
from parsers.batch_tail import Ends, meaning, read_middles, read_tails
from parsers.columns import TIMESTAMP
from parsers.cutting import UNSAFE_IN_JSON, braced, split, whole
from parsers.distinct import Distinct, combined, distinct, indexed
from parsers.remembering import remembered

if TYPE_CHECKING:
    from datetime import datetime

    from parsers.pattern import Pattern

KNOWN = template.read(
    "[?[?{prefix:before_caret}?]^[? ?]?]{audit_sequence:number}[? ?],[? ?]{stamp:stamp}[? ?],[? ?]"
    "[?S/N {hsm_serial:digits} ?]session {session:number} Access {access_major:number}:{access_minor:number} "
    "[?{actor:text} ?]operation {vendor_event:event} returned {return_name:constant}[?({return_code:code})?]"
    "[? {tail:tail}?][? ?][?,[? ?]{mac:hex64}[? ?],[? ?]{raw_block:block}?]"
)
_STAMP = re.compile(template.KINDS["stamp"])
_NUMBERS = ("audit_sequence", "session", "access_major", "access_minor")
_CUT = ("text", "sn", "w_session", "w_access", "access", "rest", "fixed")
_SURE = (
    (pl.col("sure") & pl.col("middle_sure") & pl.col("record_at").is_not_null()).fill_null(value=False)
    & pl.col("tail_sure").fill_null(value=True)
    # the bracket that closes the code was cut off with the blank before a tail: gone then, and only then
    & (pl.col("bracket_cut") == pl.col("tail").is_not_null()).fill_null(value=False)
)
_WORKING = ("stamp", "middle", "tail", "middle_sure", "tail_sure", "bracket_cut", "prefix_detail", "zone_detail")


def knows(pattern: Pattern) -> bool:
    """Whether a pattern is the one that is read here."""
    return pattern.nodes == KNOWN and pattern.lookup == "event" and not (pattern.constants or pattern.details)


def read_records(messages: pl.Series, pattern: Pattern) -> pl.DataFrame:
    """Per message: the columns of its body, `details`, `record_at`, `block_at`, `body_trouble`, `sure`.

    `record_at` is the stamp as written, before its device's zone. Where `sure` is false the others mean nothing.
    """
    frame = _words(_envelope(messages))
    middles, (tails, handles) = read_middles(frame["middle"], pattern), read_tails(frame["tail"], pattern)
    frame = frame.hstack(middles.spread("vendor_event", "return_name", "bracket_cut", "middle_sure"))
    frame = frame.hstack(tails.spread("partition", "role_id", "object_uid", "entry", "tail_sure"))
    frame = frame.hstack(meaning(middles, tails)).with_columns_seq(handles)
    frame = with_blocks(frame.with_columns_seq(record_at=distinct(frame["stamp"]).judged(_moment, TIMESTAMP)))
    actors, said = middles.column(middles.table["actor_detail"]), tails.column(tails.table["tail_detail"])
    serials = _partition_serials(distinct(frame["hsm_serial"]), tails)
    details = _details([distinct(frame["prefix_detail"]), actors, said, serials, distinct(frame["zone_detail"])])
    return frame.with_columns_seq(details=details, sure=_SURE).drop(_WORKING)


def _details(parts: list[Distinct]) -> pl.Series:
    """The JSON object of members, each distinct combination of them written once."""
    codes, combinations = combined(parts)
    return combinations.select_seq(braced([pl.all()])).to_series().gather(codes)


def _partition_serials(serials: Distinct, tails: Ends) -> Distinct:
    """As record.partition_serial says, as a member of the details."""
    said = tails.table.select_seq(pl.when(pl.col("role_id").is_null()).then("partition")).to_series()
    codes, pairs = combined([serials, tails.column(said)])
    members = pl.Series([_partition_serial(*pair) for pair in pairs.rows()], dtype=pl.String)
    return indexed(members, codes)


@remembered(4096)
def _partition_serial(hsm_serial: str | None, container: str | None) -> str | None:
    serial = record.partition_serial(hsm_serial, container, None)
    return f'"partition_serial":"{serial}"' if serial else None


def _moment(stamp: str) -> datetime | None:
    return clock.read(stamp, clock.EPOCH) if _STAMP.fullmatch(stamp) else None


def _envelope(messages: pl.Series) -> pl.DataFrame:
    """What stands around the text: prefix_detail, sequence, stamp, text, mac, raw_block and sure."""
    said: dict[str, pl.Expr | pl.Series] = {"prefix_detail": pl.lit(None, pl.String), "sure": pl.lit(value=True)}
    if messages.str.contains("^", literal=True).any():
        prefix, messages = _without_prefix(messages)
        said = dict(prefix.to_dict())
    cut = split(messages, ",", ["sequence", "stamp", "text", "mac", "raw_block"]).with_columns_seq(**said)
    if cut["sequence"].str.starts_with(" ").any():
        cut = cut.with_columns_seq(pl.col("sequence").str.strip_chars_start(" "))
    return cut if cut["mac"].is_null().all() else _proven(cut)


def _proven(cut: pl.DataFrame) -> pl.DataFrame:
    """With the proof behind the text, which is padded with blanks: a MAC and the raw block."""
    cut = cut.with_columns_seq(pl.col("text", "mac", "raw_block").str.strip_chars(" "))
    proof = pl.col("mac").str.contains(_form("hex64")) & pl.col("raw_block").str.contains(_form("block"))
    return cut.with_columns_seq(sure=pl.col("sure") & (pl.col("mac").is_null() | proof.fill_null(value=False)))


def _form(kind: str) -> str:
    return f"^(?:{template.KINDS[kind]})$"


def _without_prefix(messages: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """What stands before the first caret, as a member of the details, and the record after it."""
    cut = split(messages, "^", ["prefix", "rest"]).with_columns_seq(messages.alias("message"))
    there = pl.col("rest").is_not_null()
    prefix = pl.col("prefix").str.strip_chars(" ")
    said = cut.select_seq(
        prefix_detail=pl.when(there & (prefix != "")).then(pl.lit('"prefix":"') + prefix + pl.lit('"')),
        sure=~(there & pl.col("prefix").str.contains(UNSAFE_IN_JSON)),
    )
    return said, cut.select_seq(pl.coalesce("rest", "message")).to_series()


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
    words = split(cut["text"], " ", names)
    access = split(words["access"], ":", ["access_major", "access_minor"])
    halves = split(words["rest"], ") ", ["middle", "tail"])
    if not with_serial:
        words = words.with_columns_seq(hsm_serial=pl.lit(None, pl.String))
    number = pl.col("hsm_serial")  # a name in digits; one that is too large for a number is the line engine's
    serial = number.cast(pl.UInt64, strict=False).is_not_null() & (number >= "0") if with_serial else pl.lit(value=True)
    fixed = serial & (pl.col("w_session") == "session") & (pl.col("w_access") == "Access")
    parts = pl.concat([cut, words, access, halves], how="horizontal").rename({"sequence": "audit_sequence"})
    checked = parts.with_columns_seq(*(whole(name) for name in _NUMBERS), fixed=fixed)
    sure = pl.all_horizontal("sure", "fixed", *(pl.col(name).is_not_null() for name in _NUMBERS))
    return checked.select_seq(pl.exclude("sure", *_CUT), sure=sure.fill_null(value=False))
