"""The approved configuration: show, approve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from analytics import baseline
from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Misuse
from hsmtrail.formats import instant
from hsmtrail.moments import moment

if TYPE_CHECKING:
    from hsmtrail.desk import Desk


class ShowBaseline(Errand):
    """Each setting as approved and as observed at a moment."""

    devices: list[str] = Field(default=[])
    at: str | None = None

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        at = moment(self.at) if self.at else desk.now()
        with desk.db.reader() as cursor:
            compared = baseline.compare(cursor, at)
        return [_row(item) for item in compared if not self.devices or item.device in self.devices]


class ApproveBaseline(Errand):
    """What is observed at a moment is right."""

    role: ClassVar[Role] = "analyst"
    devices: list[str] = Field(default=[])
    settings: list[str] = Field(default=[])
    reason: str = Field(min_length=1, max_length=2000)
    at: str | None = None

    def answer(self, desk: Desk) -> dict[str, Any]:
        at = moment(self.at) if self.at else desk.now()
        unknown = sorted(set(self.devices) - {device.name for device in desk.configuration.device})
        if unknown:
            raise Misuse(f"no such device in the configuration: {', '.join(unknown)}")
        with desk.db.transaction() as cursor:
            approved = baseline.approve(
                cursor,
                devices=self.devices or None,
                settings=self.settings or None,
                reason=self.reason,
                by=desk.user,
                at=at,
                now=desk.now(),
            )
        desk.wake()
        return {"approved": [_row(item) for item in approved]}


def _row(item: baseline.Compared) -> dict[str, Any]:
    row = {
        "device": item.device,
        "setting": item.setting,
        "partition": item.partition,
        "approved": item.approved,
        "observed": item.observed,
        "observed_at": instant(item.observed_at) if item.observed_at else None,
        "verdict": item.verdict,
        "since": instant(item.since) if item.since else None,
        "source": item.source,
        "before": item.before,
        "observation": item.observation,
        "confirmed_at": instant(item.confirmed_at) if item.confirmed_at else None,
    }
    return {key: value for key, value in row.items() if value is not None and value != ""}
