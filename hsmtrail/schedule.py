"""What happens by the clock: detectors that are not live, and the periodic pack (APScheduler)."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from analytics.alerts.enqueue import enqueue_pack
from analytics.alerts.sinks import EmailSink
from hsmtrail import wiring
from hsmtrail.anchor import send_anchor
from hsmtrail.config_checks import seconds, weekly
from hsmtrail.errands.evidence import evidence_status, note_room
from hsmtrail.errands.report import MakeReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from hsmtrail.desk import Desk
    from reports.period import Period

log = logging.getLogger("hsmtrail.schedule")

LATE = 3600
"""Seconds that a job may be late and still run; once, however often it was missed."""


SETTLE = timedelta(minutes=1)
"""A service that has begun reads first what came while it was down: what is overdue waits so long, if it is not more
often due itself."""


class Timetable:
    """One job per scheduled detector and one for the pack, in one thread: they never run side by side.

    The ledger of runs says when a detector is due, not the service's own start: one that is due once a day runs once a
    day, however often the service is started.
    """

    def __init__(self, desk: Desk, on_work: Callable[[], object], settle: timedelta = SETTLE) -> None:
        self._desk, self._on_work, self._settle = desk, on_work, settle
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": LATE},
            timezone="UTC",
        )

    def start(self) -> None:
        self._add_detectors()
        self._add_pack()
        hourly = IntervalTrigger(hours=1, timezone="UTC")
        self._scheduler.add_job(self.look_after_evidence, hourly, id="evidence", next_run_time=datetime.now(UTC))
        log.info("scheduled", extra={"facts": {"jobs": len(self._scheduler.get_jobs())}})
        self._scheduler.start()

    def _add_detectors(self) -> None:
        due = self._desk.duty.until_due(self._desk.now())
        for detector in self._desk.duty.detectors:
            if detector.id in due:
                every = timedelta(seconds=seconds(detector.every))
                first = datetime.now(UTC) + max(due[detector.id], min(every, self._settle))
                trigger = IntervalTrigger(seconds=every.total_seconds(), start_date=first, timezone="UTC")
                self._scheduler.add_job(self._detect, trigger, args=[detector.id], id=detector.id, next_run_time=first)

    def _add_pack(self) -> None:
        report = self._desk.configuration.report
        day, hour, minute = weekly(report.schedule)
        when = CronTrigger(day_of_week=day, hour=hour, minute=minute, timezone=report.time_zone)
        self._scheduler.add_job(self.make_missing_pack, when, id="pack")
        self._scheduler.add_job(self.make_missing_pack, id="pack missed while down")

    def stop(self) -> None:
        self._scheduler.shutdown(wait=True)

    def _detect(self, identifier: str) -> None:
        try:
            self._desk.duty.run([identifier])
        finally:
            self._on_work()

    def look_after_evidence(self) -> None:
        """The daily anchor, when a day has passed; and what is wrong with the room on the disk."""
        if send_anchor(self._desk):
            self._on_work()
        now = self._desk.now()
        with self._desk.db.reader() as cursor:
            evidence = evidence_status(self._desk.configuration, cursor, now)
        with self._desk.db.transaction() as cursor:
            note_room(self._desk.configuration, cursor, now, evidence)
        for alarm in evidence["alarms"]:
            log.warning("evidence_alarm", extra={"facts": {"alarm": alarm}})

    def make_missing_pack(self) -> None:
        """The pack of the last complete period, unless it is there; a store without records of it gets none."""
        order = MakeReport()
        span = order.span(self._desk)
        made = self._desk.configuration.below("packs", f"{span.name}.html")
        if made.exists() or not self._has_records(span):
            return
        answer = order.answer(self._desk)
        self._send(answer)
        log.info("pack_made", extra={"facts": {"pack": answer["html"]}})
        self._on_work()

    def _has_records(self, span: Period) -> bool:
        with self._desk.db.reader() as cursor:
            found = cursor.execute(
                "SELECT 1 FROM events WHERE event_at >= $begin AND event_at < $end LIMIT 1",
                {"begin": span.begin, "end": span.end},
            ).fetchone()
        return found is not None

    def _send(self, answer: dict[str, Any]) -> None:
        """By mail to the recipients, through the outbox like everything that leaves."""
        configuration = self._desk.configuration
        if not configuration.report.recipients:
            return
        with self._desk.db.transaction() as cursor:
            enqueue_pack(
                cursor,
                [sink for sink in wiring.sinks(configuration) if isinstance(sink, EmailSink)][:1],
                self._desk.now(),
                name=answer["name"],
                title=answer["period"],
                summary=[answer["verdict"]],
                path=Path(answer["html"]),
                sha256=answer["sha256"],
                recipients=configuration.report.recipients,
            )
