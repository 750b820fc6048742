"""What a receiver would have spooled of the week: a batch for every minute, be it an empty one, with its counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from store.custody import Counters
from store.writer import StoredBatch

if TYPE_CHECKING:
    from datetime import datetime

    from support.ordinary.wire import Line

RECEIVER = 1 << 48
LISTENERS = ("udp", "tcp", "import")
ROW = {
    "raw": pl.Binary,
    "received_at": pl.Datetime("us"),
    "listener": pl.String,
    "peer": pl.String,
    "batch": pl.UInt64,
}
IDENTITY = ["record_id", "batch", "received_at", "listener", "transport", "peer", "peer_port", "peer_identity"]


@dataclass(frozen=True, slots=True)
class Minute:
    """The lines that were committed at a moment, each with the time and the listener it was received at, and its peer."""

    at: datetime
    lines: list[tuple[Line, datetime, str, str]]
    dropped: int = 0


@dataclass
class Arrivals:
    """Numbers records and batches, and counts, without end."""

    batches: int = 0
    records: int = 0
    counters: dict[str, Counters] = field(default_factory=lambda: dict.fromkeys(LISTENERS, Counters()))

    def spooled(self, minutes: list[Minute]) -> tuple[list[StoredBatch], pl.DataFrame]:
        """The batches, and their rows as the loader reads them."""
        rows = [
            (line.raw, received_at, listener, peer, RECEIVER + self.batches + number)
            for number, minute in enumerate(minutes, 1)
            for line, received_at, listener, peer in minute.lines
        ]
        frame = pl.DataFrame(rows, schema=ROW, orient="row").with_columns(
            record_id=pl.int_range(1, 1 + pl.len(), dtype=pl.UInt64) + RECEIVER + self.records,
            transport=pl.col("listener"),
            peer_port=pl.lit(514, dtype=pl.UInt16),
            peer_identity=pl.lit(""),
            trouble=pl.lit(""),
        )
        return [self._batch(minute) for minute in minutes], frame

    def _batch(self, minute: Minute) -> StoredBatch:
        self.batches += 1
        first, rows = RECEIVER + self.records + 1, len(minute.lines)
        self.records += rows
        for listener in LISTENERS:
            mine, before = sum(one[2] == listener for one in minute.lines), self.counters[listener]
            dropped = before.kernel_dropped + (minute.dropped if listener == "udp" else 0)
            self.counters[listener] = Counters(before.received + mine, dropped, {}, 0, before.spooled + mine)
        return StoredBatch(
            batch=RECEIVER + self.batches,
            first_record=first,
            rows=rows,
            sha256=f"{self.batches:064x}",
            previous=f"{self.batches - 1:064x}",
            committed_at=minute.at,
            segment="spool/main/000000000001.arrow",
            counters=dict(self.counters),
        )
