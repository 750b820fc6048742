"""Log files into a spool of their own: evidence like everything else, each file a path of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ingest.counters import Ledger, Taken
from ingest.file_content import BROKEN, Messages, contents, messages
from ingest.spool_batch import SPOOL_SCHEMA
from ingest.wrapped_lines import WrappedLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.spool_writer import SpoolWriter

LISTENER = "import"
NAME, NUMBER = "import", 0
"""The spool of imports below spool/, and its receiver number."""

TAR_MAGIC, TAR_PLACE = b"ustar", 257


class ImportFailed(Exception):  # noqa: N818  (what the user reads)
    """A file cannot be taken in: which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What went into the spool; batch numbers 0 when nothing did."""

    files: int
    lines: int
    first_batch: int
    last_batch: int


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, folders with everything below them; links inside folders are not followed."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ImportFailed(f"{path}: is not there")
        found += sorted(_below(path)) if path.is_dir() else [path]
    return found


def _below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=False):
        yield from (
            path for name in names if (path := folder.joinpath(parent, name)).is_file() and not path.is_symlink()
        )


def import_files(
    spool: SpoolWriter, files: list[Path], now: Callable[[], datetime], progress: Callable[[int], None]
) -> Imported:
    """All lines of all files; `progress` gets the bytes read. Stops before the first file that it cannot read."""
    for path in files:
        _readable(path)
    ledger = Ledger(spool.counters)
    run = f"import of {now():%Y-%m-%dT%H:%M:%S.%fZ}"  # a file that is imported again is another path
    lines, first, last = 0, 0, 0
    for path in files:
        for portion in _messages(path, progress):
            batch = _batch(portion, str(path), run, now())
            taken = [Taken(LISTENER, len(portion), len(portion.cut))]
            committed = spool.commit(batch, ledger.with_taken(taken))
            ledger.take(taken)
            lines, first, last = lines + committed.rows, first or committed.batch, committed.batch
    return Imported(len(files), lines, first, last)


def _readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ImportFailed(f"{path}: cannot be read: {error.strerror}") from None
    if head[TAR_PLACE : TAR_PLACE + len(TAR_MAGIC)] == TAR_MAGIC:
        raise ImportFailed(f"{path}: is a tar archive; unpack it and import the folder")


def _messages(path: Path, progress: Callable[[int], None]) -> Iterator[Messages]:
    """Portions of the file's messages, none of them empty; an audit record and its wrapped proof are one message."""
    try:
        with path.open("rb") as file:
            before = 0
            for content in contents(file):
                joined = WrappedLines()
                for portion in messages(content):
                    yield from _some(joined.feed(portion))
                    progress(file.tell() - before)
                    before = file.tell()
                yield from _some(joined.close())
    except BROKEN as error:
        raise ImportFailed(f"{path}: cannot be read to its end: {error}. What came before it is kept.") from None


def _some(portion: Messages) -> Iterator[Messages]:
    if len(portion):
        yield portion


def _batch(portion: Messages, path: str, run: str, moment: datetime) -> pa.RecordBatch:
    rows, cut = len(portion), set(portion.cut)
    same = {"received_at": moment, "listener": LISTENER, "transport": "import", "peer": path, "peer_identity": run}
    columns = {
        **{name: pa.repeat(pa.scalar(value, SPOOL_SCHEMA.field(name).type), rows) for name, value in same.items()},
        "peer_port": pa.nulls(rows, pa.uint16()),
        "trouble": pa.array(["cut" if number in cut else "" for number in range(rows)], pa.string()),
        "raw": pa.array(portion.raw, pa.binary()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SPOOL_SCHEMA.names], schema=SPOOL_SCHEMA)
