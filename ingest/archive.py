"""Where sealed segments lie: `data_dir/archive/NAME/YYYY/MM/BATCH.parquet`, named as they were in the spool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.spool_segment import segments

if TYPE_CHECKING:
    from datetime import datetime

FOLDER = "archive"
SUFFIX = ".parquet"


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A segment, sealed or not. Its batches end before `next_batch` (running number; None: nobody knows)."""

    path: Path
    first_batch: int
    next_batch: int | None
    sealed: bool


def sealed_path(name: str, first_batch: int, committed_at: datetime) -> Path:
    """Below data_dir; the month is that of its first batch."""
    return Path(FOLDER, name, f"{committed_at:%Y}", f"{committed_at:%m}", f"{first_batch:012d}{SUFFIX}")


def sealed_files(data_dir: Path, name: str) -> dict[int, Path]:
    """By the running number of the first batch."""
    found = (data_dir / FOLDER / name).glob(f"[0-9]*/[0-9]*/*{SUFFIX}")
    return {int(path.stem): path for path in sorted(found) if path.stem.isascii() and path.stem.isdigit()}


def names(data_dir: Path) -> list[str]:
    """Of all spools that have a segment, sealed or not."""
    places = [data_dir / place for place in ("spool", FOLDER) if (data_dir / place).is_dir()]
    folders = [entry for place in places for entry in place.iterdir() if entry.is_dir()]
    return sorted({folder.name for folder in folders if not folder.name.startswith(".")})


def evidence_files(data_dir: Path, name: str) -> list[EvidenceFile]:
    """All segments of one spool in order. One that is sealed and not yet removed from the spool is read there.

    The spool is looked at first: what is sealed meanwhile is then seen in the archive, and nothing is missed.
    """
    folder = data_dir / "spool" / name
    unsealed = {first: folder / f"{first:012d}.arrow" for first in segments(folder)}
    sealed = sealed_files(data_dir, name)
    firsts = sorted({*unsealed, *sealed})
    followed = dict(zip(firsts, [*firsts[1:], None], strict=True)) if firsts else {}
    return [
        EvidenceFile(unsealed.get(first) or sealed[first], first, followed[first], first not in unsealed)
        for first in firsts
    ]
