"""`hsmtrail import`: files into the import spool, then wait until the service (or this command) has stored them."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from hsmtrail import wiring
from hsmtrail.client import local_desk, running_service
from hsmtrail.desk import utc_now
from hsmtrail.errands.imports import CountImported
from hsmtrail.failures import Failure, Misuse
from ingest.file_import import NAME, NUMBER, Imported, ImportFailed, files_below, import_files
from ingest.spool import SpoolError, SpoolWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hsmtrail.client import Service
    from hsmtrail.config import Configuration

PATIENCE = 600.0
"""Seconds without any progress after which the wait for the service is given up; the lines are safe in the spool."""


def import_paths(configuration: Configuration, paths: list[Path], *, progress: bool) -> dict[str, Any]:
    """Counts of files, lines, new ones, copies and unparsed ones."""
    try:
        files = files_below(paths)
        imported = _spooled(configuration, files, progress=progress)
    except ImportFailed as error:
        raise Misuse(str(error)) from None
    except SpoolError as error:
        raise Failure(str(error)) from None
    counts = _stored(configuration, imported)
    return {"files": imported.files, "lines": imported.lines, **counts}


def _spooled(configuration: Configuration, files: list[Path], *, progress: bool) -> Imported:
    spool = SpoolWriter.open(configuration.below("spool", NAME), NUMBER, wiring.spool_settings(configuration))
    try:
        with _progress(sum(path.stat().st_size for path in files), shown=progress) as advance:
            return import_files(spool, files, utc_now, advance)
    finally:
        spool.close()


@contextlib.contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task("reading", total=total)
        yield lambda octets: bar.advance(task, octets)


def _stored(configuration: Configuration, imported: Imported) -> dict[str, int]:
    question = CountImported(first_batch=imported.first_batch, last_batch=imported.last_batch)
    service = running_service(configuration)
    if service is not None:
        return _wait(service, question, imported)
    with local_desk(configuration) as desk:
        desk.patterns.current()  # a broken set stores nothing
        loader = wiring.loader(desk.db, configuration, desk.patterns, on_stored=lambda _: None, on_failure=lambda: None)
        loader.catch_up()
        desk.duty.run(None)
        return _without_total(question.answer(desk))


def _wait(service: Service, question: CountImported, imported: Imported) -> dict[str, int]:
    seen, since = -1, time.monotonic()
    while True:
        counts = json.loads(service.post(f"/api/errands/{question.name()}", question.model_dump()).body)
        if counts["stored"] >= imported.lines:
            return _without_total(counts)
        if counts["stored"] != seen:
            seen, since = counts["stored"], time.monotonic()
        if time.monotonic() - since > PATIENCE:
            raise Failure("the lines are in the spool, but the service does not store them; its log says why")
        time.sleep(0.05)


def _without_total(counts: dict[str, int]) -> dict[str, int]:
    return {key: number for key, number in counts.items() if key != "stored"}
