"""What is demanded of those who run HSMs, and which detectors serve it: recommendations, clauses, ATT&CK techniques."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from analytics.detector import Detector

ATTACK_VERSION = "19"
"""Of MITRE ATT&CK: the release that `techniques.csv` takes its numbers from."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that is demanded. `detectors` serve it, by id; `otherwise` says what else does, or why nothing can.

    `logs_show`, of a recommendation: whether logs can show it followed or broken: yes, partly, hint or no.
    """

    kind: str
    name: str
    what: str
    detectors: tuple[str, ...]
    otherwise: str
    logs_show: str = ""


def coverage(detectors: Iterable[Detector]) -> tuple[Demand, ...]:
    """Every recommendation, clause and technique, in the order of the tables; detectors that are off serve nothing."""
    on = [detector for detector in detectors if detector.enabled]
    return (
        *_demands("recommendation", "recommendations", lambda row: row["number"], on, _serves_recommendation),
        *_demands("clause", "clauses", _clause, on, _serves_clause),
        *_demands("technique", "techniques", lambda row: row["technique"], on, _serves_technique),
    )


def _demands(
    kind: str,
    table: str,
    named: Callable[[dict[str, str]], str],
    detectors: list[Detector],
    serves: Callable[[Detector, str], bool],
) -> list[Demand]:
    demands = []
    for row in rows(table):
        name = named(row)
        ids = tuple(detector.id for detector in detectors if serves(detector, name))
        what = row.get("title") or row["demand"]
        demands.append(Demand(kind, name, what, ids, row["otherwise"], row.get("logs_show", "")))
    return demands


def rows(table: str) -> list[dict[str, str]]:
    """A table of `analytics/demands`."""
    text = (files("analytics") / "demands" / f"{table}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _clause(row: dict[str, str]) -> str:
    return f"{row['framework']} {row['clause']}".strip()


def _serves_recommendation(detector: Detector, number: str) -> bool:
    return number in detector.written["recommendations"]


def _serves_technique(detector: Detector, technique: str) -> bool:
    return technique in detector.written["attack"]["techniques"]


def _serves_clause(detector: Detector, clause: str) -> bool:
    return any(within(named, clause) for named in detector.written["frameworks"])


def within(named: str, clause: str) -> bool:
    """Whether a detector that names this clause serves that one: 10.2.1.4 serves 10.2.1, and 10.20 does not."""
    rest = named.removeprefix(clause)
    return named.startswith(clause) and not re.match(r"\d", rest)
