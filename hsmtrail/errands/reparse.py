"""Derive history again from the spool, a few seconds at a time: whoever asks until it is done has all of it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from analytics.unjudged import judge_again
from hsmtrail.errands import Errand, Role
from ingest.history import MAX_BYTES, portions
from ingest.parsed import rows_of
from parsers.reading import reading_of
from store.reparse import BEFORE, Change, Rewriter, changes, reach

if TYPE_CHECKING:
    from hsmtrail.desk import Desk
    from ingest.history import Portion
    from parsers.batch import Parser
    from store.reparse import Reach


class ReparseHistory(Errand):
    """Go on for so many seconds: how far it is then, and how many records were read now or could not be."""

    role: ClassVar[Role] = "admin"
    seconds: float = Field(default=2.0, gt=0, le=60)
    portion_bytes: int = Field(default=MAX_BYTES, ge=1, le=MAX_BYTES)
    """Of lines in one transaction."""

    def answer(self, desk: Desk) -> dict[str, Any]:
        work = _Work(desk, time.monotonic() + self.seconds, self.portion_bytes)
        with desk.db.reader() as cursor:
            receivers = reach(cursor, work.reading)
        for one in receivers:
            work.go_on(one)
        with desk.db.reader() as cursor:
            receivers = reach(cursor, work.reading)
        done, total = sum(one.done for one in receivers), sum(one.records for one in receivers)
        return {"reading": work.reading, "done": done, "total": total, "read": work.read, "missing": work.missing}


class JudgeReparsed(Errand):
    """Let the detectors judge what was changed, then say what that was."""

    role: ClassVar[Role] = "admin"

    def answer(self, desk: Desk) -> dict[str, Any]:
        parser = desk.patterns.newest()
        again = judge_again(desk.db, desk.duty)
        desk.wake()
        with desk.db.reader() as cursor:
            found = changes(cursor, reading_of(parser))
        return {
            "patterns": parser.patterns.version,
            "records": sum(one.records for one in found),
            "changed": sum(one.changed for one in found),
            "renewed": sum(one.renewed for one in found),
            "unchanged": sum(one.records - one.changed - one.renewed for one in found),
            "changes": [_described(one) for one in found],
            "findings_changed": again.findings,
            "detectors_failed": list(again.failed),
        }


class _Work:
    """Portions until the time is over."""

    def __init__(self, desk: Desk, until: float, portion_bytes: int) -> None:
        self._desk, self._until, self._portion_bytes = desk, until, portion_bytes
        self._parser: Parser = desk.patterns.newest()
        self.reading = reading_of(self._parser)
        self._rewriter = Rewriter(desk.db, self.reading)
        self.read = self.missing = 0

    def go_on(self, one: Reach) -> None:
        folder = self._desk.configuration.below()
        history = portions(folder, one.after_batch, one.last_batch, self._portion_bytes)
        while time.monotonic() < self._until and (portion := next(history, None)) is not None:
            self._take(portion)
        history.close()

    def _take(self, portion: Portion) -> None:
        if not portion.batches:
            self.missing += self._rewriter.skip(portion.after_batch, portion.last_batch)
            return
        rows = rows_of(portion.batches, self._parser)
        rewritten = self._rewriter.rewrite(portion.after_batch, portion.last_batch, rows)
        self.read += 0 if rewritten is None else rewritten.records


def _described(change: Change) -> dict[str, Any]:
    said = dataclasses.asdict(change)
    before = {name: said.pop(renamed) for name, renamed in BEFORE.items()}
    after = {name: said.pop(name) for name in BEFORE}
    return {"before": before, "after": after, **said}
