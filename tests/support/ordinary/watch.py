"""The week through the real line, by a clock that a test turns: parsed, stored, judged, told, and taken on."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from analytics import changes
from hsmtrail import wiring
from hsmtrail.config import load
from hsmtrail.desk import open_store
from ingest.parsed import LINES, parsed
from store import findings
from store.writer import Writer
from support.ordinary import history
from support.ordinary.arrivals import IDENTITY, Arrivals, Minute
from support.ordinary.changes import WINDOWS, change
from support.ordinary.life import live
from support.ordinary.site import DEVICES, MONDAY, WEEK, Scale, Window, configuration, moment
from support.ordinary.ways import arriving
from support.ordinary.wire import Line, Pen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import duckdb

    from support.ordinary.incidents import Incident

MINUTE = timedelta(minutes=1)
EVENING_BEFORE = MONDAY - timedelta(minutes=10)
WORTH_A_LOOK = ("medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding above low, and how often people were told."""

    detector: str
    subject: str
    severity: str
    alerts: int


class Watch:
    """One installation, from the import of its archives on the evening before to the end of Sunday."""

    def __init__(self, folder, scale: Scale, incidents: Sequence[Incident] = ()) -> None:
        path = folder / "hsmtrail.toml"
        path.write_text(configuration(), encoding="utf-8")
        settings = load(path)
        self.db, self.now, self.incidents = open_store(settings), EVENING_BEFORE, incidents
        self._parser, self._writer, self._arrivals = wiring.parser(settings), Writer(self.db), Arrivals()
        self._duty = wiring.duty(self.db, settings, lambda: self.now)
        past, self.lines = written(scale, incidents)
        self._arriving = arriving(self.lines)
        self._moments = [at for at, _, _ in self._arriving]
        self._store([Minute(self.now, [(line, self.now, "import", "") for line in past])])
        with self.db.transaction() as cursor:
            self._decided(cursor)

    def close(self) -> None:
        self.db.close()

    def _decided(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """What people have written down: approved changes and settings, a review, answers."""
        for window in (*history.WINDOWS, *WINDOWS, *(window for one in self.incidents for window in one.windows)):
            _approve(cursor, window)
        for device in DEVICES:
            for setting, value in (("hsm policy 15", "0"), ("ipcheck", "off" if device.behind_nva else "on")):
                cursor.execute(
                    "INSERT INTO baseline VALUES (?, ?, '', ?, ?, 'analyst', 'as set up', ?)",
                    [device.name, setting, value, self.now, self.now],
                )
        cursor.execute(
            "INSERT INTO reviews VALUES ('2026-W06', ?, ?, '', 'reviewer', 'clean', '', ?)",
            [MONDAY - WEEK, MONDAY, moment("mon 09:00")],
        )
        for one in self.incidents:
            for answer in one.told.get("answers", []):
                cursor.execute(
                    "INSERT INTO attestations VALUES (?, 'yes', '', 'analyst', ?, ?)",
                    [answer, self.now - timedelta(days=30), one.at],
                )

    def watch(self, steps: Sequence[datetime]) -> None:
        """Up to each of these moments: what came since is stored, then judged as the service judges, then taken on."""
        for until in sorted({*steps, *(at for one in self.incidents for at in one.looked_at), MONDAY + WEEK}):
            self._receive(until)
            self._judge()
            self._take_on()

    def _receive(self, until: datetime) -> None:
        minutes, at = [], max(self.now, MONDAY)
        while at < until:
            begin, at = at, min(at + MINUTE, until)
            came = self._arriving[bisect_left(self._moments, begin) : bisect_left(self._moments, at)]
            received = [(line, received_at, line.transport, peer) for received_at, line, peer in came]
            dropped = sum(one.told.get("dropped", 0) for one in self.incidents if begin <= one.at < at)
            minutes.append(Minute(at, received, dropped))
        self._store(minutes)
        self.now = until

    def _store(self, minutes: list[Minute]) -> None:
        batches, rows = self._arrivals.spooled(minutes)
        self._writer.store(batches, rows.select(IDENTITY).hstack(parsed(rows.select(LINES), self._parser)))
        with self.db.transaction() as cursor:  # the writer asks the clock on the wall
            cursor.execute("UPDATE batches SET stored_at = committed_at WHERE stored_at <> committed_at")

    def _judge(self) -> None:
        """The live detectors over what came, and those that are due."""
        runs = self._duty.judge_arrivals()
        waits = self._duty.until_due(self.now)
        scheduled = [one.id for one in self._duty.detectors if one.enabled and one.every != "live"]
        runs += self._duty.run([identifier for identifier in scheduled if not waits[identifier]])
        assert [(run.detector, run.error) for run in runs if run.state == "failed"] == []

    def _take_on(self) -> None:
        """Somebody is awake, and takes on at once whatever was told."""
        with self.db.transaction() as cursor:
            for one in findings.list_findings(cursor, states=["open"]):
                if one.severity in WORTH_A_LOOK:
                    findings.acknowledge(cursor, one.id, by="analyst", note="", now=self.now)

    def seen(self) -> list[Seen]:
        """Whatever was above low or told, as it stands at last, superseded or not."""
        with self.db.reader() as cursor:
            told = cursor.execute("SELECT finding FROM outbox WHERE kind = 'finding'").fetchall()
            found = findings.list_findings(cursor, states=["open", "acknowledged", "closed", "superseded"])
        alerts = Counter(finding for (finding,) in told)
        return [
            Seen(one.detector, one.subject, one.severity, alerts[one.id])
            for one in found
            if one.severity in WORTH_A_LOOK or alerts[one.id]
        ]


def _approve(cursor: duckdb.DuckDBPyConnection, window: Window) -> None:
    changes.add(
        cursor,
        device=window.device,
        starts_at=window.begins,
        ends_at=window.ends,
        ticket=window.ticket,
        kind=window.kind,
        note="",
        by="change board",
        now=EVENING_BEFORE,
    )


def written(scale: Scale, incidents: Sequence[Incident] = ()) -> tuple[list[Line], list[Line]]:
    """The five weeks before, and the week in the order of sending."""
    pens = {device.name: Pen(device, "week") for device in DEVICES}
    past: list[Line] = []
    for name, pen in pens.items():
        pen.forgotten = [one.told["forgotten"] for one in incidents if one.device == name and "forgotten" in one.told]
        before = Pen(pen.device, "history")
        history.remember(before, scale, pen.forgotten)
        past += before.lines()
        pen.sequence = before.sequence
        live(pen, scale)
    change(pens)
    for one in incidents:
        one.plant(pens)
    lines = [line for pen in pens.values() for line in pen.lines() if MONDAY <= line.at < MONDAY + WEEK]
    return past, sorted(lines, key=lambda line: line.at)
