"""The sums of custody: per minute and listener, what was received, refused, spooled, stored and copied.

received = spooled + refused, and spooled = stored, in every row where nothing was lost. The receiver counts without
end; a batch carries its counters as they stood when the batch was spooled. What a batch adds to them belongs to the
minute in which it was spooled.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from store.inserting import insert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import duckdb

SUMS = ("received", "kernel_dropped", "refused", "cut", "spooled", "stored", "copies")

COLUMNS: dict[str, type[pl.DataType] | pl.DataType] = {
    "minute": pl.Datetime("us"),
    "listener": pl.String,
    **dict.fromkeys(SUMS, pl.Int64),
    "refused_reasons": pl.String,
}

BALANCED = ("sent", "kernel_dropped", *(name for name in SUMS if name != "kernel_dropped"), "unaccounted", "not_stored")


@dataclass(frozen=True, slots=True)
class Counters:
    """One listener's figures, in messages; cumulative in a batch."""

    received: int = 0
    kernel_dropped: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    spooled: int = 0


@dataclass(slots=True)
class Entry:
    """What is to be added to one row of custody."""

    sums: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


class Ledger:
    """Collects what the batches of one transaction add."""

    def __init__(self) -> None:
        self._entries: dict[tuple[datetime, str], Entry] = {}

    def add(
        self,
        at: datetime,
        rows: Mapping[str, int],
        copies: Mapping[str, int],
        counters: Mapping[str, Counters],
        before: Mapping[str, Counters] | None,
    ) -> None:
        """One batch: its rows and copies by listener, its counters, and those of the receiver's batch before it.

        `before` is None when that batch is not known: then only what the batch itself holds can be said.
        """
        for listener in {*rows, *counters}:
            entry = self._entry(at, listener)
            stored = rows.get(listener, 0)
            entry.sums.update({"stored": stored, "copies": copies.get(listener, 0)})
            if before is None or listener not in counters:
                entry.sums.update({"received": stored, "spooled": stored})
            else:
                _grow(entry, counters[listener], before.get(listener, Counters()))

    def add_copies(self, at: datetime, listener: str, number: int) -> None:
        """Records that were stored before and have become copies; less than none when they became events."""
        self._entry(at, listener).sums["copies"] += number

    def write(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Add everything to the table, within the caller's transaction: what is new there at once, an outage's too."""
        there = _there(cursor, [minute for minute, _ in self._entries])
        new = [_row(*key, entry) for key, entry in self._entries.items() if key not in there]
        if new:
            insert(cursor, "custody", pl.DataFrame(new, schema=COLUMNS))
        for key, entry in self._entries.items():
            if key in there:
                _add(cursor, *key, entry, there[key])

    def _entry(self, at: datetime, listener: str) -> Entry:
        return self._entries.setdefault((at.replace(second=0, microsecond=0), listener), Entry())


@dataclass(frozen=True, slots=True)
class Balance:
    """The sums over all minutes and listeners. `minutes_off`: rows of custody_balance that are not nought."""

    sent: int
    kernel_dropped: int
    received: int
    refused: int
    cut: int
    spooled: int
    stored: int
    copies: int
    unaccounted: int
    not_stored: int
    minutes_off: int


def balance(cursor: duckdb.DuckDBPyConnection) -> Balance:
    """Of all that is stored. Sent = received + kernel_dropped, received = spooled + refused, spooled = stored."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in BALANCED)
    ((*row,),) = cursor.execute(
        f"SELECT {sums}, count(*) FILTER (unaccounted <> 0 OR not_stored <> 0) FROM custody_balance"  # noqa: S608
    ).fetchall()
    return Balance(*row)


def as_json(counters: Mapping[str, Counters]) -> str:
    """As `batches.counters` keeps them."""
    return json.dumps(
        {
            listener: {
                "received": one.received,
                "kernel_dropped": one.kernel_dropped,
                "refused": dict(one.refused),
                "cut": one.cut,
                "spooled": one.spooled,
            }
            for listener, one in counters.items()
        },
        separators=(",", ":"),
    )


def from_json(text: str) -> dict[str, Counters]:
    return {listener: Counters(**figures) for listener, figures in json.loads(text).items()}


def _grow(entry: Entry, now: Counters, before: Counters) -> None:
    for name in ("received", "kernel_dropped", "cut", "spooled"):
        entry.sums[name] += _growth(getattr(now, name), getattr(before, name))
    for reason, number in now.refused.items():
        grown = _growth(number, before.refused.get(reason, 0))
        if grown:
            entry.sums["refused"] += grown
            entry.reasons[reason] += grown


def _growth(now: int, before: int) -> int:
    """A counter that fell has begun anew."""
    return now - before if now >= before else now


def _there(cursor: duckdb.DuckDBPyConnection, minutes: Sequence[datetime]) -> dict[tuple[datetime, str], str]:
    """The rows that these minutes have already: why messages were refused."""
    if not minutes:
        return {}
    rows = cursor.execute(
        "SELECT minute, listener, refused_reasons FROM custody WHERE minute BETWEEN ? AND ?",
        [min(minutes), max(minutes)],
    ).fetchall()
    return {(minute, listener): reasons for minute, listener, reasons in rows}


def _row(minute: datetime, listener: str, entry: Entry) -> dict[str, object]:
    sums = {name: entry.sums[name] for name in SUMS}
    return {"minute": minute, "listener": listener, **sums, "refused_reasons": _reasons([entry.reasons])}


def _add(cursor: duckdb.DuckDBPyConnection, minute: datetime, listener: str, entry: Entry, reasons: str) -> None:
    cursor.execute(
        "UPDATE custody SET received = received + ?, kernel_dropped = kernel_dropped + ?, refused = refused + ?,"
        " cut = cut + ?, spooled = spooled + ?, stored = stored + ?, copies = copies + ?, refused_reasons = ?"
        " WHERE minute = ? AND listener = ?",
        [
            *(entry.sums[name] for name in SUMS),
            _reasons([Counter(json.loads(reasons)), entry.reasons]),
            minute,
            listener,
        ],
    )


def _reasons(parts: Iterable[Counter[str]]) -> str:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return json.dumps(total, sort_keys=True)
