"""How long detectors take in a store of 50,000,000 records: each once over the last day, and the live ones on duty.

    python benchmarks/detectors_at_scale.py
    python benchmarks/detectors_at_scale.py --keep /var/tmp/scale --hours 120    builds so much of the store, no more
    python benchmarks/detectors_at_scale.py --keep /var/tmp/scale --only AUTH-01 live

Builds the store first: thirty days of twelve HSMs, about ten minutes; store_at_scale.py says what is in it. With --keep
it stays, and the next run goes on with it. Prints JSON lines: the machine; a line for each detector over the last 24
hours by event time, as the service judges a span (what it must look back for is included; findings are written, and
rolled back); their sum; a line for each round of live detectors after 2,000 new records; and of each live detector that
had something to judge, its own time in those rounds. `seconds` is by the clock, `cpu` what all threads of the process
used: on a busy machine read the latter.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measuring import machine, options_of, scratch, show
from store_at_scale import BEGIN, DAYS, Month, configuration

from analytics import judging, runs
from analytics.asking import CannotJudge
from analytics.judging import Moment
from analytics.runs import Run
from analytics.spans import Span
from hsmtrail import wiring
from store.database import Database

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from analytics.detector import Detector
    from analytics.duty import Duty
    from hsmtrail.config import Configuration

END = BEGIN + timedelta(days=DAYS)
DAY = timedelta(days=1)
PATIENCE = 600.0
NEW, ROUNDS = 2_000, 10
JUDGED = ("findings", "finding_records", "finding_history", "runs", "outbox", "deliveries")


class _Undone(Exception):  # noqa: N818  (ends a transaction, is no error)
    pass


@contextmanager
def timed(figures: dict[str, Any]) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    figures |= {"seconds": round(time.perf_counter() - wall, 3), "cpu": round(time.process_time() - cpu, 3)}


def over_a_day(db: Database, detector: Detector) -> dict[str, Any]:
    """Judged and written down as the service does, and taken back."""
    figures: dict[str, Any] = {"detector": detector.id, "kind": detector.kind, "every": detector.every}
    with timed(figures):
        try:
            judged = judging.judge_span(db, detector, Span(END - DAY, END), Moment(END, END - DAY), PATIENCE)
            with suppress(_Undone), db.transaction() as cursor:
                figures["findings"] = judging.write(cursor, detector, judged, END, None).findings
                raise _Undone
        except CannotJudge as error:
            figures["failed"] = str(error)
    return figures


def as_built(db: Database) -> None:
    """What an earlier run has judged and added is gone."""
    with db.transaction() as cursor:
        for table in JUDGED:
            cursor.execute(f"DELETE FROM {table}")
        for table in ("lines", "batches"):
            condition = "batch > (SELECT max(batch) FROM batches WHERE committed_at < $end)"
            cursor.execute(f"DELETE FROM {table} WHERE {condition}", {"end": END})


def on_duty(db: Database, settings: Configuration) -> Duty:
    """All detectors, none of which is behind; its clock shows the last moment of the store and goes on from there."""
    began = time.perf_counter()

    def now() -> datetime:
        return END + timedelta(seconds=time.perf_counter() - began)

    with db.transaction() as cursor:
        last = runs.last_position(cursor)
        for one in wiring.all_detectors(settings):
            runs.write(cursor, Run(one.id, one.sha256, "ran", 0, last, END - DAY, END, END, END), None)
    return wiring.duty(db, settings, now)


def live(db: Database, settings: Configuration, month: Month) -> None:
    """Rounds as the service makes them, each after so many new records."""
    duty, hour = on_duty(db, settings), month.next_hour()
    took: dict[str, list[float]] = {}
    for number in range(min(ROUNDS, hour.height // NEW)):
        month.commit([hour.slice(number * NEW, NEW)])
        figures: dict[str, Any] = {"round": number + 1}
        with timed(figures):
            done = duty.judge_arrivals()
        show(**figures, judged=sum(run.window_end is not None for run in done))
        for run in done:
            if run.window_end is not None:
                took.setdefault(run.detector, []).append((run.finished_at - run.started_at).total_seconds())
    for detector, seconds in sorted(took.items()):
        show(
            live=detector,
            rounds=len(seconds),
            median=round(statistics.median(seconds), 3),
            longest=round(max(seconds), 3),
        )


def measure(db: Database, settings: Configuration, month: Month, wanted: list[str]) -> None:
    as_built(db)
    figures = []
    for detector in wiring.all_detectors(settings):
        if not wanted or detector.id in wanted:
            figures.append(over_a_day(db, detector))
            show(**figures[-1])
    total = {name: round(sum(one[name] for one in figures), 2) for name in ("seconds", "cpu")}
    show(detectors=len(figures), longest=max(one["seconds"] for one in figures), **total)
    if not wanted or "live" in wanted:
        live(db, settings, month)


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--records", type=int, default=50_000_000)
    parser.add_argument("--keep", type=Path, help="folder in which the store stays")
    parser.add_argument("--hours", type=int, help="only build, up to so many hours of the month")
    parser.add_argument("--only", nargs="*", default=[], help="these detectors, by id; `live` for the rounds")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        run(given.keep, given)
    else:
        with scratch(given.folder or Path("/var/tmp")) as folder:
            run(folder, given)


def run(folder: Path, given: argparse.Namespace) -> None:
    settings = configuration(folder)
    db = Database.open(settings.store_path)
    try:
        month = Month(db, settings, given.records)
        month.build(min(given.hours or DAYS * 24, DAYS * 24))
        if given.hours is None:
            with db.reader() as cursor:
                stored = cursor.execute("SELECT count(*) FROM lines").fetchall()[0][0]
            show(**machine(folder), records=stored)
            measure(db, settings, month, given.only)
    finally:
        db.close()


if __name__ == "__main__":
    main()
