"""Log files into a spool of their own: evidence like everything else, each log a path of its own."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from ingest.archive_import import BROKEN, Limits, Notes, Said, TooMuch, Unpacking
from ingest.counters import Ledger, Taken
from ingest.portions import BYTES_PER_LINE
from ingest.spool_batch import SPOOL_SCHEMA
from ingest.spool_writer import SpoolError
from ingest.wrapped_lines import WrappedLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.file_content import Messages
    from ingest.spool_writer import SpoolWriter

LISTENER = "import"
NAME, NUMBER = "import", 0
"""The spool of imports below spool/, and its receiver number."""

BATCH_BYTES = 4 << 20
"""A batch holds at least so much, or an archive of many small logs would be as many commits."""


class ImportFailed(Exception):  # noqa: N818  (what the user reads)
    """Nothing can be taken in: which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What went into the spool; batch numbers 0 when nothing did. `logs` counts those within archives one by one."""

    files: int
    logs: int
    lines: int
    first_batch: int
    last_batch: int
    notes: Notes


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Files as they are named, folders with everything below them, each once; links inside folders are not followed."""
    found: dict[str, Path] = {}
    for path in paths:
        for file in _files(path):
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def _files(path: Path) -> list[Path]:
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        raise ImportFailed(f"{path}: is not there") from None
    except OSError as error:
        raise ImportFailed(f"{path}: cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(kind):
        return sorted(_below(path))
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
        raise ImportFailed(f"{path}: is a device or a socket; name files and folders")
    return [path]


def _below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=False):
        yield from (
            path for name in names if (path := folder.joinpath(parent, name)).is_file() and not path.is_symlink()
        )


@dataclass(slots=True)
class _Batch:
    """Portions on their way into one batch, each with the log that it comes from."""

    run: str
    portions: list[tuple[str, Messages]] = field(default_factory=list)
    size: int = 0

    def add(self, log: str, portion: Messages) -> None:
        if len(portion):
            self.portions.append((log, portion))
            self.size += sum(map(len, portion.raw)) + BYTES_PER_LINE * len(portion)

    def taken(self) -> Taken:
        return Taken(LISTENER, sum(len(one) for _, one in self.portions), sum(len(one.cut) for _, one in self.portions))

    def rows(self, moment: datetime) -> pa.RecordBatch:
        parts = [_rows(log, portion, self.run, moment) for log, portion in self.portions]
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


class _Run:
    """One import: logs become batches."""

    def __init__(self, spool: SpoolWriter, now: Callable[[], datetime]) -> None:
        self._spool, self._now = spool, now
        self._ledger = Ledger(spool.counters)
        self._batch = _Batch(f"import of {now():%Y-%m-%dT%H:%M:%S.%fZ}")  # imported again, it is another path
        self.lines = self.first = self.last = 0

    def add(self, log: str, portion: Messages) -> None:
        self._batch.add(log, portion)
        if self._batch.size >= BATCH_BYTES:
            self.commit()

    def commit(self) -> None:
        if not self._batch.portions:
            return
        batch, taken = self._batch, [self._batch.taken()]
        try:
            committed = self._spool.commit(batch.rows(self._now()), self._ledger.with_taken(taken))
        except OSError as error:
            raise SpoolError(
                f"the spool does not take it: {error.strerror}. {self.lines:,} lines are safe; import the same again"
            ) from None
        self._ledger.take(taken)
        self.lines, self.first, self.last = self.lines + committed.rows, self.first or committed.batch, committed.batch
        self._batch = _Batch(batch.run)


def import_files(
    spool: SpoolWriter,
    files: list[Path],
    now: Callable[[], datetime],
    progress: Callable[[int], None],
    limits: Limits | None = None,
) -> Imported:
    """All lines of all logs in all files; `progress` gets the bytes read. What cannot be read is noted."""
    run, notes, logs = _Run(spool, now), Notes(), 0
    for path in files:
        try:
            with path.open("rb") as file:
                logs += _import(run, Unpacking(limits, notes, progress), file, in_utf8(path))
        except TooMuch as error:
            notes.failed.append(Said(in_utf8(path), str(error)))
        except BROKEN as error:
            notes.failed.append(Said(in_utf8(path), f"cannot be read: {error}"))
    run.commit()
    return Imported(len(files), logs, run.lines, run.first, run.last, notes)


def _import(run: _Run, unpacking: Unpacking, file: IO[bytes], name: str) -> int:
    """How many logs there were in one file. An audit record and its wrapped proof are one message."""
    logs = 0
    for logs, content in enumerate(unpacking.contents(file, name), 1):  # noqa: B007  (the last number is the count)
        joined = WrappedLines()
        for portion in unpacking.readable(content):
            run.add(content.name, joined.feed(portion))
        run.add(content.name, joined.close())
    return logs


def in_utf8(path: Path) -> str:
    """A file's name as text, whatever its bytes are."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _rows(log: str, portion: Messages, run: str, moment: datetime) -> pa.RecordBatch:
    rows, cut = len(portion), set(portion.cut)
    same = {"received_at": moment, "listener": LISTENER, "transport": "import", "peer": log, "peer_identity": run}
    columns = {
        **{name: pa.repeat(pa.scalar(value, SPOOL_SCHEMA.field(name).type), rows) for name, value in same.items()},
        "peer_port": pa.nulls(rows, pa.uint16()),
        "trouble": pa.array(["cut" if number in cut else "" for number in range(rows)], pa.string()),
        "raw": pa.array(portion.raw, pa.binary()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SPOOL_SCHEMA.names], schema=SPOOL_SCHEMA)
