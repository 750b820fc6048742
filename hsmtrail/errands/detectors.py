"""Run detectors now, or only try one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from analytics.asking import CannotJudge
from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Failure, Misuse
from hsmtrail.formats import instant, plain
from hsmtrail.moments import since

if TYPE_CHECKING:
    from analytics.trying import Tried
    from hsmtrail.desk import Desk


class RunDetectors(Errand):
    """Judge everything that was not judged yet; no ids means all."""

    role: ClassVar[Role] = "analyst"
    ids: list[str] = Field(default=[])

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        _known(desk, self.ids)
        off = sorted(one.id for one in desk.duty.detectors if one.id in self.ids and not one.enabled)
        if off:
            raise Misuse(f"{', '.join(off)} is switched off: [detectors.{off[0]}] enabled = false")
        runs = desk.duty.run(self.ids or None)
        desk.wake()
        return [
            {
                "detector": run.detector,
                "state": run.state,
                "findings": run.findings,
                "seconds": round((run.finished_at - run.started_at).total_seconds(), 3),
                "not_measured": run.not_measured,
                "error": run.error,
            }
            for run in runs
        ]


class TryDetector(Errand):
    """What it would have found since then; nothing is written, nobody is told."""

    id: str
    since: str = "30d"

    def answer(self, desk: Desk) -> dict[str, Any]:
        """`rows`: each with its difference; `waiting`: batches that it has still to judge."""
        _known(desk, [self.id])
        try:
            found = desk.duty.try_out(self.id, since(self.since, desk.now()), desk.now())
        except CannotJudge as error:
            raise Failure(f"{self.id} gave no answer: {error}") from None
        return {"waiting": desk.duty.waiting(self.id), "rows": [_row(tried) for tried in found]}


def _row(tried: Tried) -> dict[str, Any]:
    return {
        "difference": tried.difference,
        "subject": tried.episode.subject,
        "severity": tried.severity,
        "first_seen": instant(tried.episode.first_seen),
        "last_seen": instant(tried.episode.last_seen),
        "record_count": tried.episode.record_count,
        "columns": {key: plain(value) for key, value in tried.episode.columns.items()},
    }


def _known(desk: Desk, ids: list[str]) -> None:
    unknown = sorted(set(ids) - {detector.id for detector in desk.duty.detectors})
    if unknown:
        raise Misuse(f"there is no detector {', '.join(unknown)}; `hsmtrail detectors list` names them")
