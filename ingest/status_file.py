"""What the receiver says of itself to other processes: one JSON file, never half-written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAME = "status.json"


def write_status(directory: Path, status: dict[str, Any]) -> None:
    """Replace the file; on a full disk it is written over in place, for it has its room already."""
    octets = json.dumps(status).encode()
    fresh = directory / f".{NAME}"
    try:
        _write(fresh, octets)
        fresh.replace(directory / NAME)
    except OSError:
        fresh.unlink(missing_ok=True)
        _write(directory / NAME, octets)


def read_status(directory: Path) -> dict[str, Any]:
    """Empty when there is none that can be read."""
    try:
        status = json.loads((directory / NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _write(path: Path, octets: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(file, octets, 0)
        os.ftruncate(file, len(octets))
    finally:
        os.close(file)
