"""`hsmtrail verify`: is everything in data_dir what was written, and does the store have what was received?"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from hsmtrail.client import asker, running_service
from hsmtrail.errands.verify import CompareStore, StoreReach
from hsmtrail.failures import Failure, Misuse
from ingest.archive import evidence_files, names
from ingest.spool_key import Keys, KeyTrouble, read_keys
from ingest.verify import Verdict, Verified, verify_evidence
from reports.check_packs import pack_verdicts
from store.file_check import Fault, log_faults, store_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hsmtrail.config import Configuration
    from hsmtrail.errands import Errand

LOGS = (".wal", ".wal.checkpoint")
RUNNING = (1 << 48) - 1
MOST = 1000
"""Faults and notes that are told; one would be enough to look."""


def verify(
    configuration: Configuration, show: Callable[[str, int, int], None], anchors: list[str] | None = None
) -> dict[str, Any]:
    """Faults and notes, each with its file below data_dir; `show` gets what is looked at, done and total."""
    keys, unchecked = _keys(configuration)
    evidence = _evidence(configuration, keys, show, dict(map(_anchor, anchors or [])))
    files = [*evidence.verdicts, *_store_files(configuration), *_packs(configuration)]
    store, compared = _store(configuration, evidence, [one for one in files if one.is_fault], show)
    verdicts = [*files, *compared]
    if not evidence.heads:
        verdicts.append(Verdict.note(str(configuration.below()), 0, 0, "there is no evidence yet: nothing was proven"))
    return {
        "ok": not any(verdict.is_fault for verdict in verdicts),
        "faults": [_told(verdict) for verdict in verdicts if verdict.is_fault][:MOST],
        "notes": [_told(verdict) for verdict in verdicts if not verdict.is_fault][:MOST],
        "heads": [
            {"name": one.name, "batch": one.batch, "sha256": one.sha256, "batches": one.batches, "records": one.records}
            for one in evidence.heads
        ],
        "manifest": evidence.manifest,
        "macs": unchecked or "checked",
        "store": store,
    }


def _told(verdict: Verdict) -> dict[str, Any]:
    place = {} if verdict.begin == verdict.end == 0 else {"begin": verdict.begin, "end": verdict.end}
    return {"file": verdict.file, **place, "what": verdict.what}


def _keys(configuration: Configuration) -> tuple[Keys | None, str]:
    """The keys, or why MACs are not checked."""
    try:
        return read_keys(configuration.key_path), ""
    except KeyTrouble as trouble:
        return None, f"not checked: {trouble}"


def _anchor(text: str) -> tuple[int, str]:
    batch, _, sha256 = text.partition("=")
    if not batch.isdecimal() or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise Misuse(f"--anchor {text}: wants BATCH=SHA256, as the anchor message has them")
    return int(batch), sha256


def _evidence(
    configuration: Configuration, keys: Keys | None, show: Callable[[str, int, int], None], anchors: dict[int, str]
) -> Verified:
    data_dir = configuration.below()
    total = sum(_size(file.path) for name in names(data_dir) for file in evidence_files(data_dir, name))
    done = 0

    def advance(octets: int) -> None:
        nonlocal done
        done += octets
        show("evidence", min(done, total), total)

    return verify_evidence(data_dir, keys, advance, anchors)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _store_files(configuration: Configuration) -> Iterator[Verdict]:
    """Before the store is opened by this process: see store/file_check.py."""
    path = configuration.store_path
    for fault in store_faults(path):
        yield _of_file(configuration, path, fault)
    for suffix in LOGS:
        log = path.with_name(path.name + suffix)
        faults, note = log_faults(log, path) if path.exists() else ([], "")
        for fault in faults:
            yield _of_file(configuration, log, fault)
        if note:
            yield Verdict.note(_place(configuration, log), 0, 0, note)


def _of_file(configuration: Configuration, path: Path, fault: Fault) -> Verdict:
    return Verdict(_place(configuration, path), fault.start, fault.end, fault.why)


def _place(configuration: Configuration, path: Path) -> str:
    """Below data_dir, where it is there."""
    data_dir = configuration.below()
    return path.relative_to(data_dir).as_posix() if path.is_relative_to(data_dir) else str(path)


def _packs(configuration: Configuration) -> Iterator[Verdict]:
    for one in pack_verdicts(configuration.below("packs")):
        yield Verdict(f"packs/{one.file}", 0, one.size, one.what, is_fault=one.is_fault)


def _store(
    configuration: Configuration, evidence: Verified, faults: list[Verdict], show: Callable[[str, int, int], None]
) -> tuple[dict[str, int], list[Verdict]]:
    """The store's rows against the evidence, asked of the service or looked at here."""
    place = _place(configuration, configuration.store_path)
    if running_service(configuration) is None:
        if not configuration.store_path.exists():
            return {}, [Verdict.note(place, 0, 0, "there is no store yet")]
        if any(fault.file.startswith(place) for fault in faults):
            what = "was not opened, since it is damaged; `hsmtrail recover` makes it again from the evidence"
            return {}, [Verdict.note(place, 0, 0, what)]
    comparison = _Comparison(place, evidence, show)
    try:
        with asker(configuration) as ask:
            comparison.run(ask)
    except Misuse:
        raise
    except Failure as failure:
        what = f"was not compared with the evidence, so nothing is said of its rows: {failure}"
        comparison.verdicts.append(Verdict(place, 0, 0, what))
    return comparison.counts, comparison.verdicts


