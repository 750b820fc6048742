"""`hsmtrail recover`: the store once more, from archive and spool; what only the old one knew is carried over.

The old one is set aside. Whatever ends this, it is in place until the new one is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hsmtrail import wiring
from hsmtrail.client import local_desk, running_service
from hsmtrail.desk import utc_now
from hsmtrail.errands.reparse import JudgeReparsed
from hsmtrail.failures import Failure
from hsmtrail.privileges import keep_private
from ingest.archive import names
from ingest.archive_manifest import last_of
from ingest.evidence import Damage, batches
from ingest.history import MAX_BYTES
from ingest.parsed import rows_of, stored_batch
from ingest.spool_head import read_head
from store.carry import Carried, carry, put_in_place, set_aside
from store.database import Database
from store.file_check import log_faults
from store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hsmtrail.config import Configuration
    from ingest.spool import SpooledBatch

RUNNING = (1 << 48) - 1
UNFINISHED = ".recovering"
LEFTOVERS = ("", ".wal", ".wal.checkpoint", ".wal.recovery")


@dataclass(slots=True)
class Filled:
    """What the evidence gave, and what it could not."""

    batches: int = 0
    records: int = 0
    copies: int = 0
    damaged: list[Damage] = field(default_factory=list)
    missing: list[tuple[str, int, int]] = field(default_factory=list)


def recover(configuration: Configuration, show: Callable[[int, int], None]) -> dict[str, Any]:
    """Rebuild, carry over, change places; Failure when the service runs. `show` gets batches done and in all."""
    path = configuration.store_path
    _refuse_while_open(configuration, path)
    if not names(configuration.below()):
        raise Failure(f"{configuration.below()}: neither spool nor archive has anything; the store was left as it is")
    keep_private()
    new = path.with_name(path.name + UNFINISHED)
    _remove(new)
    db = Database.open(new, memory_limit=configuration.store.memory_limit, threads=configuration.store.threads)
    try:
        filled = _fill(configuration, db, show)
        sound = not path.exists() or not log_faults(path.with_name(path.name + ".wal"), path)[0]
        carried = carry(path, db, with_log=sound)
    finally:
        db.close()
    _refuse_while_open(configuration, path)
    aside = list(set_aside(path, f"{path.name}.{utc_now():%Y%m%dT%H%M%S}Z"))
    put_in_place(new, path)
    return _told(filled, carried, aside, _judged(configuration, carried))


def _refuse_while_open(configuration: Configuration, path: Path) -> None:
    """DuckDB locks its file; and a service that answers has it open."""
    if running_service(configuration) is not None or _is_held(path):
        raise Failure("the service runs, or another command has the store open; stop it first: nothing was changed")


def _is_held(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _remove(new: Path) -> None:
    """What a recovery that was ended left; it is made again from the start."""
    for suffix in LEFTOVERS:
        new.with_name(new.name + suffix).unlink(missing_ok=True)


def _fill(configuration: Configuration, db: Database, show: Callable[[int, int], None]) -> Filled:
    data_dir, filled = configuration.below(), Filled()
    parser, writer = wiring.parser(configuration), Writer(db)
    known = {name: _last_known(data_dir, name) for name in names(data_dir)}
    done, total = 0, sum(known.values())
    for name, last in known.items():
        for portion in _portions(data_dir, name, last, filled):
            stored = writer.store([stored_batch(batch) for batch in portion], rows_of(portion, parser))
            filled.batches += stored.batches
            filled.records += stored.records
            show(done + (portion[-1].batch & RUNNING), total)
        done += last
    with db.reader() as cursor:  # a record may become a copy of one that comes later
        ((filled.copies,),) = cursor.execute("SELECT count(copy_of) FROM records").fetchall()
    return filled


def _last_known(data_dir: Path, name: str) -> int:
    """The running number of the last batch, as the head or the manifest says it."""
    head, sealed = read_head(data_dir / "spool" / name), last_of(data_dir, name)
    return max(0 if head is None else head.last_batch, 0 if sealed is None else sealed.last_batch & RUNNING)


def _portions(data_dir: Path, name: str, last: int, filled: Filled) -> Iterator[list[SpooledBatch]]:
    """What is there, in pieces; what is not goes into `filled`."""
    held: list[SpooledBatch] = []
    seen = size = 0
    for found in batches(data_dir, name):
        if isinstance(found, Damage):
            filled.damaged.append(found)
            continue
        number = found.batch & RUNNING
        if number > seen + 1:
            filled.missing.append((name, seen + 1, number - 1))
        seen = number
        held.append(found)
        size += found.table.nbytes
        if size >= MAX_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held
    if seen < last:
        filled.missing.append((name, seen + 1, last))


def _judged(configuration: Configuration, carried: Carried) -> dict[str, Any]:
    """What is read otherwise now may be judged otherwise; without the runs the service judges everything anyway."""
    if "runs" not in carried.rows:
        return {"findings_changed": 0, "detectors_failed": []}
    with local_desk(configuration) as desk:
        with desk.db.transaction() as cursor:
            cursor.execute(
                "INSERT INTO unjudged SELECT min(event_at), max(event_at), ? FROM records HAVING count(*) > 0",
                [utc_now()],
            )
        answer = JudgeReparsed().answer(desk)
    return {name: answer[name] for name in ("findings_changed", "detectors_failed")}


def _told(filled: Filled, carried: Carried, aside: list[Path], judged: dict[str, Any]) -> dict[str, Any]:
    return {
        "ok": not filled.damaged and not filled.missing,
        "batches": filled.batches,
        "records": filled.records,
        "copies": filled.copies,
        "damaged": [{"file": one.file, "begin": one.start, "end": one.end, "what": one.why} for one in filled.damaged],
        "missing": [{"spool": name, "first_batch": first, "last_batch": last} for name, first, last in filled.missing],
        "carried": carried.rows,
        "not_carried": carried.lost,
        **({"note": carried.note} if carried.note and not carried.lost else {}),
        "aside": [os.fspath(path) for path in aside],
        **judged,
    }


@contextlib.contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("batches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task("batches", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
