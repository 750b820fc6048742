"""Approved changes: a device, a span and a ticket. They lower severities, also of what happened long before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

KINDS = ("change", "patch", "decommission", "provisioning", "dr-test", "ceremony")

_SELECT = "SELECT id, device, starts_at, ends_at, ticket, kind, note, added_at, added_by FROM change_windows"


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """A row of table change_windows."""

    id: int
    device: str
    starts_at: datetime
    ends_at: datetime
    ticket: str
    kind: str
    note: str
    added_at: datetime
    added_by: str


def add(  # noqa: PLR0913  (an approved change has these)
    cursor: duckdb.DuckDBPyConnection,
    *,
    device: str,
    starts_at: datetime,
    ends_at: datetime,
    ticket: str,
    kind: str,
    note: str,
    by: str,
    now: datetime,
) -> ChangeWindow:
    """Record one; a past span is as good. The same device, span and ticket again is the same change.

    Duty.rejudge makes it count afterwards. ValueError for a change that makes no sense.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of change; one of {', '.join(KINDS)}")
    if starts_at >= ends_at:
        raise ValueError(f"the change ends ({ends_at}) before it begins ({starts_at})")
    same = {"device": device, "begin": starts_at, "end": ends_at, "ticket": ticket}
    row = cursor.execute(
        f"{_SELECT} WHERE device = $device AND (starts_at, ends_at, ticket) = ($begin, $end, $ticket)", same
    )
    if (found := row.fetchone()) is not None:
        return ChangeWindow(*found)
    number = 1 + cursor.execute("SELECT coalesce(max(id), 0) FROM change_windows").fetchall()[0][0]
    window = ChangeWindow(number, device, starts_at, ends_at, ticket, kind, note, now, by)
    cursor.execute(
        "INSERT INTO change_windows (id, device, starts_at, ends_at, ticket, kind, note, added_at, added_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [number, device, starts_at, ends_at, ticket, kind, note, now, by],
    )
    return window


def list_changes(cursor: duckdb.DuckDBPyConnection) -> list[ChangeWindow]:
    """All, newest first."""
    rows = cursor.execute(f"{_SELECT} ORDER BY starts_at DESC, id DESC").fetchall()
    return [ChangeWindow(*row) for row in rows]