class _Comparison:
    """Asks for one piece after the other."""

    def __init__(self, place: str, evidence: Verified, show: Callable[[str, int, int], None]) -> None:
        self._place, self._evidence, self._show = place, evidence, show
        self.counts = {"batches": 0, "records": 0, "waiting": 0}
        self.verdicts: list[Verdict] = []

    def run(self, ask: Callable[[Errand], Any]) -> None:
        reach = ask(StoreReach())
        self._unreadable(reach)
        if reach["orphans"]:
            self._fault(f"{reach['orphans']} records are of batches that the store does not have")
        stored = {last >> 48: last for last in reach["receivers"]}
        total = sum(last & RUNNING for last in stored.values())
        before = 0
        for last in stored.values():
            self._receiver(ask, last, before, total)
            before += last & RUNNING
        self._waiting(stored)

    def _receiver(self, ask: Callable[[Errand], Any], last: int, before: int, total: int) -> None:
        after = last & ~RUNNING
        while after < last:
            answer = ask(CompareStore(after_batch=after, last_batch=last))
            self._unreadable(answer)
            for text in answer["differences"]:
                self._fault(text)
            for first, end in answer["missing"]:
                self._fault(
                    f"batches {first & RUNNING} to {end & RUNNING} of receiver {first >> 48} are not in evidence"
                )
            self.counts["batches"] += answer["batches"]
            self.counts["records"] += answer["records"]
            if answer.get("unreadable"):
                return
            after = answer["after_batch"]
            self._show("store", before + (after & RUNNING), total)

    def _waiting(self, stored: dict[int, int]) -> None:
        """Batches of the evidence that the store does not have yet."""
        for head in self._evidence.heads:
            have = stored.get(head.batch >> 48, 0) & RUNNING
            waiting = max(0, (head.batch & RUNNING) - have)
            self.counts["waiting"] += waiting
            if waiting:
                self.verdicts.append(
                    Verdict.note(self._place, 0, 0, f"{waiting} batches of {head.name} are not stored yet")
                )

    def _unreadable(self, answer: dict[str, Any]) -> None:
        if answer.get("unreadable"):
            self._fault(f"cannot be read: {answer['unreadable']}")

    def _fault(self, what: str) -> None:
        self.verdicts.append(Verdict(self._place, 0, 0, what))


@contextlib.contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error for each part."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield show
