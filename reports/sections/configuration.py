"""P6, configuration: is each device still as approved?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import counted, listed, sentence

if TYPE_CHECKING:
    from datetime import datetime

    from reports.period import Period
    from reports.questions import Questions
    from reports.settings import PackSettings


DEEDS = ("time", "drift", "certificate", "ssh host key", "package", "appliance configuration")
"""Settings that say what was done, not how something stands: the first word or words of their names."""
GONE = ("removed", "deleted", "revoked", "cleared", "unregistered")
"""Values that say that there is no such thing any more."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting whose last observed value is not the approved one.

    What console output showed has no record: `file` and its `sha256` are the evidence, `who` has imported it.
    """

    device: str
    setting: str
    partition: str
    approved: str
    was_approved: bool
    observed: str
    since: datetime
    who: str
    record_id: int | None
    file: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that was changed in the period; `before` is '' when the store knows no earlier value."""

    event_at: datetime
    device: str
    partition: str
    setting: str
    value: str
    ticket: str
    who: str
    before: str
    records: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    device: str
    settings: int
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Configuration:
    """P6. Devices without an approved baseline are not measured, and named."""

    answer: str
    remarks: tuple[str, ...]
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    baselines: tuple[Baseline, ...]


def read(ask: Questions, period: Period, settings: PackSettings) -> Configuration:
    differences = ask.rows(Difference, "drift", period, ignore=list(DEEDS), gone=list(GONE))
    baselines = ask.rows(Baseline, "baselines", period)
    changes = ask.rows(
        Change, "setting_changes", period, grace_minutes=settings.grace_minutes, most=settings.acts_shown
    )
    return Configuration(
        answer=answer(differences, baselines),
        remarks=tuple(remarks(baselines, changes)),
        differences=differences,
        changes=changes,
        baselines=baselines,
    )


def answer(differences: tuple[Difference, ...], baselines: tuple[Baseline, ...]) -> str:
    """'Two settings differ from the approved baseline'."""
    if not differences and not any(baseline.settings for baseline in baselines):
        return "Configuration was not measured: no baseline is approved"
    if not differences:
        return "Every observed setting is as approved"
    differ = "differs" if len(differences) == 1 else "differ"
    return f"{sentence(counted(len(differences), 'setting'))} {differ} from the approved baseline"


def remarks(baselines: tuple[Baseline, ...], changes: tuple[Change, ...]) -> list[str]:
    said = []
    unmeasured = [baseline.device for baseline in baselines if not baseline.settings]
    if unmeasured:
        said.append(f"Not measured, because no baseline is approved: {listed(unmeasured)}.")
    if not changes:
        said.append("No setting was changed in the period.")
    return said
