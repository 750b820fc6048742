"""`archive/manifest.jsonl`: one line for each sealed segment, each line chained on the one before.

A line is a JSON object whose `digest` is the SHA-256 of its other members as they stand in the line, the digest of the
line before among them as `previous`. What is behind the last newline is a line that was not written to its end.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "manifest.jsonl"
ROOT = "0" * 64
"""What the first line is chained on."""

LONGEST = 1 << 20
"""Bytes of a line; sealing keeps the number of row groups far below what fills it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """One sealed segment; numbers with the receiver's. `sha256` is the file's, `sha256_of_last` its last batch's.

    `digests` are those of the parts of the file that end at `ends` (row groups, then the footer), to say which part is
    not what it was, and to read the others.
    """

    file: str
    bytes: int
    sha256: str
    first_batch: int
    last_batch: int
    first_record: int
    records: int
    chained_on: str
    sha256_of_last: str
    ends: list[int]
    digests: list[str]
    sealed_at: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line and where it stands; `sealed` is None when it is no line of ours, or not as it was written."""

    start: int
    end: int
    sealed: Sealed | None
    previous: str
    digest: str


class ManifestDamaged(Exception):  # noqa: N818  (what it says of the manifest)
    """Its end is not what we wrote: nothing is added before somebody has looked."""


def written(sealed: Sealed, previous: str) -> bytes:
    """The line, with its newline."""
    said = {**asdict(sealed), "previous": previous}
    digest = hashlib.sha256(_text(said)).hexdigest()
    return _text({**said, "digest": digest}) + b"\n"


def lines(octets: bytes) -> Iterator[Line]:
    """All lines that end with a newline."""
    start = 0
    while (end := octets.find(b"\n", start)) >= 0:
        yield _line(octets[start : end + 1], start)
        start = end + 1


def _line(octets: bytes, start: int) -> Line:
    end = start + len(octets)
    try:
        said: dict[str, Any] = json.loads(octets)
        sealed = Sealed(**{field.name: said[field.name] for field in fields(Sealed)})
        previous, digest = str(said["previous"]), str(said["digest"])
    except (ValueError, KeyError, TypeError):
        return Line(start, end, None, "", "")
    return Line(start, end, sealed if octets == written(sealed, previous) else None, previous, digest)


def read_manifest(data_dir: Path) -> bytes:
    """Empty when there is none."""
    try:
        return (data_dir / "archive" / NAME).read_bytes()
    except FileNotFoundError:
        return b""


def listed(data_dir: Path) -> dict[str, Sealed]:
    """What the manifest says of each file, by its place below data_dir; read again only when it has changed."""
    path = data_dir / "archive" / NAME
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    return _listed(path, state.st_mtime_ns, state.st_size, state.st_ino)


@lru_cache(maxsize=1)
def _listed(path: Path, *_state: int) -> dict[str, Sealed]:
    found = (line.sealed for line in lines(path.read_bytes()))
    return {sealed.file: sealed for sealed in found if sealed is not None}


def last_of(data_dir: Path, name: str) -> Sealed | None:
    """The newest line of one spool, of those that can be read."""
    found = (sealed for sealed in listed(data_dir).values() if sealed.file.split("/")[1] == name)
    return max(found, key=lambda sealed: sealed.last_batch, default=None)


def head_of_manifest(data_dir: Path) -> str:
    """The digest of the last line; '' when there is none that can be read."""
    try:
        file = os.open(data_dir / "archive" / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        last, size = _end(file)
    except ManifestDamaged:
        return ""
    finally:
        os.close(file)
    return last if size else ""


def append(data_dir: Path, sealed: Sealed) -> None:
    """Add one line and have it on disk. ManifestDamaged when the end of the file is not a line of ours."""
    file = os.open(data_dir / "archive" / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        last, size = _end(file)
        octets = written(sealed, last)
        if os.pwrite(file, octets, size) < len(octets):
            os.ftruncate(file, size)
            raise OSError(28, os.strerror(28), str(data_dir / "archive" / NAME))
        os.fsync(file)
    finally:
        os.close(file)


def cut_tail(data_dir: Path) -> None:
    """Take away a line that was not written to its end; the caller has made sure that its segment is still there."""
    octets = read_manifest(data_dir)
    whole = octets.rfind(b"\n") + 1
    if whole < len(octets):
        os.truncate(data_dir / "archive" / NAME, whole)


def _end(file: int) -> tuple[str, int]:
    """The digest of the last line, and where the next one goes."""
    size = os.fstat(file).st_size
    tail = os.pread(file, LONGEST, max(0, size - LONGEST))
    if not size:
        return ROOT, 0
    line = _line(tail[tail.rfind(b"\n", 0, -1) + 1 :], 0)
    if line.sealed is None:
        raise ManifestDamaged(f"archive/{NAME}: its last line is not as it was written; `hsmtrail verify` says more")
    return line.digest, size


def _text(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
