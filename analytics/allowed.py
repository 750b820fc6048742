"""What somebody has allowed, for a while and with a reason: it opens no finding, and it is counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (part of dataclasses that others read at run time)
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from analytics.asking import Episode


@dataclass(frozen=True, slots=True)
class Rule:
    """Result columns and the values that are allowed between two moments of event time."""

    match: Mapping[str, Any]
    starts_at: datetime
    ends_at: datetime


def rules(cursor: duckdb.DuckDBPyConnection, detector: str) -> list[Rule]:
    rows = cursor.execute(
        "SELECT match, starts_at, ends_at FROM suppressions WHERE detector = $detector", {"detector": detector}
    ).fetchall()
    return [Rule(json.loads(match), starts_at, ends_at) for match, starts_at, ends_at in rows]


def hides(rules: Sequence[Rule], episode: Episode) -> bool:
    """Judged by when it happened, so that a late line gives the same answer."""
    seen = {**episode.columns, "subject": episode.subject, "device": episode.device}
    return any(
        rule.starts_at <= episode.first_seen
        and episode.last_seen <= rule.ends_at
        and bool(rule.match)
        and all(_is(seen.get(name), value) for name, value in rule.match.items())
        for rule in rules
    )


def _is(seen: object, wanted: object) -> bool:
    """A list is what is allowed when it holds nothing else."""
    if isinstance(seen, list) and not isinstance(wanted, list):
        return bool(seen) and all(_text(one) == _text(wanted) for one in seen)
    return _text(seen) == _text(wanted)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
