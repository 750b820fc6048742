"""Moments and spans as people type them: always UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hsmtrail.failures import Misuse

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """'2026-11-23', '2026-11-23 08:15', '2026-11-23T08:15:01Z' or with an offset; naive UTC."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Misuse(f'{text!r} is no moment; wants "2026-11-23" or "2026-11-23T08:15:00Z"') from None
    return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed


def since(text: str, now: datetime) -> datetime:
    """A moment, or a span before now: '30d', '12h'."""
    span = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    try:
        return now - timedelta(**{UNITS[span[2]]: int(span[1])}) if span else moment(text)
    except OverflowError:
        raise Misuse(f"{text!r} reaches further back than there are dates") from None
