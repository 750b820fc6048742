"""The headers of a batch: the head is cut from the message, and each distinct head parsed once.

A head is sure when the header parser, given the head alone, finds a whole header and nothing after it: what follows
can then not change what it says. Stamps with fractions would make every head distinct, so they are cut out first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from parsers import clock, header
from parsers.columns import TIMESTAMP
from parsers.cutting import evaluated, groups, split
from parsers.distinct import distinct
from parsers.remembering import remembered

_STAMPED = r"^<[0-9]{1,3}>(?:1 )?[0-9]{4}-"
_SECOND = re.compile(r"(?!0|9999)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]", re.ASCII)
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_ISO = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:[0-9]{2})?$"
_WORDED = rf"^(<[0-9]{{1,3}}>)({clock.YEARLESS}|{clock.YEAR_FIRST})( .*)$"
_BARE = "^ *[0-9]{1,10},"
"""An audit record without a header, as the HSM's own files have it: no header begins so."""

_BEHIND_MARK = chr(ord(header.BYTE_ORDER_MARK) + 1)
_ENOUGH = 12
"""So many characters tell a stamped line, and a bare one that begins with one blank at most."""

_NO_HEAD = "\n"
"""The key of a line without a header. No sure line holds it; the head of one that begins with a colon is empty."""

_NO_DATA = " -"
_NEW_FORM = "\n"
"""Ends the key of an RFC 5424 head; every other head goes on with a colon and a blank. No sure line holds it."""

_ANY_STAMP = "2000-01-01T00:00:00Z"

