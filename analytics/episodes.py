"""Which finding an episode is: identity, growth, joining, splitting and voiding. Pure: rows in, decisions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from analytics.asking import Episode
    from store.findings import Finding


@dataclass(frozen=True, slots=True)
class Known:
    """A finding that is there, with its records."""

    finding: Finding
    records: frozenset[int]


@dataclass(frozen=True, slots=True)
class Open:
    """A new finding. `heirs_of`: findings whose span or records it takes over."""

    episode: Episode
    heirs_of: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """The finding goes on, perhaps as it is; `absorbed` ones are now parts of it."""

    known: Known
    episode: Episode
    absorbed: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class Supersede:
    """No longer true as it stands; `heirs` are the episodes that took its place, if any."""

    known: Known
    heirs: tuple[Episode, ...] = ()


@dataclass(frozen=True, slots=True)
class Clear:
    """What it said is over."""

    known: Known


Other = TypeVar("Other")
Decision = Open | Update | Supersede | Clear


def decide(known: Sequence[Known], episodes: Sequence[Episode]) -> list[Decision]:
    """What becomes of findings and episodes of one detector that lie in one zone.

    Same subject and overlapping spans are the same thing. One finding that is now several episodes is superseded by
    them; several that are now one episode go on as the oldest. What is not found any more is superseded by nothing,
    or by the new episode that has its records under another subject.
    """
    matches = _matches(known, episodes)
    episodes_of = _grouped((item, episode) for item, episode in matches)
    findings_of = _grouped((episode, item) for item, episode in matches)
    gone = [item for item in known if id(item) not in episodes_of]
    decisions: list[Decision] = []
    for episode in episodes:
        mine = findings_of.get(id(episode), [])
        whole = sorted((item for item in mine if len(episodes_of[id(item)]) == 1), key=lambda item: item.finding.id)
        if whole:
            decisions.append(Update(whole[0], episode, tuple(whole[1:])))
        else:
            decisions.append(Open(episode, tuple(mine or _sharing(gone, episode))))
    split = [Supersede(item, tuple(episodes_of[id(item)])) for item in known if len(episodes_of.get(id(item), [])) > 1]
    new = [episode for episode in episodes if id(episode) not in findings_of]
    voided = [Supersede(item, tuple(one for one in new if _sharing([item], one))) for item in gone]
    return [*decisions, *split, *voided]


def _grouped(pairs: Iterable[tuple[object, Other]]) -> dict[int, list[Other]]:
    groups: dict[int, list[Other]] = {}
    for one, other in pairs:
        groups.setdefault(id(one), []).append(other)
    return groups


def _matches(known: Sequence[Known], episodes: Sequence[Episode]) -> list[tuple[Known, Episode]]:
    """Of one subject and overlapping. Where both have the very same span they are each other's and nobody else's."""
    by_subject: dict[str, list[Episode]] = {}
    for episode in episodes:
        by_subject.setdefault(episode.subject, []).append(episode)
    pairs = [
        (item, episode)
        for item in known
        for episode in by_subject.get(item.finding.subject, ())
        if episode.first_seen <= item.finding.last_seen and item.finding.first_seen <= episode.last_seen
    ]
    exact = [pair for pair in pairs if _span(pair[0].finding) == _span(pair[1])]
    settled = {id(one) for pair in exact for one in pair}
    return [*exact, *(pair for pair in pairs if settled.isdisjoint(map(id, pair)))]


def _span(one: Finding | Episode) -> tuple[datetime, datetime]:
    return one.first_seen, one.last_seen


def _sharing(known: Sequence[Known], episode: Episode) -> list[Known]:
    return [item for item in known if not item.records.isdisjoint(episode.evidence)]


def decide_states(known: Sequence[Known], episodes: Sequence[Episode]) -> list[Decision]:
    """What becomes of state findings: a row is its subject's finding while that is open; without a row it is cleared.

    What people closed while it lasts stays closed; it is found again when it began anew or has new records.
    """
    decisions: list[Decision] = []
    alive = {item.finding.subject: item for item in known if item.finding.state in {"open", "acknowledged"}}
    for episode in episodes:
        mine = alive.pop(episode.subject, None) or _closed_while_it_lasts(known, episode)
        decisions.append(Open(episode) if mine is None else Update(mine, episode))
    return [*decisions, *map(Clear, alive.values())]


def _closed_while_it_lasts(known: Sequence[Known], episode: Episode) -> Known | None:
    closed = [item for item in known if item.finding.subject == episode.subject and item.finding.state == "closed"]
    newest = max(closed, key=lambda item: item.finding.id, default=None)
    if newest is None or newest.finding.disposition == "cleared":
        return None
    return newest if episode.first_seen <= _closed_at(newest.finding) else None


def _closed_at(finding: Finding) -> datetime:
    return finding.closed_at or finding.updated_at
