"""`hsmtrail import`: files into the import spool, then wait until the service (or this command) has stored them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

from hsmtrail import wiring
from hsmtrail.client import local_desk, running_service
from hsmtrail.desk import utc_now
from hsmtrail.errands.imports import CountImported, CountStored
from hsmtrail.failures import Failure, Misuse
from ingest.file_import import NAME, NUMBER, Imported, ImportFailed, files_below, import_files
from ingest.spool import SpoolError, SpoolWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hsmtrail.client import Service
    from hsmtrail.config import Configuration

HELD_SECONDS = 5.0
"""So long another import may hold the spool, or the service that ends a segment of it."""

PATIENCE = 600.0
"""Seconds without any progress after which the wait for the service is given up; the lines are safe in the spool."""

ASKED_AGAIN = 0.1


def import_paths(configuration: Configuration, paths: list[Path], *, progress: bool) -> dict[str, Any]:
    """Counts of files, logs in them, lines, new ones, copies and unparsed ones; `audit` is how complete the HSMs' own
    logs are, `failed` and `left_out` what was not read, each with the reason.
    """
    try:
        imported = _spooled(configuration, files_below(paths), progress=progress)
    except ImportFailed as error:
        raise Misuse(str(error)) from None
    except SpoolError as error:
        raise Failure(str(error)) from None
    counts = _stored(configuration, imported, progress=progress)
    notes = dataclasses.asdict(imported.notes)
    return {"files": imported.files, "logs": imported.logs, "lines": imported.lines, **counts, **notes}


def _spooled(configuration: Configuration, files: list[Path], *, progress: bool) -> Imported:
    settings = wiring.spool_settings(configuration)
    spool = SpoolWriter.open(configuration.below("spool", NAME), NUMBER, settings, wait_seconds=HELD_SECONDS)
    try:
        with _reading(sum(path.stat().st_size for path in files), shown=progress) as advance:
            return import_files(spool, files, utc_now, advance)
    finally:
        spool.close()


@contextlib.contextmanager
def _reading(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar of the bytes that are read, packed as they are."""
    from rich.progress import DownloadColumn

    with _bar("reading", total, DownloadColumn(), shown=shown) as advance:
        yield advance


@contextlib.contextmanager
def _storing(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar of the lines that are stored."""
    from rich.progress import MofNCompleteColumn

    with _bar("storing", total, MofNCompleteColumn(), shown=shown) as advance:
        yield advance


@contextlib.contextmanager
def _bar(what: str, total: int, figures: Any, *, shown: bool) -> Iterator[Callable[[int], None]]:  # noqa: ANN401
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), figures, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


def _stored(configuration: Configuration, imported: Imported, *, progress: bool) -> dict[str, Any]:
    between = {"first_batch": imported.first_batch, "last_batch": imported.last_batch}
    service = running_service(configuration)
    with _storing(imported.lines, shown=progress) as advance:
        if service is not None:
            _wait(service, CountStored(**between), imported.lines, advance)
            return dict(service.ask(CountImported(**between)))
        with local_desk(configuration) as desk:
            desk.patterns.current()  # a broken set stores nothing
            loader = wiring.loader(
                desk.db,
                configuration,
                desk.patterns,
                on_stored=lambda stored: advance(stored.records),
                on_failure=lambda: None,
            )
            loader.catch_up()
            desk.duty.run(None)
            return CountImported(**between).answer(desk)


def _wait(service: Service, question: CountStored, lines: int, advance: Callable[[int], None]) -> None:
    seen, since = 0, time.monotonic()
    while seen < lines:
        stored = service.ask(question)
        if stored != seen:
            advance(stored - seen)
            seen, since = stored, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            raise Failure("the lines are in the spool, but the service does not store them; its log says why")
        else:
            time.sleep(ASKED_AGAIN)
