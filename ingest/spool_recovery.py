"""Where a spool stands after any end of its writer: which batches are whole, which numbers come next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest import counters
from ingest.archive_manifest import last_of
from ingest.spool_batch import FIRST_PREVIOUS, NUMBER_BITS, digest
from ingest.spool_head import read_head
from ingest.spool_segment import batches_of, message_in, segment_path, segments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ingest.counters import Counted
    from ingest.spool_head import Head
    from ingest.spool_segment import StoredBatch

RUNNING = (1 << NUMBER_BITS) - 1


@dataclass(frozen=True, slots=True)
class State:
    """Running numbers, without the receiver's. `segment` is 0 when the next batch begins a new one."""

    segment: int = 0
    committed: int = 0
    last_offset: int = 0
    batch: int = 0
    next_record: int = 1
    sha256: bytes = FIRST_PREVIOUS
    message: bytes = FIRST_PREVIOUS
    opened_at: datetime = datetime.min  # noqa: DTZ901  (naive UTC, as everywhere)
    counters: Mapping[str, Counted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recovered:
    """`missing`: published batches are not whole any more; their numbers are not used again.

    `kept_tail`: without a head, bytes behind the last whole batch may be evidence: set them aside, don't cut them.
    """

    state: State
    missing: bool = False
    kept_tail: bool = False


def recover(directory: Path) -> Recovered:
    """Read what is there; nothing is changed."""
    head = read_head(directory)
    if head is None:
        return Recovered(_without_head(directory), kept_tail=True)
    state = _at_head(directory, head)
    if state is not None:
        return Recovered(_extended(directory, state))
    known = next((last for first in reversed(segments(directory)) if (last := _last_of(directory, first))), State())
    beyond = State(
        batch=head.last_batch,
        next_record=head.next_record,
        sha256=head.sha256,
        message=head.message,
        counters=known.counters,
    )
    return Recovered(beyond, missing=True)


def _at_head(directory: Path, head: Head) -> State | None:
    """None when the batch that the head names does not stand where it says."""
    path = segment_path(directory, head.segment)
    batch = next(batches_of(path, head.last_offset, head.committed), None)
    first = next(batches_of(path), None)
    if batch is None or first is None or batch.metadata.get("sha256") != head.sha256.hex():
        return None
    before = _before(batch, segment=head.segment, opened_at=committed_at(first))
    return _after(directory, before, batch) if batch.end == head.committed and follows(before, batch) else None


def _without_head(directory: Path) -> State:
    """What the newest segment or the archive says, whichever is further: numbers are never used again."""
    found = (last for first in reversed(segments(directory)) if (last := _last_of(directory, first)))
    return max(next(found, State()), _sealed(directory), key=lambda state: state.batch)


def _sealed(directory: Path) -> State:
    """After the newest segment that was sealed, as the archive's manifest has it."""
    last = last_of(directory.parents[1], directory.name)
    if last is None:
        return State()
    return State(
        batch=last.last_batch & RUNNING,
        next_record=(last.first_record & RUNNING) + last.records,
        sha256=bytes.fromhex(last.sha256_of_last),
    )


def _last_of(directory: Path, segment: int) -> State | None:
    """The state after the last whole batch of one segment; None when it has none."""
    first = next(batches_of(segment_path(directory, segment)), None)
    if first is None or not {"batch", "first_record", "previous", "committed_at"} <= first.metadata.keys():
        return None
    state = _extended(directory, _before(first, segment=segment, opened_at=committed_at(first)))
    return state if state.committed else None


def _extended(directory: Path, state: State) -> State:
    """Go on over whole batches that were written but not published, in this segment and in one just begun."""
    while True:
        for batch in batches_of(segment_path(directory, state.segment), state.committed):
            if not follows(state, batch):
                break
            state = _after(directory, state, batch)
        begun = state.batch + 1
        first = next(batches_of(segment_path(directory, begun)), None) if begun != state.segment else None
        if first is None or not follows(state, first):
            return state
        state = replace(state, segment=begun, committed=0, opened_at=committed_at(first))


def follows(state: State, batch: StoredBatch) -> bool:
    """Whether this is the batch after `state`, whole and chained on it."""
    words = batch.metadata
    try:
        batch.table.validate(full=True)
        number, first = int(words["batch"]), int(words["first_record"])
        made = digest(state.sha256, number, first, batch.table)
    except (KeyError, ValueError):
        return False
    found = (number & RUNNING, first & RUNNING, words.get("previous"), words.get("sha256"))
    return found == (state.batch + 1, state.next_record, state.sha256.hex(), made.hex())


def _before(batch: StoredBatch, segment: int, opened_at: datetime) -> State:
    words = batch.metadata
    return State(
        segment=segment,
        batch=(int(words["batch"]) & RUNNING) - 1,
        next_record=int(words["first_record"]) & RUNNING,
        sha256=bytes.fromhex(words["previous"]),
        opened_at=opened_at,
    )


def _after(directory: Path, state: State, batch: StoredBatch) -> State:
    words = batch.metadata
    return replace(
        state,
        committed=batch.end,
        last_offset=batch.start,
        batch=state.batch + 1,
        next_record=state.next_record + batch.table.num_rows,
        sha256=bytes.fromhex(words["sha256"]),
        message=message_in(segment_path(directory, state.segment), batch),
        counters=counters.read(words["counters"]),
    )


def committed_at(batch: StoredBatch) -> datetime:
    return datetime.fromisoformat(batch.metadata["committed_at"]).astimezone(UTC).replace(tzinfo=None)
