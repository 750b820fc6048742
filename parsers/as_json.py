"""One record as the JSON object that `hsmtrail parse` prints."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OBJECTS = ("details", "structured_data")


def json_record(row: Mapping[str, object]) -> dict[str, object]:
    """NULL and '' are left out, 0 and false are not; times end in Z; details and structured_data are objects."""
    return {name: _value(name, value) for name, value in row.items() if value is not None and value != ""}


def _value(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if name in _OBJECTS and isinstance(value, str):
        return json.loads(value)
    return value
