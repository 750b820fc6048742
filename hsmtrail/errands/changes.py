"""Approved changes: record them, list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from analytics import changes
from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Misuse
from hsmtrail.formats import instant
from hsmtrail.moments import moment
from hsmtrail.words import ChangeKind

if TYPE_CHECKING:
    from hsmtrail.desk import Desk


class AddChange(Errand):
    """One approved change on one or more devices."""

    role: ClassVar[Role] = "analyst"
    devices: list[str] = Field(min_length=1, max_length=1000)
    begin: str
    end: str
    ticket: str = Field(min_length=1, max_length=200)
    kind: ChangeKind = ChangeKind.CHANGE
    note: str = Field(default="", max_length=2000)

    @field_validator("begin", "end")
    @classmethod
    def _moments(cls, text: str) -> str:
        try:
            moment(text)
        except Misuse as error:
            raise ValueError(str(error)) from None
        return text

    @model_validator(mode="after")
    def _forwards(self) -> AddChange:
        if moment(self.begin) >= moment(self.end):
            raise ValueError("the change ends before it begins")
        return self

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        return AddChanges(changes=[self]).answer(desk)


class AddChanges(Errand):
    """Several at once: all, or none."""

    role: ClassVar[Role] = "analyst"
    changes: list[AddChange] = Field(max_length=100_000)

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        known = {device.name for device in desk.configuration.device}
        unknown = sorted({name for change in self.changes for name in change.devices} - known)
        if unknown:
            raise Misuse(f"no such device in the configuration: {', '.join(unknown)}")
        with desk.db.transaction() as cursor:
            added = [
                changes.add(
                    cursor,
                    device=device,
                    starts_at=moment(change.begin),
                    ends_at=moment(change.end),
                    ticket=change.ticket,
                    kind=change.kind,
                    note=change.note,
                    by=desk.user,
                    now=desk.now(),
                )
                for change in self.changes
                for device in change.devices
            ]
        for window in added:
            desk.duty.rejudge(window.device, window.starts_at, window.ends_at)
        desk.wake()
        return [_row(window) for window in added]


class ListChanges(Errand):
    """Recorded changes, newest first."""

    devices: list[str] = Field(default=[])

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        with desk.db.reader() as cursor:
            windows = changes.list_changes(cursor)
        return [_row(window) for window in windows if not self.devices or window.device in self.devices]


def _row(window: changes.ChangeWindow) -> dict[str, Any]:
    return {
        "id": window.id,
        "device": window.device,
        "from": instant(window.starts_at),
        "to": instant(window.ends_at),
        "ticket": window.ticket,
        "kind": window.kind,
        "note": window.note,
    }
