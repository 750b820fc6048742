"""What was found: list, show, acknowledge, close."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Failure
from hsmtrail.formats import instant
from hsmtrail.moments import since
from hsmtrail.words import Disposition, State  # noqa: TC001  (pydantic reads the annotations)
from store import findings

if TYPE_CHECKING:
    import duckdb

    from hsmtrail.desk import Desk

MOST_RECORDS = 100
"""Record ids that a finding names; `record_count` says how many there are."""


class ListFindings(Errand):
    """All but superseded ones, unless states are named."""

    states: list[State] = Field(default=[])
    detector: str | None = None
    since: str | None = None

    def answer(self, desk: Desk) -> list[dict[str, Any]]:
        begin = since(self.since, desk.now()) if self.since else None
        with desk.db.reader() as cursor:
            found = findings.list_findings(cursor, states=self.states or None, detector=self.detector, since=begin)
            return [described(cursor, finding) for finding in found]


class ShowFinding(Errand):
    """One finding, its history and the lines behind it."""

    id: int = Field(ge=1)

    def answer(self, desk: Desk) -> dict[str, Any]:
        with desk.db.reader() as cursor:
            finding = one(cursor, self.id)
            return {
                **described(cursor, finding),
                "parameters": finding.parameters,
                "detector_sha256": finding.detector_sha256,
                "history": [
                    {"at": instant(step.at), "action": step.action, "by": step.by, "note": step.note}
                    for step in findings.history(cursor, self.id)
                ],
                "evidence": _lines(cursor, self.id),
            }


class AcknowledgeFinding(Errand):
    """Somebody looks after it."""

    role: ClassVar[Role] = "analyst"
    id: int = Field(ge=1)
    note: str = Field(default="", max_length=2000)

    def answer(self, desk: Desk) -> dict[str, Any]:
        with desk.db.transaction() as cursor:
            one(cursor, self.id)
            findings.acknowledge(cursor, self.id, by=desk.user, note=self.note, now=desk.now())
            return described(cursor, one(cursor, self.id))


class CloseFinding(Errand):
    """It is decided what it was."""

    role: ClassVar[Role] = "analyst"
    id: int = Field(ge=1)
    disposition: Disposition
    note: str = Field(default="", max_length=2000)

    def answer(self, desk: Desk) -> dict[str, Any]:
        with desk.db.transaction() as cursor:
            one(cursor, self.id)
            findings.close(cursor, self.id, disposition=self.disposition, by=desk.user, note=self.note, now=desk.now())
            return described(cursor, one(cursor, self.id))


def one(cursor: duckdb.DuckDBPyConnection, number: int) -> findings.Finding:
    finding = findings.show(cursor, number)
    if finding is None:
        raise Failure(f"there is no finding {number}; `hsmtrail findings list` names them")
    return finding


def described(cursor: duckdb.DuckDBPyConnection, finding: findings.Finding) -> dict[str, Any]:
    """A finding as outside programs read it, and what was decided about it."""
    decided = {
        "device": finding.device,
        "disposition": finding.disposition,
        "owner": finding.owner,
        "change_ticket": finding.change_ticket,
        "opened_at": instant(finding.opened_at),
        "closed_at": instant(finding.closed_at) if finding.closed_at else "",
        "superseded_by": finding.superseded_by or "",
    }
    return {
        **findings.as_json(finding, findings.evidence(cursor, finding.id, limit=MOST_RECORDS)),
        **{key: value for key, value in decided.items() if value != ""},
    }


def _lines(cursor: duckdb.DuckDBPyConnection, number: int) -> list[dict[str, Any]]:
    rows = cursor.execute(
        "SELECT record_id, event_at, raw FROM records"
        " WHERE record_id IN (SELECT record_id FROM finding_records WHERE finding = $id)"
        " ORDER BY event_at, record_id LIMIT $most",
        {"id": number, "most": MOST_RECORDS},
    ).fetchall()
    return [{"record_id": record, "event_at": instant(at), "raw": raw} for record, at, raw in rows]
