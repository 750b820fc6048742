"""The archive's manifest and its files, each against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.archive import FOLDER, names, sealed_files
from ingest.archive_file import part_digests
from ingest.archive_manifest import NAME, ROOT, Sealed, lines, read_manifest
from ingest.spool_batch import NUMBER_BITS
from ingest.spool_segment import segments
from ingest.verify_words import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNNING = (1 << NUMBER_BITS) - 1
MANIFEST = f"{FOLDER}/{NAME}"


class Archive:
    """The manifest as it was when this was made."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._octets = read_manifest(data_dir)
        self._lines = list(lines(self._octets))
        self._listed = {line.sealed.file: line.sealed for line in self._lines if line.sealed is not None}

    def head(self) -> str:
        """The digest of the last line; '' when there is none."""
        return self._lines[-1].digest if self._lines else ""

    def sealed(self, place: str) -> Sealed | None:
        return self._listed.get(place)

    def file_verdicts(self, name: str, first_batch: int, path: Path) -> list[Verdict]:
        """Whether a sealed file is the one that the manifest names; which bytes are not."""
        place = path.relative_to(self._data_dir).as_posix()
        sealed, size = self._listed.get(place), path.stat().st_size
        if sealed is None:
            if first_batch in segments(self._data_dir / "spool" / name):
                return [Verdict.note(place, 0, size, "not in the manifest yet: sealing it was interrupted")]
            return [Verdict(place, 0, size, f"no line of {MANIFEST} names it")]
        return list(_wrong_parts(place, sealed, part_digests(path, sealed.ends), size))

    def manifest_verdicts(self) -> Iterator[Verdict]:
        """Each line as it was written and chained on the one before; each file that it names is there."""
        previous: str | None = ROOT
        for number, line in enumerate(self._lines, 1):
            if line.sealed is None:
                yield Verdict(MANIFEST, line.start, line.end, f"line {number} is not as it was written")
            elif previous is not None and line.previous != previous:
                yield Verdict(MANIFEST, line.start, line.end, f"line {number} is chained on another line")
            elif not (self._data_dir / line.sealed.file).exists():
                yield Verdict(line.sealed.file, 0, line.sealed.bytes, f"missing; line {number} of {MANIFEST} names it")
            previous = None if line.sealed is None else line.digest
        end = self._lines[-1].end if self._lines else 0
        if end < len(self._octets):
            explained = not self._unexplained()
            what = "a line that was not written to its end" + ("" if explained else ", and no segment explains it")
            yield Verdict(MANIFEST, end, len(self._octets), what, is_fault=not explained)

    def _unexplained(self) -> list[str]:
        """Sealed files that no line names and whose segment is not in the spool any more."""
        return [
            path.relative_to(self._data_dir).as_posix()
            for name in names(self._data_dir)
            for first, path in sealed_files(self._data_dir, name).items()
            if path.relative_to(self._data_dir).as_posix() not in self._listed
            and first not in segments(self._data_dir / "spool" / name)
        ]


def _wrong_parts(place: str, sealed: Sealed, found: list[str], size: int) -> Iterator[Verdict]:
    starts = [0, *sealed.ends]
    for start, end, digest, wanted in zip(starts, sealed.ends, found, sealed.digests, strict=False):
        if digest != wanted:
            yield Verdict(place, start, end, "not the bytes that the manifest has the digest of")
    if size > sealed.bytes:
        yield Verdict(place, sealed.bytes, size, "bytes that the manifest does not know")
