"""A batch as one frame: text out of bytes, and devices, times and the final columns onto it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from parsers import audit_file, clock
from parsers.columns import PARSED, WORDS
from parsers.cutting import replaced
from parsers.distinct import Distinct, combined, distinct

if TYPE_CHECKING:
    from collections.abc import Callable

    from parsers.inventory import Inventory

_MICROSECOND = timedelta(microseconds=1)
_EARLIEST, _AHEAD = (clock.EARLIEST - clock.EPOCH) // _MICROSECOND, clock.FURTHEST_AHEAD // _MICROSECOND


def texts(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The lines as text, and which of them are text."""
    try:
        text = raw.cast(pl.String)
        return text, text.is_not_null()
    except pl.exceptions.PolarsError:
        text = pl.Series([_utf8(line) for line in raw.to_list()], dtype=pl.String)
        return text.fill_null(""), text.is_not_null()


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def unframed(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Without the one CR or LF at the end, which is framing; and which lines hold no NUL or LF then.

    Nearly all lines hold none of the three, so all three are looked for at once.
    """
    odd = text.str.contains("[\\x00\\r\\n]")
    if not odd.any():
        return text, ~odd
    few = text.filter(odd)
    line = pl.col("line").str
    cut = pl.when(line.ends_with("\r")).then(line.strip_suffix("\r")).otherwise(line.strip_suffix("\n"))
    few = few.alias("line").to_frame().select_seq(cut).to_series()
    places = odd.arg_true()
    still = few.str.contains("[\\x00\\n]")
    return replaced(text, places, few), replaced(odd, places, still).not_()


def joined(frame: pl.DataFrame, bodies: list[pl.DataFrame]) -> pl.DataFrame:
    """The frame with the columns of the bodies; rows without a body have nulls there."""
    if not bodies:
        return frame.with_columns_seq(
            pl.lit(None, pl.String).alias(name) for name in ("pattern", "pattern_version", "family")
        )
    if len(bodies) == 1 and bodies[0].height == frame.height:
        return frame.hstack(bodies[0].drop("row"))
    together = bodies[0] if len(bodies) == 1 else pl.concat(bodies, how="diagonal_relaxed", rechunk=True)
    places = pl.repeat(None, frame.height, dtype=pl.UInt32, eager=True)
    places = places.scatter(together["row"], pl.arange(together.height, dtype=pl.UInt32, eager=True))
    return frame.hstack(together.select_seq(pl.exclude("row").gather(places)))


def with_serials(frame: pl.DataFrame) -> pl.DataFrame:
    """The serial of an audit record that does not name it, by the file that it was written to."""
    if "audit_sequence" not in frame.columns or "hsm_serial" not in frame.columns:
        return frame
    silent = frame["hsm_serial"].is_null() & frame["audit_sequence"].is_not_null()
    if not silent.any():
        return frame
    by_file = pl.coalesce(
        pl.col("message").str.extract(audit_file.BEFORE_CARET), pl.col("peer").str.extract(audit_file.PATH)
    )
    return frame.with_columns_seq(hsm_serial=pl.when(silent).then(by_file).otherwise("hsm_serial"))


def with_devices(frame: pl.DataFrame, inventory: Inventory) -> tuple[pl.DataFrame, pl.Series]:
    """Adds `device`, and says where all that names a device agrees."""
    agreed = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    if not inventory.devices:
        return frame.with_columns_seq(device=pl.lit("")), agreed
    says = {"peer_identity": inventory.by_certificate, "hsm_serial": inventory.by_serial, "peer": inventory.by_host}
    says |= {"host": inventory.by_host}
    said = [_judged(distinct(frame[column]), ask) for column, ask in says.items() if column in frame.columns]
    codes, named = combined(said)
    device = pl.coalesce(pl.all())
    each = named.select_seq(
        device=device.fill_null(""), agreed=pl.all_horizontal((pl.all() == device).fill_null(value=True))
    )
    spread = each.select_seq(pl.all().gather(codes))
    return frame.with_columns_seq(spread["device"]), spread["agreed"]


def _judged(column: Distinct, ask: Callable[[str], str]) -> Distinct:
    """The device that each value names, null where it names none."""
    names = [None if value is None else ask(value) or None for value in column.values.to_list()]
    return Distinct(column.codes, pl.Series(names, dtype=pl.String))


def with_times(frame: pl.DataFrame, inventory: Inventory) -> pl.DataFrame:
    """Adds sent_at, event_at and event_at_source."""
    moments = [name for name in ("record_at", "stamp_at") if name in frame.columns]
    if inventory.zones():
        zones = distinct(frame["device"]).judged(inventory.zone, pl.String)
        frame = frame.with_columns_seq(in_zone(frame, name, zones) for name in moments)
    sources = [("block_at", "raw_block"), ("record_at", "record"), ("stamp_at", "header"), ("received_at", "received")]
    sources = [(name, source) for name, source in sources if name in frame.columns]
    source: pl.Expr = pl.lit("received")
    for name, word in reversed(sources[:-1]):
        source = pl.when(pl.col(name).is_not_null()).then(pl.lit(word)).otherwise(source)
    return frame.with_columns_seq(
        sent_at=pl.col("stamp_at"), event_at=pl.coalesce(name for name, _ in sources), event_at_source=source
    )


def believed(frame: pl.DataFrame) -> pl.Series:
    """Where clock.doubt doubts nothing; a look at the ends of each column is enough for nearly every batch."""
    here = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    for name in ("block_at", "record_at", "stamp_at"):
        if name in frame.columns and not _between(frame[name], frame["received_at"]):
            sane = pl.col(name).is_between(clock.EARLIEST, pl.col("received_at") + clock.FURTHEST_AHEAD)
            here &= frame.select_seq(sane.fill_null(value=True)).to_series()
    return here


def _between(moments: pl.Series, received: pl.Series) -> bool:
    """Whether even the first and the last are believed. As numbers: Python has no year 0, an unsure row may."""
    times = moments.to_physical()
    first, last, arrived = times.min(), times.max(), received.to_physical().min()
    if not (isinstance(first, int) and isinstance(last, int) and isinstance(arrived, int)):
        return True
    return first >= _EARLIEST and last <= arrived + _AHEAD


def in_zone(frame: pl.DataFrame, name: str, zones: pl.Series) -> pl.Series:
    """Local times in UTC, each by the zone of its row's device; a header's stamp may name its zone itself."""
    zones = zones.set(frame["zoned"], "UTC") if name == "stamp_at" else zones
    local = frame[name]
    parts = pl.DataFrame({"minute": local.dt.truncate("1m"), "zone": zones})
    known = parts.unique().filter(pl.col("zone") != "UTC").drop_nulls()
    shifts = [clock.to_utc(minute, zone) - minute for minute, zone in known.iter_rows()]
    known = known.with_columns_seq(shift=pl.Series(shifts, dtype=pl.Duration("us")))
    shift = parts.join(known, on=["minute", "zone"], how="left", maintain_order="left")["shift"]
    return (local + shift.fill_null(timedelta())).alias(name)


def finished(frame: pl.DataFrame) -> pl.DataFrame:
    """Exactly the columns PARSED."""
    there = set(frame.columns)
    troubles = [name for name in ("trouble", "head_trouble", "body_trouble") if name in there]
    troubles = [name for name in troubles if (frame[name] != "").any()]
    trouble = (
        pl.concat_str((_or_null(name) for name in troubles), separator="; ", ignore_nulls=True)
        if troubles
        else pl.lit("")
    )
    frame = frame.with_columns_seq(
        trouble=trouble,
        family=pl.coalesce("family", "program_family"),
        status=pl.when(pl.col("pattern").is_null()).then(pl.lit("partial")).otherwise(pl.lit("parsed")),
    )
    columns = []
    for name, kind in PARSED.items():
        column = pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        columns.append(column.fill_null("") if name in WORDS else column)
    return frame.select_seq(columns)


def _or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))
