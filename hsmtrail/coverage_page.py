"""docs/reference/coverage.md: what is demanded, and which built-in detectors serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analytics.coverage import ATTACK_VERSION
from hsmtrail.catalogue import coverage_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = f"""What is demanded of those who run HSMs, and which detectors serve it. `hsmtrail detectors coverage` says it
of your own detectors and settings. That a detector serves a demand means that it finds what breaks it, as far as lines
tell; [Detectors](detectors.md) says of each what it cannot see. ATT&CK (a trademark of The MITRE Corporation) is
release {ATTACK_VERSION}.
"""
TITLES = {
    "recommendation": "Recommendations for Azure Dedicated HSM",
    "clause": "Clauses of frameworks, with their parts",
    "technique": "ATT&CK techniques",
}


def coverage_page() -> Iterator[str]:
    yield HEAD
    rows = coverage_rows(None)
    for kind, title in TITLES.items():
        yield from _section(kind, title, [row for row in rows if row["kind"] == kind])


def _section(kind: str, title: str, demands: list[dict[str, Any]]) -> Iterator[str]:
    served = sum(bool(row["detectors"]) for row in demands)
    yield f"## {title}\n\n{served} of {len(demands)} are served by a detector.\n"
    logs = kind == "recommendation"
    yield f"| {kind} | demand | {'logs show it | ' if logs else ''}detectors | otherwise |"
    yield "|---|---|---|---|---|" if logs else "|---|---|---|---|"
    for row in demands:
        shown = f"{row['logs_show']} | " if logs else ""
        detectors = ", ".join(row["detectors"]) or "**none**"
        yield f"| {row['name']} | {row['what']} | {shown}{detectors} | {row['otherwise']} |"
    yield ""
