"""Make a review pack."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from hsmtrail.errands import Errand, Role
from hsmtrail.failures import Misuse
from hsmtrail.moments import moment
from reports import period
from reports.pack import make_pack
from reports.render import write_pack

if TYPE_CHECKING:
    from hsmtrail.desk import Desk


class MakeReport(Errand):
    """The pack of a week, of a span, or of the last complete week."""

    role: ClassVar[Role] = "analyst"
    week: str | None = None
    begin: str | None = None
    end: str | None = None

    def answer(self, desk: Desk) -> dict[str, Any]:
        span = self.span(desk)
        with desk.db.reader() as cursor:
            pack = make_pack(cursor, span, desk.pack_settings())
        files = write_pack(pack, desk.configuration.below("packs"))
        return {
            "name": span.name,
            "period": span.title,
            "verdict": pack.verdict,
            "sha256": files.sha256,
            "html": str(files.html),
            "json": str(files.json),
            "manifest": str(files.manifest),
        }

    def span(self, desk: Desk) -> period.Period:
        zone = desk.configuration.report.time_zone
        if self.week and (self.begin or self.end):
            raise Misuse("--week goes without --from and --to")
        if self.week:
            try:
                return period.parse_week(self.week, zone)
            except ValueError as error:
                raise Misuse(str(error)) from None
        if self.begin:
            begin = moment(self.begin)
            end = moment(self.end) if self.end else begin + timedelta(days=7)
            if end <= begin:
                raise Misuse("--to lies before --from")
            return period.between(begin, end, zone)
        if self.end:
            raise Misuse("--to goes with --from")
        return period.last_complete_week(desk.now(), zone)
