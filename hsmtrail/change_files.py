"""Approved changes from a file of the change system: CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hsmtrail.errands.changes import AddChange
from hsmtrail.failures import Misuse
from hsmtrail.words import ChangeKind

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ("device", "from", "to", "ticket", "kind", "note")
LARGEST = 64 << 20


def read_changes(path: Path) -> list[AddChange]:
    """All changes of the file; Misuse names every row that is wrong."""
    try:
        if path.stat().st_size > LARGEST:
            raise Misuse(f"{path}: larger than {LARGEST >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{path}: cannot be read: {error}") from None
    changes, mistakes = [], []
    for number, row in enumerate(_rows(path, text), 1):
        try:
            changes.append(_change(row))
        except (ValidationError, ValueError, Misuse) as error:
            mistakes.append(f"{path}: row {number}: {_first(error)}")
    if mistakes:
        raise Misuse("\n".join(mistakes))
    return changes


def _rows(path: Path, text: str) -> list[dict[str, Any]]:
    if path.suffix.lower() != ".json":
        return list(csv.DictReader(io.StringIO(text)))
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise Misuse(f"{path}: is not JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Misuse(f"{path}: wants a list of objects")
    return rows


def _change(row: dict[str, Any]) -> AddChange:
    unknown = sorted(str(key) for key in row if key not in KEYS)
    missing = [key for key in KEYS[:4] if not row.get(key)]
    if unknown or missing:
        problems = [f"no such column: {', '.join(unknown)}"] * bool(unknown)
        raise ValueError("; ".join([*problems, *[f"{key} is missing" for key in missing]]))
    devices = row["device"] if isinstance(row["device"], list) else str(row["device"]).split(";")
    return AddChange(
        devices=[device.strip() for device in devices],
        begin=row["from"],
        end=row["to"],
        ticket=row["ticket"],
        kind=ChangeKind(row.get("kind") or "change"),
        note=row.get("note") or "",
    )


def _first(error: Exception) -> str:
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
