"""Who is on duty: runs detectors when something arrived or when it is time, and keeps the ledger without gaps."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from analytics import judging, runs, trying
from analytics.arrivals import Arrivals
from analytics.asking import CannotJudge
from analytics.header import duration
from analytics.judging import Moment
from analytics.runs import Run
from analytics.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from analytics.applying import Enqueue, Outcome
    from analytics.detector import Detector
    from analytics.judging import Judged, Store
    from analytics.trying import Tried

log = logging.getLogger("hsmtrail.duty")

LONGEST_REST = timedelta(minutes=5)
AROUND_CHANGES = timedelta(hours=1)
"""Detectors forgive some minutes on both sides of a change window: look so far beyond it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a detector may take for one question, and for one over all that it has never judged."""

    seconds: float = 30.0
    seconds_for_history: float = 600.0


@dataclass(frozen=True, slots=True)
class Again:
    """Findings that changed when spans were judged again, and detectors that could not judge them."""

    findings: int = 0
    failed: tuple[str, ...] = ()


class Duty:
    """Findings and ledger of one detector are written together. One judge at a time for the live detectors, and one for
    the rest: a wrong secret does not wait for a question about a year.
    """

    def __init__(  # noqa: PLR0913  (what it judges, by which clock, whom it tells)
        self,
        db: Store,
        detectors: Iterable[Detector],
        now: Callable[[], datetime],
        *,
        enqueue: Enqueue | None = None,
        on_told: Callable[[], object] = lambda: None,
        complete_until: Callable[[], datetime] | None = None,
        limits: Limits | None = None,
        not_measured: Mapping[str, str] | None = None,
    ) -> None:
        """`on_told`: called when findings were written, with their alerts, before the next detector is asked.

        `complete_until`: up to when every received line is stored; states are judged at that moment, not later.

        `not_measured`: of each detector, what the configuration does not let it judge; for the ledger.
        """
        self.detectors = tuple(detectors)
        self._enabled = tuple(detector for detector in self.detectors if detector.enabled)
        self._db, self._now, self._enqueue, self._on_told = db, now, enqueue, on_told
        self._complete_until = complete_until or now
        self._limits = limits or Limits()
        self.not_measured = dict(not_measured or {})
        self._judging = {live: threading.Lock() for live in (True, False)}
        self._failures: dict[str, tuple[int, datetime]] = {}
        with db.reader() as cursor:
            self._latest = runs.latest(cursor)
            self._judged = runs.judged(cursor)
            self._looked = runs.looked(cursor)

    def judge_arrivals(self) -> list[Run]:
        """The live detectors over what came since they last looked. One that failed rests a while."""
        now = self._now()
        with self._db.reader() as cursor:
            last = runs.last_position(cursor)
        live = [detector for detector in self._enabled if _is_live(detector) and not self._rests(detector, now)]
        return self._judge([detector for detector in live if self._behind(detector, last)])

    def until_due(self, now: datetime) -> dict[str, timedelta]:
        """How long it is until each detector with a schedule is due; nothing for one that is overdue, or never ran."""
        left = ((detector.id, self._until_due(detector, now)) for detector in self._enabled)
        return {identifier: wait for identifier, wait in left if wait is not None}

    def run(self, ids: Iterable[str] | None = None, *, everything: bool = False) -> list[Run]:
        """These detectors now, or all; over what they have not judged yet, or over the whole store."""
        wanted = None if ids is None else set(ids)
        chosen = [detector for detector in self._enabled if wanted is None or detector.id in wanted]
        return self._judge(chosen, everything=everything)

    def rejudge(self, device: str, begin: datetime, end: datetime) -> int:
        """An approved change of the device was recorded: judge its span again. Gives the findings that changed."""
        span = Span(begin, end).widened(AROUND_CHANGES)
        return self._again([span], self._limits.seconds, {"device": device}).findings

    def judge_again(self, spans: Sequence[Span]) -> Again:
        """Records of these spans have come to say something else: judge them all again."""
        return self._again(spans, self._limits.seconds_for_history, {}) if spans else Again()

    def _again(self, spans: Sequence[Span], seconds: float, why: dict[str, str]) -> Again:
        changed, failed = 0, []
        for detector in self._enabled:
            with self._judging[_is_live(detector)]:
                for span in spans if detector.kind == "episodes" else spans[:1]:
                    try:
                        judged = judging.judge_span(self._db, detector, span, self._moment(detector), seconds)
                    except CannotJudge as error:
                        failed.append(detector.id)
                        facts = {"detector": detector.id, **why, "error": str(error)[:500]}
                        log.warning("rejudging_failed", extra={"facts": facts})
                        break
                    with self._db.transaction() as cursor:
                        changed += judging.write(cursor, detector, judged, self._now(), self._enqueue).findings
        return Again(changed, tuple(failed))

    def try_out(self, identifier: str, since: datetime, until: datetime) -> list[Tried]:
        """What the detector gives for a span, beside what is there. Nothing is written. Raises CannotJudge.

        A state that was judged before is judged at that moment: findings say what was true then.
        """
        detector = next(one for one in self.detectors if one.id == identifier)
        judged, every = self._looked.get(identifier), duration(detector.every) or timedelta(seconds=1)
        when = Moment(judged, judged - every) if judged else Moment(until, since)
        return trying.try_out(self._db, detector, Span(since, until), when, self._limits.seconds_for_history)

    def waiting(self, identifier: str) -> int:
        """Stored batches that the detector, in whatever version, has still to judge; none of one that never judged."""
        with self._db.reader() as cursor:
            last = runs.last_position(cursor)
        return last - max((position for (one, _), position in self._judged.items() if one == identifier), default=last)

    def _judge(self, detectors: Sequence[Detector], *, everything: bool = False) -> list[Run]:
        """The live ones first; what came of each, by id."""
        done: list[Run] = []
        for live, judging_now in self._judging.items():
            chosen = [detector for detector in detectors if _is_live(detector) == live]
            if chosen:
                with judging_now:
                    done += self._judge_chosen(chosen, everything=everything)
        return sorted(done, key=lambda run: run.detector)

    def _judge_chosen(self, detectors: Sequence[Detector], *, everything: bool) -> list[Run]:
        """Those that failed last come last, so that they delay nobody."""
        quiet: list[tuple[Detector, Run]] = []
        done: list[Run] = []
        with self._db.reader() as cursor:
            last = runs.last_position(cursor)
        positions = {one.id: (0 if everything else self._judged.get(_key(one), 0), last) for one in detectors}
        arrivals = Arrivals(self._db, [(one, positions[one.id]) for one in detectors], self._limits.seconds)
        for detector in sorted(detectors, key=lambda one: one.id in self._failures):
            run, judged = self._ask(detector, positions[detector.id], arrivals)
            if judged is not None and not judged.empty:
                run = self._write(detector, run, judged)
            else:
                quiet.append((detector, run))
            done.append(run)
        self._keep_quiet(quiet)
        return done

    def _ask(self, detector: Detector, positions: tuple[int, int], arrivals: Arrivals) -> tuple[Run, Judged | None]:
        started, (first, last) = self._now(), positions
        state, unsaid = self._state(detector, first, last), self.not_measured.get(detector.id, "")
        run = Run(detector.id, detector.sha256, state, first, last, None, None, started, started, not_measured=unsaid)
        try:
            when, most = self._moment(detector), self._seconds(first)
            spans = arrivals.touched(detector, positions, most) if detector.kind == "episodes" else []
            judged = judging.judge_touched(self._db, detector, spans, when, most)
        except CannotJudge as error:
            self._failed(detector, str(error))
            return replace(run, state="failed", finished_at=self._now(), error=str(error)[:2000]), None
        self._failures.pop(detector.id, None)
        window = judged.window
        return replace(
            run,
            window_start=window.begin if window else None,
            window_end=window.end if window else None,
            finished_at=self._now(),
        ), judged

    def _state(self, detector: Detector, first: int, last: int) -> str:
        """'filled' when it judges what was there before it could: it is new, or it was broken."""
        before = self._latest.get(_key(detector))
        if first == last:
            return "ran"
        return "filled" if before is None or before.state == "failed" else "ran"

    def _write(self, detector: Detector, run: Run, judged: Judged) -> Run:
        with self._db.transaction() as cursor:
            outcome: Outcome = judging.write(cursor, detector, judged, self._now(), self._enqueue)
            run = replace(run, findings=outcome.findings, suppressed=outcome.suppressed, finished_at=self._now())
            row = runs.write(cursor, run, self._latest.get(_key(detector)))
        self._remember(detector, run, row)
        if outcome.findings:
            self._on_told()
        return run

    def _keep_quiet(self, quiet: Sequence[tuple[Detector, Run]]) -> None:
        """The ledger of those that had nothing to judge, or failed: one transaction for all."""
        if not quiet:
            return
        with self._db.transaction() as cursor:
            rows = [runs.write(cursor, run, self._latest.get(_key(detector))) for detector, run in quiet]
        for (detector, run), row in zip(quiet, rows, strict=True):
            self._remember(detector, run, row)

    def _remember(self, detector: Detector, run: Run, row: Run) -> None:
        self._latest[_key(detector)] = row
        if run.state != "failed":
            self._judged[_key(detector)] = run.to_position
            if run.window_end is not None:
                self._looked[detector.id] = max(run.window_end, self._looked.get(detector.id, run.window_end))

    def _failed(self, detector: Detector, error: str) -> None:
        """Rest 2 s, 4 s, 8 s … 5 min before the next live try."""
        times = 1 + self._failures.get(detector.id, (0, self._now()))[0]
        rest = min(timedelta(seconds=2 ** min(times, 20)), LONGEST_REST)
        self._failures[detector.id] = (times, self._now() + rest)
        log.error("detector_failed", extra={"facts": {"detector": detector.id, "times": times, "error": error[:500]}})

    def _rests(self, detector: Detector, now: datetime) -> bool:
        return detector.id in self._failures and now < self._failures[detector.id][1]

    def _behind(self, detector: Detector, last: int) -> bool:
        return detector.kind == "state" or self._judged.get(_key(detector), 0) < last

    def _until_due(self, detector: Detector, now: datetime) -> timedelta | None:
        every, before = duration(detector.every), self._latest.get(_key(detector))
        if every is None:
            return None
        return max(before.finished_at + every - now, timedelta()) if before else timedelta()

    def _moment(self, detector: Detector) -> Moment:
        return Moment(min(self._now(), self._complete_until()), self._looked.get(detector.id))

    def _seconds(self, first: int) -> float:
        return self._limits.seconds if first else self._limits.seconds_for_history


def _is_live(detector: Detector) -> bool:
    return detector.every == "live"


def _key(detector: Detector) -> tuple[str, str]:
    return detector.id, detector.sha256
