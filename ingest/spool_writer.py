"""Append to a spool: each batch is on disk before anybody can see it, and numbered and chained for ever."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ingest import counters as accounts
from ingest.spool_append import OpenSegment
from ingest.spool_batch import NUMBER_BITS, digest, encoded, message_digest
from ingest.spool_head import Head, HeadFile
from ingest.spool_key import Keys, KeyTrouble, make_keys
from ingest.spool_recovery import State, recover
from ingest.spool_segment import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from ingest.counters import Counted

log = logging.getLogger("hsmtrail.spool")

LOCK = "lock"
LOOK_EVERY = 0.02


class SpoolError(Exception):
    """One sentence: what cannot be done, where, and what to do."""


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """When the receiver commits, and when a segment ends. `key_file`: of the key behind the MACs; None makes none."""

    commit_seconds: float = 0.05
    commit_bytes: int = 4 << 20
    seal_seconds: float = 3600.0
    segment_bytes: int = 256 << 20
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The numbers that a batch got, the receiver's number in their high 16 bits."""

    batch: int
    first_record: int
    rows: int
    sha256: str


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class SpoolWriter:
    """The only writer of its folder while it is open; not for several threads at once."""

    def __init__(
        self, directory: Path, number: int, settings: SpoolSettings, now: Callable[[], datetime], lock: int
    ) -> None:
        self._keys = _keys(directory, settings.key_file)
        self._directory, self._settings, self._now, self._lock = directory, settings, now, lock
        self._receiver = number << NUMBER_BITS
        recovered = recover(directory)
        self._state = state = recovered.state
        self._segment: OpenSegment | None = None
        if recovered.missing:
            facts = {"folder": str(directory), "next_batch": state.batch + 1}
            log.error("published_batches_missing", extra={"facts": facts})
        if state.segment:
            keep_tail = recovered.kept_tail
            self._segment = OpenSegment.reopen(directory, state.segment, state.committed, keep_tail=keep_tail)
        self._head = HeadFile(directory)
        if self._segment is not None:
            self._head.publish(_head_of(state))

    @classmethod
    def open(
        cls,
        directory: Path,
        number: int,
        settings: SpoolSettings | None = None,
        now: Callable[[], datetime] = utc_now,
        wait_seconds: float = 0.0,
    ) -> SpoolWriter:
        """Open and mend after any kill; SpoolError when another writer has it or the folder cannot be written."""
        try:
            directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
            lock = _locked(directory, time.monotonic() + wait_seconds)
        except OSError as error:
            raise _unusable(directory, error) from None
        try:
            return cls(directory, number, settings or SpoolSettings(), now, lock)
        except OSError as error:
            os.close(lock)
            raise _unusable(directory, error) from None
        except KeyTrouble as trouble:
            os.close(lock)
            raise SpoolError(str(trouble)) from None

    @property
    def spool_bytes(self) -> int:
        """Of all segments that are not sealed yet."""
        return sum(_size(path) for path in self._directory.glob(f"*{SUFFIX}"))

    @property
    def last_batch(self) -> int:
        """0 when the spool is empty."""
        return self._receiver | self._state.batch if self._state.batch else 0

    @property
    def counters(self) -> Mapping[str, Counted]:
        """As the last batch carries them."""
        return self._state.counters

    def commit(self, table: pa.RecordBatch, counters: Mapping[str, Counted]) -> Committed:
        """Write one batch of SPOOL_SCHEMA, have it on disk, then publish it.

        An OSError means that the disk did not take it: nothing has changed, and it can be committed again.
        """
        moment, old = self._now(), self._state
        batch, first = self._receiver | old.batch + 1, self._receiver | old.next_record
        sha256 = digest(old.sha256, batch, first, table)
        words = {
            "batch": str(batch),
            "first_record": str(first),
            "rows": str(table.num_rows),
            "sha256": sha256.hex(),
            "previous": old.sha256.hex(),
            "committed_at": moment.isoformat(timespec="microseconds") + "Z",
            "counters": accounts.written(counters),
            "message_before": old.message.hex(),
        }
        octets = encoded(table, words if self._keys is None else {**words, "mac": self._keys.mac(words)})
        state = replace(
            old,
            batch=old.batch + 1,
            next_record=old.next_record + table.num_rows,
            sha256=sha256,
            counters=dict(counters),
        )
        self._state = self._append(state, octets, moment)
        return Committed(batch, first, table.num_rows, sha256.hex())

    def close(self) -> None:
        """Let another writer have the folder."""
        if self._segment is not None:
            self._segment.close()
        self._head.close()
        os.close(self._lock)

    def _append(self, state: State, octets: memoryview, moment: datetime) -> State:
        current = self._segment
        if current is None or self._is_full(current, moment):
            segment = OpenSegment.begin(self._directory, state.batch)
            state = replace(state, segment=state.batch, opened_at=moment)
        else:
            segment = current
        before = segment.committed
        try:
            start = segment.append(octets)
            message = message_digest(octets, first=not before)
            state = replace(state, committed=segment.committed, last_offset=start, message=message)
            self._head.publish(_head_of(state))
        except OSError:
            segment.cut(before) if segment is current else segment.discard()
            raise
        if segment is not current and current is not None:
            current.finish()
        self._segment = segment
        return state

    def _is_full(self, segment: OpenSegment, moment: datetime) -> bool:
        age = moment - self._state.opened_at
        return segment.committed >= self._settings.segment_bytes or age >= timedelta(
            seconds=self._settings.seal_seconds
        )


def _head_of(state: State) -> Head:
    return Head(
        state.segment,
        state.committed,
        state.last_offset,
        state.batch,
        state.next_record,
        state.sha256,
        state.message,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # sealed at this moment
        return 0


def _keys(directory: Path, key_file: Path | None) -> Keys | None:
    """Lines are worth more than a key that was lost: a new one is made then, and said aloud."""
    if key_file is None:
        return None
    if not key_file.exists():
        again = any(directory.glob(f"*{SUFFIX}"))
        told = log.error if again else log.info
        told("key_made_anew" if again else "key_made", extra={"facts": {"key_file": str(key_file)}})
    return make_keys(key_file)


def _locked(directory: Path, until: float) -> int:
    """One writer at a time; the lock goes with the process, however it ends."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while not _taken(lock):
        if time.monotonic() >= until:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise SpoolError(
                f"{directory}: another receiver (process {holder}) writes this spool; stop it, or use another name"
            )
        time.sleep(LOOK_EVERY)
    os.pwrite(lock, f"{os.getpid():<20}".encode(), 0)
    return lock


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unusable(directory: Path, error: OSError) -> SpoolError:
    place = error.filename or directory
    return SpoolError(f"{place}: the spool cannot be written ({error.strerror}); let this user write there")
