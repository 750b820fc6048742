"""Is the evidence what was received? Every byte of the spool and the archive is proven, or named.

Nothing is changed, and all may run meanwhile: what is not published yet is left out, what is sealed at this moment is
looked for again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.archive import evidence_files, names, sealed_files
from ingest.archive_file import proven_sealed
from ingest.spool_append import ASIDE
from ingest.spool_batch import NUMBER_BITS
from ingest.spool_head import NAME as HEAD
from ingest.spool_head import read_head
from ingest.spool_salvage import Unreadable, proven_batches
from ingest.spool_segment import message_at, schema_in
from ingest.verify_archive import Archive
from ingest.verify_words import Chain, ChainHead, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ingest.archive import EvidenceFile
    from ingest.spool_key import Keys
    from ingest.spool_segment import StoredBatch

__all__ = ["ChainHead", "Verdict", "Verified", "verify_evidence"]

TRIES = 5
NO_ANCHORS: Mapping[int, str] = MappingProxyType({})
CHANGED = "its bytes are not those that were written"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found, how far each chain reaches, and the digest of the manifest's last line."""

    verdicts: list[Verdict]
    heads: list[ChainHead]
    manifest: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A batch of a segment, until the next one says what its bytes were."""

    place: str
    start: int
    end: int
    number: int
    message: str


def verify_evidence(
    data_dir: Path,
    keys: Keys | None,
    advance: Callable[[int], object] = lambda _: None,
    anchors: Mapping[int, str] = NO_ANCHORS,
) -> Verified:
    """All spools with their archives, and the archive's manifest; `advance` gets the bytes that were read.

    `anchors`: digests that batches (full numbers) had when somebody outside was told.
    """
    verdicts: list[Verdict] = []
    heads: list[ChainHead] = []
    for name in names(data_dir):
        found, head = _patiently(partial(_Spool, data_dir, name, keys, anchors), advance)
        verdicts += found
        heads += [] if head is None else [head]
    archive = Archive(data_dir)
    reached = {head.batch >> NUMBER_BITS: head.batch for head in heads}
    unmet = [
        Verdict("spool", 0, 0, f"there is no batch {batch}, which has an anchor")
        for batch in anchors
        if batch > reached.get(batch >> NUMBER_BITS, 0)
    ]
    return Verified([*verdicts, *archive.manifest_verdicts(), *unmet], heads, archive.head())


def _patiently(spool: Callable[[], _Spool], advance: Callable[[int], object]) -> tuple[list[Verdict], ChainHead | None]:
    """Again from the start when a segment was sealed while we came to it."""
    attempt = 1
    while True:
        one = spool()
        try:
            return list(one.verdicts(advance)), one.chain.head()
        except FileNotFoundError:
            if attempt == TRIES:
                raise
            attempt += 1


class _Spool:
    """One spool, from its first batch to the one that the head names."""

    def __init__(self, data_dir: Path, name: str, keys: Keys | None, anchors: Mapping[int, str]) -> None:
        self._data_dir, self._name, self._folder = data_dir, name, data_dir / "spool" / name
        self._head = read_head(self._folder)
        self.chain = Chain(name, keys, anchors)
        self._seen: Seen | None = None

    def verdicts(self, advance: Callable[[int], object]) -> Iterator[Verdict]:
        yield from self._of_head()
        files = evidence_files(self._data_dir, self._name)
        archive = Archive(self._data_dir)
        for file in files:
            place = file.path.relative_to(self._data_dir).as_posix()
            if file.sealed:
                yield from self._sealed(archive, file, place)
            else:
                yield from self._segment(file, place)
                yield from self._sealed_too(archive, file.first_batch)
            advance(file.path.stat().st_size if file.path.exists() else 0)
        yield from self._end()

    def _of_head(self) -> Iterator[Verdict]:
        path, place = self._folder / HEAD, f"spool/{self._name}/{HEAD}"
        if self._head is None and evidence_files(self._data_dir, self._name):
            size = path.stat().st_size if path.exists() else 0
            yield Verdict(place, 0, size, "is not as it was written" if size else "is missing")
        for torn in sorted(self._folder.glob(f"*{ASIDE}*")):
            size = torn.stat().st_size
            yield Verdict.note(f"spool/{self._name}/{torn.name}", 0, size, "set aside by a receiver at its start")

    def _sealed(self, archive: Archive, file: EvidenceFile, place: str) -> Iterator[Verdict]:
        """The digests of its parts say where a file is wrong; reading it, where no line of the manifest has them."""
        known = archive.file_verdicts(self._name, file.first_batch, file.path)
        yield from known
        self._seen, sealed = None, archive.sealed(place)
        for found in proven_sealed(file.path, sealed):
            if not isinstance(found, Unreadable):
                yield from self.chain.take(place, found)
                continue
            self.chain.damaged()
            if not any(verdict.is_fault for verdict in known):
                yield Verdict(place, found.start, found.end, found.why)

    def _sealed_too(self, archive: Archive, first_batch: int) -> list[Verdict]:
        """Of a segment that is sealed and not yet removed from the spool."""
        path = sealed_files(self._data_dir, self._name).get(first_batch)
        return [] if path is None else archive.file_verdicts(self._name, first_batch, path)

    def _segment(self, file: EvidenceFile, place: str) -> Iterator[Verdict]:
        head = self._head
        if head is not None and file.first_batch > head.segment:
            size = file.path.stat().st_size
            yield Verdict.note(place, 0, size, "begun and not published: being written, or left by a kill")
            return
        limit = head.committed if head is not None and head.segment == file.first_batch else None
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield from self._batches(file, place, descriptor, limit)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        if limit is not None and size > limit:
            yield Verdict.note(place, limit, size, "a tail that is not published: being written, or left by a kill")

    def _batches(self, file: EvidenceFile, place: str, descriptor: int, limit: int | None) -> Iterator[Verdict]:
        schema_size = len(schema_in(descriptor))
        for found in proven_batches(file.path, limit):
            if isinstance(found, Unreadable):
                self.chain.damaged()
                self._seen = None
                yield Verdict(place, found.start, found.end, found.why)
                continue
            yield from self.chain.take(place, found)
            yield from self._before(found)
            start = 0 if found.start == schema_size else found.start
            message = message_at(descriptor, found, schema_size).hex()
            self._seen = Seen(place, start, found.end, self.chain.batch, message)

    def _before(self, batch: StoredBatch) -> Iterator[Verdict]:
        """The batch before this one, byte for byte."""
        seen, said = self._seen, batch.metadata.get("message_before", "")
        if seen is not None and seen.number + 1 == self.chain.batch and seen.message != said:
            yield Verdict(seen.place, seen.start, seen.end, f"batch {seen.number}: {CHANGED}")

    def _end(self) -> Iterator[Verdict]:
        head, seen = self._head, self._seen
        if head is None:
            return
        if seen is not None and seen.number == head.last_batch and seen.message != head.message.hex():
            yield Verdict(seen.place, seen.start, seen.end, f"batch {seen.number}: {CHANGED}")
        if self.chain.batch < head.last_batch and not self.chain.is_damaged:
            place = f"spool/{self._name}/{head.segment:012d}.arrow"
            what = f"batches up to {head.last_batch} were published, those after {self.chain.batch} are missing"
            yield Verdict(place, 0, head.committed, what)
