"""P1 in sentences: what its figures mean for somebody who wants to rely on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.text import counted, listed, number, sentence, spoken, was

if TYPE_CHECKING:
    from reports.period import Period
    from reports.sections.quality import Channel, Counts, Custody, Gap, Sequence, Source


def answer(sources: tuple[Source, ...], gaps: tuple[Gap, ...]) -> str:
    """'Every HSM reported, with one gap of two hours'."""
    if not sources:
        return "No HSM is configured and none was heard"
    silent = [source.device for source in sources if not source.lines]
    if silent:
        of = f"{sentence(counted(len(silent), 'HSM'))} of {number(len(sources))}"
        return f"{of} {was(len(silent))} not heard at all"
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
            f"Lines of {listed(clear)} came over the network in clear text (UDP or TCP): "
            "they could be read and forged on their way."
        )
    if counts.backfilled:
        of_all = _of_all(counts.backfilled, counts.records)
        said.append(
            f"{of_all} {was(counts.backfilled)} backfilled: imported, or received more than a day after the event. "
            "Lags leave them out."
        )
    if counts.newest_received is None or counts.newest_received < period.end:
        said.append("Nothing was received after the period: late lines may still be missing.")
    return said


def _of_all(part: int, whole: int) -> str:
    if part == whole:
        return f"All {number(whole)} lines" if whole > 1 else "The one line"
    return f"{sentence(counted(part, 'line'))} of {number(whole)}"


def _sequence_remark(sequences: tuple[Sequence, ...]) -> str:
    if not sequences:
        return "No audit record of an HSM arrived, so nothing can be said about missing ones."
    missing = sum(sequence.missing for sequence in sequences)
    received = sum(sequence.received for sequence in sequences)
    filled = _filled(sum(sequence.imported for sequence in sequences))
    if not missing:
        return f"No audit record is missing: {number(received)} received, numbered without a hole.{filled}"
    numbered = f"of {number(received + missing)} that the HSMs numbered"
    return f"{sentence(counted(missing, 'audit record'))} {'is' if missing == 1 else 'are'} missing {numbered}.{filled}"


def _filled(imported: int) -> str:
    if not imported:
        return ""
    return f" {sentence(counted(imported, 'record'))} came by no other way than an imported file."


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
        return (
            f"The sums do not balance: {counted(unaccounted, 'line')} received, and neither spooled nor refused.{lost}"
        )
    sums = f"{number(received)} received = {number(spooled)} spooled + {number(refused)} refused"
    if spooled != stored:
        return f"{sums}; {counted(abs(spooled - stored), 'spooled line')} not in the store.{lost}"
    if off := sum(row.minutes_off for row in custody):
        return f"The sums do not balance in {counted(off, 'minute')}, although they do over the period.{lost}"
    return f"The sums balance: {sums}; all spooled lines are stored.{lost}"
