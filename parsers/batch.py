"""Many lines at once: what the service calls.

Everything that can be read for a whole batch is; a line with anything doubtful in it goes to the line engine, so both
always say the same. `tests/parsers/test_engines_agree.py` holds them to that.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from parsers import clock, line
from parsers.batch_body import read_bodies
from parsers.batch_head import Clock, read_heads
from parsers.columns import PARSED, WORDS
from parsers.distinct import distinct
from parsers.patterns import plain_name

if TYPE_CHECKING:
    from parsers.inventory import Inventory
    from parsers.pattern import Pattern
    from parsers.patterns import Patterns

log = logging.getLogger("hsmtrail.parsers")

FEW = 64
"""Smaller batches are quicker line by line."""

_INPUT = ("raw", "received_at", "peer", "peer_identity", "trouble")
_A_COMMAND = r"(?i)command:"


class Parser:
    """Parses batches of received lines to the columns PARSED."""

    def __init__(self, patterns: Patterns, inventory: Inventory) -> None:
        self.patterns = patterns
        self.inventory = inventory
        self._engine = line.Expressions()

    def parse(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Same rows, same order, columns PARSED; never raises for any bytes.

        `lines` has received_at, peer, peer_identity, raw and trouble.
        """
        if lines.height < FEW:
            return self.one_by_one(lines)
        try:
            return self.at_once(lines)
        except pl.exceptions.PolarsError:
            log.exception("bulk_parsing_failed", extra={"facts": {"lines": lines.height}})
            return self.one_by_one(lines)

    def one_by_one(self, lines: pl.DataFrame) -> pl.DataFrame:
        """By the line engine alone."""
        rows = [
            tuple(line.parse(line.Received(*received), self.patterns, self.inventory, self._engine).values())
            for received in lines.select(_INPUT).iter_rows()
        ]
        return pl.DataFrame(rows, schema=PARSED, orient="row")

    def at_once(self, lines: pl.DataFrame) -> pl.DataFrame:
        """By the bulk engine, and by the line engine where that is in doubt."""
        frame, sure = self._read(lines)
        if sure.all():
            return finished(frame)
        unsure = ~sure
        parts = [finished(frame.filter(sure)), self.one_by_one(lines.filter(unsure))]
        places = pl.concat([sure.arg_true(), unsure.arg_true()])
        return pl.concat(parts)[places.arg_sort()]

    def _read(self, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        raw, plain = texts(lines["raw"])
        text = unframed(raw)
        received = lines["received_at"]
        span = Clock(received.min(), received.max())  # type: ignore[arg-type]  # a Datetime column that is not empty
        heads = read_heads(text, span, self.patterns.programs)
        sure = plain & (text != "") & heads["sure"]
        frame = heads.drop("sure").with_columns(lines.select(pl.exclude("raw")).get_columns()).with_columns(raw=raw)
        frame = frame.with_row_index("row").hstack(self._programs(frame["program"]))
        frame, doubtful = self._with_bodies(frame, sure)
        frame, agreed = with_devices(frame, self.inventory)
        return with_times(frame, self.inventory), sure & ~doubtful & agreed

    def _programs(self, programs: pl.Series) -> pl.DataFrame:
        """Per line: its group of patterns, its program's family, and whether it may hold a shell command."""
        each = distinct(programs)
        schema = {"group": pl.UInt32(), "program_family": pl.String(), "may_hold_command": pl.Boolean()}
        groups = {id(group): number for number, group in enumerate(self._groups())}
        rows = (
            (groups[id(self.patterns.candidates(name))], self.patterns.family_of(name), holds_command(name))
            for name in each.values.to_list()
        )
        return each.table(rows, schema)

    def _groups(self) -> list[tuple[Pattern, ...]]:
        return [*self.patterns.by_program.values(), ()]

    def _with_bodies(self, frame: pl.DataFrame, sure: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """The frame with the columns of its bodies, and which rows the line engine must read."""
        frames: list[pl.DataFrame] = []
        doubtful = [pl.Series("row", [], dtype=pl.UInt32)]
        read = frame.select("row", "message", "group")
        read = read if sure.all() else read.filter(sure)
        for number in read["group"].unique().to_list():
            part = read if read["group"].n_unique() == 1 else read.filter(pl.col("group") == number)
            found, left = read_bodies(part.select("row", "message"), self._groups()[number])
            frames.extend(found)
            doubtful.append(left)
        frame = joined(frame, frames)
        doubtful.append(self._unmasked(frame))
        rows = pl.concat(doubtful)
        return frame, frame["row"].is_in(rows.implode()) if rows.len() else pl.repeat(
            value=False, n=frame.height, dtype=pl.Boolean, eager=True
        )

    def _unmasked(self, frame: pl.DataFrame) -> pl.Series:
        """Lines that may hold a command which the command's own pattern has not looked at."""
        commands = [pattern.name for pattern in self.patterns.all if pattern.lookup == "command"]
        known = pl.col("pattern").is_in(commands) & (pl.col("raw").str.count_matches(_A_COMMAND) == 1)
        return frame.filter(
            pl.col("may_hold_command"), pl.col("raw").str.contains(_A_COMMAND), ~known.fill_null(value=False)
        )["row"]


def texts(raw: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The lines as text, and which of them are text without a NUL."""
    try:
        text = raw.cast(pl.String)
        plain = text.is_not_null()
    except pl.exceptions.PolarsError:
        text = pl.Series([_utf8(line_) for line_ in raw.to_list()], dtype=pl.String)
        plain = text.is_not_null()
        text = text.fill_null("")
    return text, plain & ~text.str.contains("\0", literal=True)


def _utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def unframed(text: pl.Series) -> pl.Series:
    """Without the one CR or LF at the end, which is framing."""
    ending = text.str.ends_with("\r") | text.str.ends_with("\n")
    if not ending.any():
        return text
    return (
        text.alias("t")
        .to_frame()
        .select(
            pl.when(pl.col("t").str.ends_with("\r"))
            .then(pl.col("t").str.strip_suffix("\r"))
            .otherwise(pl.col("t").str.strip_suffix("\n"))
        )
        .to_series()
    )


def holds_command(program: str) -> bool:
    return program == "" or plain_name(program) == line.COMMAND_PROGRAM


def joined(frame: pl.DataFrame, bodies: list[pl.DataFrame]) -> pl.DataFrame:
    """The frame with the columns of the bodies; rows without a body have nulls there."""
    if not bodies:
        return frame.with_columns(
            pl.lit(None, pl.String).alias(name) for name in ("pattern", "pattern_version", "family")
        )
    if len(bodies) == 1 and bodies[0].height == frame.height:
        return frame.hstack(bodies[0].drop("row"))
    together = bodies[0] if len(bodies) == 1 else pl.concat(bodies, how="diagonal_relaxed")
    return frame.join(together, on="row", how="left", maintain_order="left")


def with_devices(frame: pl.DataFrame, inventory: Inventory) -> tuple[pl.DataFrame, pl.Series]:
    """Adds `device`, and says where all that names a device agrees."""
    agreed = pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    if not inventory.devices:
        return frame.with_columns(device=pl.lit("")), agreed
    says = {"peer_identity": inventory.by_certificate, "hsm_serial": inventory.by_serial, "peer": inventory.by_host}
    says |= {"host": inventory.by_host}
    named = [distinct(frame[column]).judged(ask, pl.String) for column, ask in says.items() if column in frame.columns]
    named = [names.set(names == "", None) for names in named]
    device = pl.select(pl.coalesce(*named)).to_series()
    for names in named:
        agreed &= (names == device).fill_null(value=True)
    return frame.with_columns(device=device.fill_null("")), agreed


def with_times(frame: pl.DataFrame, inventory: Inventory) -> pl.DataFrame:
    """Adds sent_at, event_at and event_at_source."""
    moments = [name for name in ("record_at", "stamp_at") if name in frame.columns]
    if inventory.zones():
        zones = distinct(frame["device"]).judged(inventory.zone, pl.String)
        frame = frame.with_columns(in_zone(frame, name, zones) for name in moments)
    sources = [("block_at", "raw_block"), ("record_at", "record"), ("stamp_at", "header"), ("received_at", "received")]
    sources = [(name, source) for name, source in sources if name in frame.columns]
    source: pl.Expr = pl.lit("received")
    for name, word in reversed(sources[:-1]):
        source = pl.when(pl.col(name).is_not_null()).then(pl.lit(word)).otherwise(source)
    return frame.with_columns(
        sent_at=pl.col("stamp_at"), event_at=pl.coalesce(name for name, _ in sources), event_at_source=source
    )


def in_zone(frame: pl.DataFrame, name: str, zones: pl.Series) -> pl.Series:
    """Local times in UTC, each by the zone of its row's device; a header's stamp may name its zone itself."""
    zones = zones.set(frame["zoned"], "UTC") if name == "stamp_at" else zones
    local = frame[name]
    parts = pl.DataFrame({"minute": local.dt.truncate("1m"), "zone": zones})
    known = parts.unique().filter(pl.col("zone") != "UTC").drop_nulls()
    shifts = [clock.to_utc(minute, zone) - minute for minute, zone in known.iter_rows()]
    known = known.with_columns(shift=pl.Series(shifts, dtype=pl.Duration("us")))
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
    frame = frame.with_columns(
        trouble=trouble,
        family=pl.coalesce("family", "program_family"),
        status=pl.when(pl.col("pattern").is_null()).then(pl.lit("partial")).otherwise(pl.lit("parsed")),
    )
    columns = []
    for name, kind in PARSED.items():
        column = pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        columns.append(column.fill_null("") if name in WORDS else column)
    return frame.select(columns)


def _or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))
