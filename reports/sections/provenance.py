"""Where the pack comes from: lines, chains, detectors, patterns; what it cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import counted, listed

if TYPE_CHECKING:
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import DetectorNote, PackSettings


APPROVALS = {"changed": "changed since it was approved", "not approved": "in a version that nobody approved"}
"""What is said of detectors that are not as somebody approved them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of evidence; `raw` is cut at 2,000 of `characters`."""

    record_id: int
    device: str
    family: str
    event_at: datetime
    received_at: datetime
    transport: str
    listener: str
    peer: str
    status: str
    trouble: str
    raw: str
    characters: int


@dataclass(frozen=True, slots=True)
class Head:
    """The newest batch of one receiver's chain; its SHA-256 covers everything before it."""

    receiver: int
    batch: int
    last_record: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Run:
    detector: str
    ran: int
    failed: int
    skipped: int
    suppressed: int
    versions: tuple[str, ...]
    error: str
    not_measured: str = ""


@dataclass(frozen=True, slots=True)
class PatternVersion:
    version: str
    lines: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """`heads` reach as far as the period's lines, so that later ones change no older pack; `chain` is the store's."""

    hsmtrail_version: str
    patterns_version: str
    patterns: tuple[PatternVersion, ...]
    heads: tuple[Head, ...]
    chain: tuple[Head, ...]
    detectors: tuple[DetectorNote, ...]
    runs: tuple[Run, ...]
    remarks: tuple[str, ...]

    def run(self, detector: str) -> Run | None:
        return next((run for run in self.runs if run.detector == detector), None)


def read(ask: Questions, period: Period, settings: PackSettings) -> Provenance:
    runs = ask.rows(Run, "runs", period)
    detectors = tuple(sorted(settings.detectors, key=lambda note: note.id))
    return Provenance(
        hsmtrail_version=settings.hsmtrail_version,
        patterns_version=settings.patterns_version,
        patterns=ask.rows(PatternVersion, "pattern_versions", period),
        heads=ask.rows(Head, "heads", period),
        chain=ask.rows(Head, "chain", period),
        detectors=detectors,
        runs=runs,
        remarks=tuple(remarks(detectors, runs)),
    )


def evidence(ask: Questions, period: Period, records: list[int]) -> tuple[Line, ...]:
    """The raw lines of these records, in the order of their ids."""
    return ask.rows(Line, "evidence", period, records=sorted(set(records)))


def remarks(detectors: tuple[DetectorNote, ...], runs: tuple[Run, ...]) -> list[str]:
    """A detector that did not run has found nothing: the reader must know."""
    said = []
    done = {run.detector for run in runs if run.ran}
    idle = [note.id for note in detectors if note.enabled and note.id not in done]
    if idle:
        said.append(f"{counted(len(idle), 'detector')} did not run over this period: {listed(idle)}.")
    failed = [run.detector for run in runs if run.failed]
    if failed:
        said.append(f"{counted(len(failed), 'detector')} failed at least once: {listed(failed)}.")
    disabled = [note.id for note in detectors if not note.enabled]
    if disabled:
        said.append(f"{counted(len(disabled), 'detector')} switched off by configuration: {listed(disabled)}.")
    said += _other_versions(detectors, runs)
    unsaid = [f"{run.detector} ({run.not_measured})" for run in runs if run.not_measured]
    if unsaid:
        said.append(f"not measured, since nobody configured what it needs: {listed(unsaid)}.")
    hidden = sum(run.suppressed for run in runs)
    if hidden:
        said.append(f"Allow-lists and suppressions hid {counted(hidden, 'result')}.")
    return [text[0].upper() + text[1:] for text in said]


def _other_versions(detectors: tuple[DetectorNote, ...], runs: tuple[Run, ...]) -> list[str]:
    """A changed query finds other things: the reader must know that there is one."""
    said = []
    named = {note.id: note.sha256 for note in detectors}
    other = [run.detector for run in runs if run.detector in named and set(run.versions) - {named[run.detector]}]
    if other:
        said.append(f"{counted(len(other), 'detector')} ran in another version than the one below: {listed(other)}.")
    for approval, words in APPROVALS.items():
        ids = [note.id for note in detectors if note.approval == approval]
        if ids:
            said.append(f"{counted(len(ids), 'detector')} {words}: {listed(ids)}.")
    unknown = {note.approval for note in detectors} - {"", "approved", *APPROVALS}
    return said + [f"whether the detectors were approved is {words}." for words in sorted(unknown)]
