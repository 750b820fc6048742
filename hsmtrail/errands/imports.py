"""What became of imported lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmtrail.errands import Errand

if TYPE_CHECKING:
    from hsmtrail.desk import Desk


class CountImported(Errand):
    """Counts over a range of batches."""

    first_batch: int
    last_batch: int

    def answer(self, desk: Desk) -> dict[str, int]:
        with desk.db.reader() as cursor:
            row = cursor.execute(
                "SELECT count(*), count(*) FILTER (WHERE copy_of IS NULL), count(copy_of),"
                " count(*) FILTER (WHERE status = 'unparsed')"
                " FROM records WHERE batch BETWEEN $first AND $last",
                {"first": self.first_batch, "last": self.last_batch},
            ).fetchone()
        return dict(zip(("stored", "new", "copies", "unparsed"), row or (0, 0, 0, 0), strict=True))
