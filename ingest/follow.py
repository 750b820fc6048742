"""Follows every spool below one folder; each batch once, what sockets brought before what was imported."""

from __future__ import annotations

import logging
import mmap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.file_import import NUMBER as IMPORT
from ingest.spool import NUMBER_BITS, SpoolDamaged, SpoolReader, batches_of, read_head, segment_path, segments
from ingest.spool_head import NAME as HEAD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from ingest.spool import SpooledBatch

log = logging.getLogger("hsmtrail.loader")


RUNNING = (1 << NUMBER_BITS) - 1
DISCOVER_SECONDS = 1.0
DAMAGED_SECONDS = 1.0
"""A spool whose next batch cannot be read is not asked more often."""


@dataclass(slots=True)
class Followed:
    """One spool.

    `head`: its published state, mapped, so that looking costs no call. `seen`: the state in which all was read.
    `taken`: the last running batch number. `missing`: the batch that was last said to be unreadable.
    """

    folder: Path
    receiver: int
    reader: SpoolReader
    head: mmap.mmap
    taken: int
    seen: bytes = b""
    missing: int = 0
    asked_again_at: float = 0.0


class Spools:
    """All spools below `folder`, each from the batch after the one that `stored` names for its receiver."""

    def __init__(self, folder: Path, stored: Mapping[int, int]) -> None:
        self._folder, self._stored = folder, stored
        self._followed: dict[str, Followed] = {}
        self._look_again_at = 0.0

    def next_batches(self, max_bytes: int) -> list[SpooledBatch]:
        """Up to about `max_bytes`, in the order of each spool; imports get what the sockets leave."""
        self._discover()
        found: list[SpooledBatch] = []
        size = 0
        for spool in sorted(self._followed.values(), key=lambda spool: spool.receiver == IMPORT):
            if size < max_bytes:
                more = self._read(spool, max_bytes - size)
                size += sum(batch.table.nbytes for batch in more)
                found += more
        return found

    def behind(self) -> bool:
        """Whether a socket's spool has batches that were not read yet."""
        return any(
            (head := read_head(spool.folder)) is not None and head.last_batch > spool.taken
            for spool in list(self._followed.values())
            if spool.receiver != IMPORT
        )

    def close(self) -> None:
        for spool in self._followed.values():
            spool.reader.close()
            spool.head.close()

    def _discover(self) -> None:
        """Look for spools that are new, once a second."""
        if time.monotonic() < self._look_again_at:
            return
        self._look_again_at = time.monotonic() + DISCOVER_SECONDS
        for folder in _folders(self._folder):
            if folder.name not in self._followed and (receiver := receiver_of(folder)) is not None:
                after = self._stored.get(receiver, receiver << NUMBER_BITS)
                reader, head = SpoolReader(folder, after), _mapped(folder / HEAD)
                self._followed[folder.name] = Followed(folder, receiver, reader, head, after & RUNNING)

    def _read(self, spool: Followed, max_bytes: int) -> list[SpooledBatch]:
        state = spool.head[:]
        if state == spool.seen or (spool.missing and time.monotonic() < spool.asked_again_at):
            return []
        try:
            found = spool.reader.next_batches(max_bytes)
        except SpoolDamaged as damage:
            return self._beyond(spool, damage, max_bytes)
        if found:
            spool.taken, spool.missing = found[-1].batch & RUNNING, 0
        spool.seen = b"" if found else state
        return found

    def _beyond(self, spool: Followed, damage: SpoolDamaged, max_bytes: int) -> list[SpooledBatch]:
        """What comes after a batch that cannot be read, at most once a second: it is searched for."""
        if time.monotonic() < spool.asked_again_at:
            return []
        if damage.missing != spool.missing:
            log.error("spool_damaged", extra={"facts": {"segment": damage.segment, "place": damage.place}})
        spool.missing, spool.asked_again_at = damage.missing, time.monotonic() + DAMAGED_SECONDS
        if damage.resume_after is None:
            return []
        spool.reader.close()
        spool.reader, spool.missing = SpoolReader(spool.folder, damage.resume_after, careful=True), 0
        return self._read(spool, max_bytes)


def receiver_of(folder: Path) -> int | None:
    """The receiver's number, as the spool's first batches carry it; None while there is none."""
    if read_head(folder) is None:
        return None
    for first in segments(folder):
        batch = next(batches_of(segment_path(folder, first)), None)
        if batch is not None:
            return int(batch.metadata["batch"]) >> NUMBER_BITS
    return None


def oldest_waiting(folder: Path, stored: Mapping[int, int]) -> datetime | None:
    """When the first line that the store does not have was received; imports do not count."""
    moments: list[datetime] = []
    for spool in _folders(folder):
        receiver = receiver_of(spool)
        if receiver is not None and receiver != IMPORT:
            moments += _first_moment(SpoolReader(spool, stored.get(receiver, receiver << NUMBER_BITS)))
    return min(moments, default=None)


def received(batches: list[SpooledBatch]) -> datetime | None:
    """When the first of these lines was received; imports do not count."""
    moments = [
        batch.table.column("received_at")[0].as_py()
        for batch in batches
        if batch.rows and batch.batch >> NUMBER_BITS != IMPORT
    ]
    return min(moments, default=None)


def _first_moment(reader: SpoolReader) -> list[datetime]:
    try:
        moment = received(reader.next_batches(1))
    except SpoolDamaged:
        return []
    finally:
        reader.close()
    return [] if moment is None else [moment]


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