HEAD_COLUMNS: dict[str, pl.DataType] = {
    "facility": pl.UInt8(),
    "severity": pl.UInt8(),
    "host": pl.String(),
    "program": pl.String(),
    "process_id": pl.String(),
    "message_id": pl.String(),
    "head_trouble": pl.String(),
    "stamp_at": TIMESTAMP,  # before its device's zone, unless it names its own
    "zoned": pl.Boolean(),
    "sure": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Clock:
    """When the batch was received: a year is certain only where both ends find the same, far from where years end."""

    earliest: datetime
    latest: datetime
    _known: dict[str, datetime | None] = field(default_factory=dict)

    def read(self, stamp: str) -> datetime | None:
        if stamp not in self._known:
            first = clock.read(stamp, self.earliest)
            certain = first and 1000 <= first.year < 9999 and first == clock.read(stamp, self.latest)
            self._known[stamp] = first if certain else None
        return self._known[stamp]


def read_heads(text: pl.Series, received: Clock, programs: frozenset[str]) -> pl.DataFrame:
    """The columns HEAD_COLUMNS, `message` and `bare` (there is no header) per line, in order.

    Where `sure` is false the others mean nothing.
    """
    lines = text.alias("text").to_frame().with_row_index("row")
    stamped, bare = _forms(text)
    if not (stamped | bare).any():
        cut = _worded(lines)
    elif bare.all():
        cut = _bare(lines)
    else:
        parts = [_worded(lines.filter(~stamped & ~bare)), _bare(lines.filter(bare)), *_iso(lines.filter(stamped))]
        cut = pl.concat(parts).sort("row")
    keys = distinct(cut["key"])
    heads = _heads(keys.values, received, programs)
    table = keys.spread_all(heads)
    return table.with_columns_seq(
        cut["message"],
        bare=bare,
        zoned=pl.when(cut["stamped"]).then(cut["zoned"]).otherwise(table["zoned"]),
        stamp_at=pl.when(cut["stamped"]).then(cut["stamp_at"]).otherwise(table["stamp_at"]),
        sure=table["sure"].fill_null(value=False) & cut["sure"],
    )


def _forms(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Which lines begin as _STAMPED says, and which as _BARE says; twelve characters say it of nearly all lines."""
    beginnings = distinct(text.str.head(_ENOUGH))
    stamped = beginnings.spread(beginnings.values.str.contains(_STAMPED))
    bare = beginnings.spread(beginnings.values.str.contains(_BARE))
    longer = beginnings.spread(beginnings.values.str.contains("^ {2}"))
    return stamped, bare | text.str.contains(_BARE) if longer.any() else bare


def _heads(keys: pl.Series, received: Clock, programs: frozenset[str]) -> pl.DataFrame:
    """The columns HEAD_COLUMNS of each head; heads that differ in their stamp alone are parsed once."""
    parts = groups(keys, _WORDED, ["pri", "stamp", "tag"]).with_columns_seq(keys.alias("whole"))
    plain = pl.concat_str("pri", pl.lit(_ANY_STAMP), "tag")
    each = distinct(parts.select_seq(pl.coalesce(plain, "whole")).to_series())
    table = each.table((_head(key, received, programs) for key in each.values.to_list()), HEAD_COLUMNS)
    stamps = distinct(parts["stamp"])
    own = stamps.judged(received.read, TIMESTAMP)
    cut = parts["stamp"].is_not_null()
    return table.with_columns_seq(
        zoned=table["zoned"] & ~cut,
        stamp_at=pl.when(cut).then(own).otherwise(table["stamp_at"]),
        sure=table["sure"] & (~cut | own.is_not_null()),
    )


def _head(key: str | None, received: Clock, programs: frozenset[str]) -> tuple[object, ...]:
    if key is None:
        return (None,) * len(HEAD_COLUMNS)
    if key == _NO_HEAD:
        return (None, None, "", "", None, None, "", None, False, True)
    new_form = key.endswith(_NEW_FORM)
    head = _parsed(key.removesuffix(_NEW_FORM) if new_form else f"{key}: ", programs)
    whole = head.message == "" and head.known and (head.program != "" or new_form)
    stamp_at = received.read(head.stamp) if whole and head.stamp else None
    return (
        head.facility,
        head.severity,
        head.host,
        head.program,
        head.process_id,
        head.message_id,
        "; ".join(head.trouble),
        stamp_at,
        head.stamp[-1:] == "Z" or head.stamp[-6:-5] in ("+", "-"),
        whole and (stamp_at is not None or not head.stamp),
    )


_parsed = remembered(4096)(header.parse)


def _worded(lines: pl.DataFrame) -> pl.DataFrame:
    """`<PRI>Nov 23 08:15:01 host tag[pid]: message`: everything to the first colon with a blank."""
    cut = split(lines["text"], ": ", ["head", "message"])
    return cut.select_seq(
        lines["row"],
        key=pl.col("head"),
        message=pl.col("message"),
        stamp_at=pl.lit(None, TIMESTAMP),
        stamped=pl.lit(value=False),
        zoned=pl.lit(value=False),
        sure=_no_mark("message"),
    )


def _bare(lines: pl.DataFrame) -> pl.DataFrame:
    """`1284001,26/11/16 00:43:44,S/N …`: all of it is the message."""
    return lines.select_seq(
        "row",
        key=pl.lit(_NO_HEAD),
        message=pl.col("text"),
        stamp_at=pl.lit(None, TIMESTAMP),
        stamped=pl.lit(value=False),
        zoned=pl.lit(value=False),
        sure=pl.lit(value=True),
    )


def _no_mark(column: str) -> pl.Expr:
    """Where a message begins with no byte-order mark, nor with the few characters that stand beside it in the order."""
    text = pl.col(column)
    return (~text.is_between(pl.lit(header.BYTE_ORDER_MARK), pl.lit(_BEHIND_MARK))).fill_null(value=False)


def _iso(lines: pl.DataFrame) -> list[pl.DataFrame]:
    """RFC 5424 without structured data, and rsyslog's forward form."""
    cut = split(lines["text"], ">", ["pri", "rest"]).with_columns_seq(lines["row"])
    new = cut["rest"].str.starts_with("1 ")
    return [_rfc5424(cut.filter(new)), _forwarded(cut.filter(~new))]


def _rfc5424(cut: pl.DataFrame) -> pl.DataFrame:
    names = ["one", "stamp", "host", "app", "pid", "id", "data", "message"]
    parts = split(cut["rest"], " ", names).with_columns_seq(cut["row"], cut["pri"])
    words = pl.concat_str("host", "app", "pid", "id", separator=" ")
    message = pl.col("message").fill_null("").str.strip_prefix(header.BYTE_ORDER_MARK)
    key = pl.concat_str("pri", pl.lit(">1 - "), words, pl.lit(_NO_DATA + _NEW_FORM))
    fits = (pl.col("data") == "-").fill_null(value=False)
    return _with_stamp(parts.with_columns_seq(key=key, message=message, fits=fits))


def _forwarded(cut: pl.DataFrame) -> pl.DataFrame:
    parts = split(cut["rest"], " ", ["stamp", "rest"])
    parts = split(parts["rest"], ": ", ["tag", "message"]).with_columns_seq(parts["stamp"], cut["row"], cut["pri"])
    key = pl.concat_str("pri", pl.lit(f">{_ANY_STAMP} "), "tag")
    return _with_stamp(parts.with_columns_seq(key=key, fits=_no_mark("message")))


def _with_stamp(parts: pl.DataFrame) -> pl.DataFrame:
    """Adds the moment that each line's own stamp says; a doubtful stamp makes the line unsure."""
    stamp = _usual_stamps(parts["stamp"])
    if stamp is None:
        stamp = groups(parts["stamp"], _ISO, ["second", "fraction", "offset"])
    offsets = distinct(stamp["offset"])
    shift = offsets.judged(_minutes, pl.Int64)
    second = distinct(stamp["second"]).judged(_second, TIMESTAMP)
    fraction = (stamp["fraction"].fill_null("") + "000000").str.head(6).cast(pl.Int64)
    moved = pl.col("second") + pl.duration(microseconds="fraction") - pl.duration(minutes="shift")
    stamp_at = evaluated(moved, second.alias("second"), fraction.alias("fraction"), shift.fill_null(0).alias("shift"))
    return parts.select_seq(
        "row",
        "key",
        "message",
        stamp_at=stamp_at,
        stamped=pl.lit(value=True),
        zoned=stamp["offset"].is_not_null(),
        sure=pl.col("fits") & (second.is_not_null() & (stamp["offset"].is_null() | shift.is_not_null())),
    )


def _usual_stamps(stamps: pl.Series) -> pl.DataFrame | None:
    """The parts of stamps by their places; None when some have no microseconds, as nearly all senders write them."""
    parts = (
        stamps.alias("stamp")
        .to_frame()
        .select_seq(
            second=pl.col("stamp").str.head(19),
            point=pl.col("stamp").str.slice(19, 1),
            fraction=pl.col("stamp").str.slice(20, 6),
            offset=pl.col("stamp").str.slice(26),
        )
    )
    digits = (parts["fraction"] >= "0") & parts["fraction"].cast(pl.UInt32, strict=False).is_not_null()
    known = distinct(parts["offset"]).judged(lambda offset: _OFFSET.fullmatch(offset) is not None, pl.Boolean)
    usual = digits & known & (parts["point"] == ".") & (parts["fraction"].str.len_bytes() == 6)
    if not usual.fill_null(value=False).all():
        return None
    offset = parts["offset"]
    return parts.with_columns_seq(offset.set(offset == "", None))


def _second(text: str) -> datetime | None:
    """A moment to the second; None where it is none, and for years and leap seconds that the line engine must judge."""
    if not _SECOND.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _minutes(offset: str) -> int | None:
    """Minutes east of UTC; None when there is no such offset."""
    if offset == "Z":
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        return None
    return (1 if offset[0] == "+" else -1) * (hours * 60 + minutes)
