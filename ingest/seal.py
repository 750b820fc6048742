"""A segment of the spool into the archive: at every moment at least one whole copy of it is on disk.

The order is Parquet beside its place, fsync, read back and proven, renamed, its line in the manifest, fsync; only then
the segment goes. Whatever ends this in between, doing it again is right.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingest import archive_manifest
from ingest.archive import names, sealed_files, sealed_path
from ingest.archive_file import GROUP_BYTES, WORDS, parts_of, proven_fresh, write_sealed
from ingest.archive_manifest import ManifestDamaged, Sealed
from ingest.spool_batch import NUMBER_BITS
from ingest.spool_head import read_head
from ingest.spool_recovery import committed_at
from ingest.spool_salvage import Unreadable, proven_batches
from ingest.spool_segment import segment_path, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingest.spool_segment import StoredBatch

PART = ".part"
RUNNING = (1 << NUMBER_BITS) - 1


class NotSealed(Exception):  # noqa: N818  (a sentence)
    """A segment stays in the spool: which, and why."""


class Stopped(Exception):  # noqa: N818
    """Told to stop in the middle; nothing is half done."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the batches of a segment say of it."""

    first: StoredBatch
    last: StoredBatch
    records: int
    proof: bytes


def ready(data_dir: Path, name: str, stored_batch: int) -> list[int]:
    """Segments that have ended and of which the store has every batch; the newest one never is among them."""
    folder = data_dir / "spool" / name
    head = read_head(folder)
    return [
        first
        for first, following in itertools.pairwise(segments(folder))
        if head is not None and first < head.segment and following - 1 <= stored_batch & RUNNING
    ]


def seal(data_dir: Path, name: str, first_batch: int, stopping: Callable[[], bool] = lambda: False) -> Sealed:
    """Seal one segment that has ended. NotSealed, ManifestDamaged, Stopped or OSError: the spool is as it was."""
    source = segment_path(data_dir / "spool" / name, first_batch)
    _mend_manifest(data_dir)
    known = _line_of(data_dir, name, first_batch)
    if known is None:
        known = _write(data_dir, name, source, stopping)
        archive_manifest.append(data_dir, known)
    elif _sha256(data_dir / known.file) != known.sha256:
        raise NotSealed(f"{known.file}: is not what the manifest says; its segment is kept in the spool")
    source.unlink(missing_ok=True)
    _sync(source.parent)
    return known


def _write(data_dir: Path, name: str, source: Path, stopping: Callable[[], bool]) -> Sealed:
    place = f"spool/{name}/{source.name}"
    seen: list[Contents] = []
    first = next(_whole(source, place), None)
    if first is None:
        raise NotSealed(f"{place}: has no batch")
    file = sealed_path(name, int(first.metadata["batch"]) & RUNNING, committed_at(first))
    _make_folders(data_dir, (data_dir / file).parent)
    part = (data_dir / file).with_name(f".{file.name}{PART}")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
            write_sealed(target, _noted(_whole(source, place), seen, stopping), _group_bytes(source))
            target.flush()
            os.fsync(target.fileno())
        _read_back(part, seen[0], stopping)
        sealed = _described(str(file), part, seen[0])
        part.rename(data_dir / file)
        _sync((data_dir / file).parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return sealed


def _group_bytes(source: Path) -> int:
    """Lines in memory at a time; so much of them that the row groups of a large segment are some hundreds."""
    return max(GROUP_BYTES, source.stat().st_size // 64)


def _read_back(part: Path, contents: Contents, stopping: Callable[[], bool]) -> None:
    """What is on disk must be what was read from the spool, each batch with a digest that its rows prove."""
    if _contents(proven_fresh(part), stopping).proof != contents.proof:
        raise NotSealed("the file that was written has other batches than its segment")


def _whole(source: Path, place: str) -> Iterator[StoredBatch]:
    """NotSealed where a batch cannot be proven: a damaged segment is evidence of the damage, and stays."""
    for batch in proven_batches(source):
        if isinstance(batch, Unreadable):
            raise NotSealed(f"{place}: bytes {batch.start} to {batch.end}: {batch.why}; `hsmtrail verify` says more")
        yield batch


def _noted(batches: Iterator[StoredBatch], seen: list[Contents], stopping: Callable[[], bool]) -> Iterator[StoredBatch]:
    """The batches; what they say all together is in `seen` at the end."""
    summary = _Summary()
    for batch in batches:
        if stopping():
            raise Stopped
        summary.add(batch)
        yield batch
    seen.append(summary.contents())


def _contents(batches: Iterator[StoredBatch | Unreadable], stopping: Callable[[], bool]) -> Contents:
    summary = _Summary()
    for batch in batches:
        if stopping():
            raise Stopped
        if isinstance(batch, Unreadable):
            raise NotSealed(f"the file that was written cannot be read back: {batch.why}")
        summary.add(batch)
    return summary.contents()


class _Summary:
    """Collects what a segment holds. The digests of proven batches stand for their rows."""

    def __init__(self) -> None:
        self._first: StoredBatch | None = None
        self._last: StoredBatch | None = None
        self._records = 0
        self._sha = hashlib.sha256()

    def add(self, batch: StoredBatch) -> None:
        self._first = self._first or batch
        self._last = batch
        self._records += batch.table.num_rows
        self._sha.update("\n".join(batch.metadata.get(word, "") for word in WORDS).encode())

    def contents(self) -> Contents:
        if self._first is None or self._last is None:
            raise NotSealed("the file that was written has no batch")
        return Contents(self._first, self._last, self._records, self._sha.digest())


def _described(file: str, part: Path, contents: Contents) -> Sealed:
    first, last = contents.first.metadata, contents.last.metadata
    ends, digests = parts_of(part)
    return Sealed(
        file=file,
        bytes=part.stat().st_size,
        sha256=_sha256(part),
        first_batch=int(first["batch"]),
        last_batch=int(last["batch"]),
        first_record=int(first["first_record"]),
        records=contents.records,
        chained_on=first["previous"],
        sha256_of_last=last["sha256"],
        ends=ends,
        digests=digests,
        sealed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    )


def _sha256(path: Path) -> str:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def _line_of(data_dir: Path, name: str, first_batch: int) -> Sealed | None:
    """A line that was written before we were ended."""
    found = archive_manifest.listed(data_dir).values()
    ours = (sealed for sealed in found if sealed.file.split("/")[1] == name)
    return next((sealed for sealed in ours if sealed.first_batch & RUNNING == first_batch), None)


def _mend_manifest(data_dir: Path) -> None:
    """Cut a line that was not written to its end, if nothing but our own end explains it."""
    octets = archive_manifest.read_manifest(data_dir)
    if not octets or octets.endswith(b"\n"):
        return
    listed = {line.sealed.file for line in archive_manifest.lines(octets) if line.sealed is not None}
    for name in names(data_dir):
        kept = segments(data_dir / "spool" / name)
        for first, path in sealed_files(data_dir, name).items():
            place = path.relative_to(data_dir).as_posix()
            if place not in listed and first not in kept:
                where = f"archive/{archive_manifest.NAME}"
                raise ManifestDamaged(
                    f"{where}: its last line has no end, and {place} is not in it; `hsmtrail verify` says more"
                )
    archive_manifest.cut_tail(data_dir)


def _make_folders(data_dir: Path, folder: Path) -> None:
    """Each of them on disk, and its owner's."""
    for parent in reversed([folder, *folder.parents]):
        if parent != data_dir and parent.is_relative_to(data_dir) and not parent.is_dir():
            parent.mkdir(mode=0o700, exist_ok=True)
            _sync(parent.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
