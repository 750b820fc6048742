"""`hsmtrail reparse`: asks for one piece of history after the other, shows how far it is, and sums up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from hsmtrail.client import asker
from hsmtrail.errands.reparse import JudgeReparsed, ReparseHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hsmtrail.config import Configuration

PIECE = ReparseHistory()


def reparse(
    configuration: Configuration, show: Callable[[int, int], None], piece: ReparseHistory = PIECE
) -> dict[str, Any]:
    """What this set of patterns has changed, in this run and in those that were stopped; `show` gets done and total."""
    read = missing = 0
    with asker(configuration) as ask:
        while True:
            answer = ask(piece)
            read, missing = read + answer["read"], missing + answer["missing"]
            show(answer["done"], answer["total"])
            if answer["done"] >= answer["total"]:
                break
        return {"read": read, "missing": missing, **ask(JudgeReparsed())}


@contextlib.contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task("records", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
