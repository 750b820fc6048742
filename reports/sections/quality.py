"""P1, evidence quality: can a reader trust that everything was seen?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from reports.sections import quality_words as words
from reports.text import MINUS, duration

if TYPE_CHECKING:
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions

CLEAR_TEXT = {"udp", "tcp"}


@dataclass(frozen=True, slots=True)
class Counts:
    """The period's lines in numbers; `newest_received` is None for an empty store."""

    records: int
    unread: int
    backfilled: int
    devices_heard: int
    hours_heard: int
    devices_configured: int
    newest_received: datetime | None


@dataclass(frozen=True, slots=True)
class Channel:
    """What one family of one device brought; lags in seconds, None when every line was backfilled."""

    device: str
    family: str
    lines: int
    hours_heard: int
    longest_silence: float
    unread: int
    backfilled: int
    lag_median: float | None
    lag_slowest: float | None
    lag_quickest: float | None
    transports: tuple[str, ...]

    @property
    def clock(self) -> str:
        """'+3 s' when the device's clock is ahead; its quickest lines say so."""
        if self.lag_quickest is None:
            return ""
        ahead = -self.lag_quickest
        return f"{'+' if ahead > 0 else MINUS if ahead < 0 else ''}{duration(abs(ahead))}"

    @property
    def clear_text(self) -> bool:
        return bool(CLEAR_TEXT & set(self.transports))


@dataclass(frozen=True, slots=True)
class Source:
    """A device; `expected_from` is the period's begin, or later for one that was added in it."""

    device: str
    configured: bool
    expected_from: datetime
    lines: int
    hours_heard: int


@dataclass(frozen=True, slots=True)
class Gap:
    """At least half an hour, by event time, of which a device has said nothing."""

    device: str
    began: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Sequence:
    """The HSM's own numbering of its audit records; `ranges` names the first missing ones.

    `imported`: received by no other way than a file. `spans`: the numbers of the period, of each log that was begun.
    """

    device: str
    serial: str
    expected: int
    received: int
    missing: int
    gaps: int
    ranges: tuple[str, ...]
    imported: int = 0
    spans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Custody:
    """Sums of one listener; received = spooled + refused, spooled = stored. `minutes_off`: minutes where that fails."""

    listener: str
    received: int
    kernel_dropped: int
    refused: int
    cut: int
    spooled: int
    stored: int
    copies: int
    minutes_off: int = 0

    @property
    def unaccounted(self) -> int:
        return self.received - self.spooled - self.refused

    @property
    def not_stored(self) -> int:
        return self.spooled - self.stored


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: str
    lines: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A form of message that no pattern knew, and one line to look at."""

    device: str
    family: str
    form: str
    lines: int
    first_seen: datetime
    last_seen: datetime
    record_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Quality:
    """P1. `answer` is the section's heading, `remarks` are sentences below it."""

    answer: str
    remarks: tuple[str, ...]
    balance: str
    counts: Counts
    sources: tuple[Source, ...]
    gaps: tuple[Gap, ...]
    channels: tuple[Channel, ...]
    sequences: tuple[Sequence, ...]
    custody: tuple[Custody, ...]
    refusals: tuple[Refusal, ...]
    unread: tuple[Unread, ...]

    @property
    def never_heard(self) -> tuple[str, ...]:
        return tuple(source.device for source in self.sources if source.configured and not source.lines)

    @property
    def by_device(self) -> tuple[tuple[str, tuple[Channel, ...]], ...]:
        grouped = groupby(self.channels, key=lambda channel: channel.device)
        return tuple((device, tuple(channels)) for device, channels in grouped)

    @property
    def missing(self) -> int:
        return sum(sequence.missing for sequence in self.sequences)


def read(ask: Questions, period: Period) -> Quality:
    counts = ask.row(Counts, "counts", period)
    sources = ask.rows(Source, "sources", period)
    gaps = ask.rows(Gap, "gaps", period)
    channels = ask.rows(Channel, "channels", period)
    sequences = ask.rows(Sequence, "sequences", period)
    custody = ask.rows(Custody, "custody", period)
    return Quality(
        answer=words.answer(sources, gaps),
        remarks=tuple(words.remarks(counts, channels, sequences, sources, period)),
        balance=words.balance(custody),
        counts=counts,
        sources=sources,
        gaps=gaps,
        channels=channels,
        sequences=sequences,
        custody=custody,
        refusals=ask.rows(Refusal, "refusals", period),
        unread=ask.rows(Unread, "unread", period),
    )
