"""P1, evidence quality: can a reader trust that everything was seen?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import counted, duration, listed, number, sentence, spoken

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
    """The HSM's own numbering of its audit records; `ranges` names the first missing ones."""

    device: str
    serial: str
    expected: int
    received: int
    missing: int
    gaps: int
    ranges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Custody:
    """Sums of one listener; received = spooled + refused, spooled = stored."""

    listener: str
    received: int
    kernel_dropped: int
    refused: int
    cut: int
    spooled: int
    stored: int
    copies: int

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
    """Lines that no pattern knew, and one of them to look at."""

    device: str
    program: str
    lines: int
    record_id: int


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
        answer=answer(sources, gaps),
        remarks=tuple(remarks(counts, channels, sequences, sources, period)),
        balance=balance(custody),
        counts=counts,
        sources=sources,
        gaps=gaps,
        channels=channels,
        sequences=sequences,
        custody=custody,
        refusals=ask.rows(Refusal, "refusals", period),
        unread=ask.rows(Unread, "unread", period),
    )


def answer(sources: tuple[Source, ...], gaps: tuple[Gap, ...]) -> str:
    """'Every HSM reported, with one gap of two hours'."""
    if not sources:
        return "No HSM is configured and none was heard"
    silent = [source.device for source in sources if not source.lines]
    if silent:
        of = f"{sentence(counted(len(silent), 'HSM'))} of {number(len(sources))}"
        return f"{of} {'was' if len(silent) == 1 else 'were'} not heard at all"
    if not gaps:
        return "Every HSM reported, without a gap"
    longest = spoken(max(gap.seconds for gap in gaps))
    if len(gaps) == 1:
        return f"Every HSM reported, with one gap of {longest}"
    return f"Every HSM reported, with {counted(len(gaps), 'gap')}, the longest of {longest}"


def remarks(
    counts: Counts,
    channels: tuple[Channel, ...],
    sequences: tuple[Sequence, ...],
    sources: tuple[Source, ...],
    period: Period,
) -> list[str]:
    """What the figures mean for somebody who wants to rely on them."""
    said = []
    never = [source.device for source in sources if source.configured and not source.lines]
    if never:
        said.append(f"Configured, and never heard in the period: {listed(never)}.")
    strange = [source.device for source in sources if not source.configured]
    if strange:
        said.append(f"Heard, and not configured: {listed(strange)}.")
    said.append(_sequence_remark(sequences))
    clear = sorted({channel.device or "unknown senders" for channel in channels if channel.clear_text})
    if clear:
        said.append(
            f"Lines of {listed(clear)} came over the network in clear text (UDP or TCP): they could be read and forged on their way."
        )
    if counts.backfilled:
        said.append(
            f"{sentence(counted(counts.backfilled, 'line'))} of {number(counts.records)} "
            f"{'was' if counts.backfilled == 1 else 'were'} backfilled: imported, or received more than a day after the event. "
            "Lags leave them out."
        )
    if counts.newest_received is None or counts.newest_received < period.end:
        said.append("Nothing was received after the period's end: late lines may still be missing.")
    return said


def _sequence_remark(sequences: tuple[Sequence, ...]) -> str:
    if not sequences:
        return "No audit record of an HSM arrived, so nothing can be said about missing ones."
    missing = sum(sequence.missing for sequence in sequences)
    received = sum(sequence.received for sequence in sequences)
    if not missing:
        return f"No audit record is missing: {number(received)} received, numbered without a hole."
    are = "is" if missing == 1 else "are"
    return f"{sentence(counted(missing, 'audit record'))} {are} missing of {number(received + missing)} that the HSMs numbered."


def balance(custody: tuple[Custody, ...]) -> str:
    """The sums as one sentence: received = spooled + refused, spooled = stored."""
    if not custody:
        return "No listener counted a line in the period, so there are no sums to balance."
    received, spooled, stored, refused, dropped = (
        sum(getattr(row, name) for row in custody)
        for name in ("received", "spooled", "stored", "refused", "kernel_dropped")
    )
    lost = f" The kernel dropped {number(dropped)} before they were received." if dropped else ""
    unaccounted = sum(abs(row.unaccounted) for row in custody)
    if unaccounted:
        return f"The sums do not balance: {counted(unaccounted, 'line')} received, and neither spooled nor refused.{lost}"
    sums = f"{number(received)} received = {number(spooled)} spooled + {number(refused)} refused"
    if spooled != stored:
        return f"{sums}; {counted(abs(spooled - stored), 'spooled line')} not in the store.{lost}"
    return f"The sums balance: {sums}; all spooled lines are stored.{lost}"


def silence(channel: Channel, period: Period) -> str:
    """Silence is never shown as calm: beside nothing heard stands for how long."""
    if not channel.lines:
        return f"never heard in {number(period.hours)} h"
    return duration(channel.longest_silence)
