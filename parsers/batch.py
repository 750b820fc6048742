"""Many lines at once: what the service calls.

Everything that can be read for a whole batch is; a line with anything doubtful in it goes to the line engine, so both
always say the same. `tests/parsers/test_engines_agree.py` holds them to that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import polars as pl

from parsers import line, partitions
from parsers.batch_body import read_bodies
from parsers.batch_frame import believed, finished, joined, texts, unframed, with_devices, with_serials, with_times
from parsers.batch_head import Clock, read_heads
from parsers.columns import PARSED
from parsers.distinct import distinct

if TYPE_CHECKING:
    from parsers.inventory import Inventory
    from parsers.pattern import Pattern
    from parsers.patterns import Patterns

log = logging.getLogger("hsmtrail.parsers")

FEW = 256
"""Smaller batches are quicker line by line."""

_INPUT = ("raw", "received_at", "peer", "peer_identity", "trouble")


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
        except Exception:  # whatever it is, it must not stop the loader: the line engine reads anything
            log.exception("bulk_parsing_failed", extra={"facts": {"lines": lines.height}})
            return self.one_by_one(lines)

    def one_by_one(self, lines: pl.DataFrame) -> pl.DataFrame:
        """By the line engine alone."""
        rows = [
            tuple(line.parse(line.Received(*received), self.patterns, self.inventory, self._engine).values())
            for received in lines.select_seq(_INPUT).iter_rows()
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
        raw, readable = texts(lines["raw"])
        text, plain = unframed(raw)
        received = lines["received_at"]
        span = Clock(received.min(), received.max())  # type: ignore[arg-type]  # a Datetime column that is not empty
        heads = read_heads(text, span, self.patterns.programs)
        sure = readable & plain & (text != "") & heads["sure"]
        frame = (
            heads.drop("sure")
            .with_columns_seq(lines.select_seq(pl.exclude("raw")).get_columns())
            .with_columns_seq(raw=raw)
        )
        frame = frame.with_row_index("row").hstack(self._programs(frame["program"]))
        frame, doubtful = self._with_bodies(frame, sure)
        read = ~frame["bare"] | frame["pattern"].is_not_null()  # a line that nobody knows is partial by its header
        frame, agreed = with_devices(with_serials(frame), self.inventory)
        frame, settled = partitions.settled(frame, self.inventory)
        frame = with_times(frame, self.inventory)
        return frame, sure & ~doubtful & agreed & settled & read & believed(frame)

    def _programs(self, programs: pl.Series) -> pl.DataFrame:
        """Per line: its group of patterns, and its program's family."""
        each = distinct(programs)
        schema = {"group": pl.UInt32(), "program_family": pl.String()}
        groups = {id(group): number for number, group in enumerate(self._groups())}
        rows = (
            (None, None)
            if name is None
            else (groups[id(self.patterns.candidates(name))], self.patterns.family_of(name))
            for name in each.values.to_list()
        )
        return each.table(rows, schema)

    def _groups(self) -> list[tuple[Pattern, ...]]:
        return [*self.patterns.by_program.values(), ()]

    def _with_bodies(self, frame: pl.DataFrame, sure: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
        """The frame with the columns of its bodies, and which rows the line engine must read."""
        frames: list[pl.DataFrame] = []
        doubtful = [pl.Series("row", [], dtype=pl.UInt32)]
        read = frame.select_seq("row", "message", "group")
        read = read if sure.all() else read.filter(sure)
        for number in read["group"].unique().to_list():
            part = read if read["group"].n_unique() == 1 else read.filter(pl.col("group") == number)
            found, left = read_bodies(part.select_seq("row", "message"), self._groups()[number])
            frames.extend(found)
            doubtful.append(left)
        frame = joined(frame, frames)
        doubtful.append(self._unmasked(frame))
        rows = pl.concat(doubtful)
        return frame, frame["row"].is_in(rows.implode())

    def _unmasked(self, frame: pl.DataFrame) -> pl.Series:
        """Lines that may hold a command which the command's own pattern has not looked at."""
        commands = [pattern.name for pattern in self.patterns.all if pattern.lookup == "command"]
        there = frame["raw"].str.contains(line.COMMAND, literal=True)
        if not there.any():
            return pl.Series("row", [], dtype=pl.UInt32)
        near = frame.select_seq("row", "raw", "pattern").filter(there)
        known = pl.col("pattern").is_in(commands) & (pl.col("raw").str.count_matches(line.COMMAND, literal=True) == 1)
        return near.filter(~known.fill_null(value=False))["row"]
