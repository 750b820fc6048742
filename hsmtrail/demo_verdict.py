"""What was found, held against the stories of the sample week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hsmtrail.samples import Expected, Story

SEVERITIES = ("info", "low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, as `findings list --format json` gives it; times are naive UTC."""

    detector: str
    subject: str
    device: str
    severity: str
    first_seen: datetime
    last_seen: datetime

    @property
    def rank(self) -> int:
        return SEVERITIES.index(self.severity)


@dataclass(frozen=True, slots=True)
class Told:
    """One story, and whether hsmtrail told it: what was found in it, and what is missing."""

    story: Story
    found: tuple[Found, ...]
    missing: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """All stories, and the findings above low that none of them names."""

    told: tuple[Told, ...]
    unexplained: tuple[Found, ...]

    @property
    def detectors(self) -> frozenset[str]:
        """Those that found what a story holds."""
        return frozenset(
            wanted.detector for told in self.told for wanted in told.story.finds if wanted not in told.missing
        )

    @property
    def good(self) -> bool:
        return not self.unexplained and not any(told.missing for told in self.told)


def read_finding(row: Mapping[str, Any]) -> Found:
    return Found(
        row["detector"],
        row["subject"],
        row.get("device", ""),
        row["severity"],
        _moment(row["first_seen"]),
        _moment(row["last_seen"]),
    )


def verdict(stories: Sequence[Story], findings: Iterable[Found]) -> Verdict:
    """What began and ended on a story's devices in its time belongs to it; above low it must be named there."""
    found = list(findings)
    told = tuple(_told(story, [item for item in found if _within(item, story)]) for story in stories)
    named = {
        id(item) for one in told for item in one.found if any(_answers(item, wanted) for wanted in one.story.finds)
    }
    unexplained = tuple(item for item in found if item.rank > SEVERITIES.index("low") and id(item) not in named)
    return Verdict(told, unexplained)


def _told(story: Story, found: Sequence[Found]) -> Told:
    missing = tuple(wanted for wanted in story.finds if not any(_answers(item, wanted) for item in found))
    return Told(story, tuple(found), missing)


def _within(item: Found, story: Story) -> bool:
    concerned = item.device in story.devices or any(device in item.subject.split() for device in story.devices)
    return concerned and any(begin <= item.first_seen and item.last_seen <= end for begin, end in story.spans)


def _answers(item: Found, wanted: Expected) -> bool:
    same_subject = item.subject == wanted.subject or wanted.subject in item.subject.split()
    return item.detector == wanted.detector and same_subject and item.severity == wanted.severity


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
