"""Approved changes: when somebody was allowed to do what on a device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of a dataclass that others read at run time)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class ChangeWindow:
    """One device and one span, naive UTC."""

    id: int
    device: str
    starts_at: datetime
    ends_at: datetime
    ticket: str
    kind: str
    note: str


def add(  # noqa: PLR0913  (a change has so many sides)
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
    """Record one; past ones too. The same device, span and ticket again is the same change."""
    same = cursor.execute(
        "SELECT id, device, starts_at, ends_at, ticket, kind, note FROM change_windows"
        " WHERE device = $device AND starts_at = $starts_at AND ends_at = $ends_at AND ticket = $ticket",
        {"device": device, "starts_at": starts_at, "ends_at": ends_at, "ticket": ticket},
    ).fetchone()
    if same:
        return ChangeWindow(*same)
    row = cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM change_windows").fetchone()
    window = ChangeWindow(int(row[0]) if row else 1, device, starts_at, ends_at, ticket, kind, note)
    cursor.execute(
        "INSERT INTO change_windows VALUES ($id, $device, $starts_at, $ends_at, $ticket, $kind, $note, $now, $by)",
        {
            "id": window.id,
            "device": device,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "ticket": ticket,
            "kind": kind,
            "note": note,
            "now": now,
            "by": by,
        },
    )
    return window


def list_changes(cursor: duckdb.DuckDBPyConnection) -> list[ChangeWindow]:
    """Newest first."""
    rows = cursor.execute(
        "SELECT id, device, starts_at, ends_at, ticket, kind, note FROM change_windows ORDER BY starts_at DESC, id DESC"
    ).fetchall()
    return [ChangeWindow(*row) for row in rows]
