"""What became of imported lines."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from hsmtrail.errands import Errand
from hsmtrail.formats import instant
from store.audit_numbers import completeness

if TYPE_CHECKING:
    from hsmtrail.desk import Desk
    from store.audit_numbers import Numbered


class CountStored(Errand):
    """How many lines of a range of batches are in the store."""

    first_batch: int
    last_batch: int

    def answer(self, desk: Desk) -> int:
        with desk.db.reader() as cursor:
            ((stored,),) = cursor.execute(
                "SELECT coalesce(sum(rows), 0)::BIGINT FROM batches WHERE batch BETWEEN $first AND $last",
                {"first": self.first_batch, "last": self.last_batch},
            ).fetchall()
        return int(stored)


class CountImported(Errand):
    """Counts over a range of batches, and how complete the audit logs are that they brought records of."""

    first_batch: int
    last_batch: int

    def answer(self, desk: Desk) -> dict[str, Any]:
        between = {"first": self.first_batch, "last": self.last_batch}
        with desk.db.reader() as cursor:
            row = cursor.execute(
                "SELECT count(*) FILTER (copy_of IS NULL), count(copy_of), count(*) FILTER (status = 'unparsed')"
                " FROM records WHERE batch BETWEEN $first AND $last",
                between,
            ).fetchone()
            audit = completeness(cursor, self.first_batch, self.last_batch)
        return {
            **dict(zip(("new", "copies", "unparsed"), row or (0, 0, 0), strict=True)),
            "audit": [_numbered(one) for one in audit],
        }


def _numbered(one: Numbered) -> dict[str, Any]:
    said = dataclasses.asdict(one)
    return {**said, "first_at": instant(one.first_at), "last_at": instant(one.last_at)}
