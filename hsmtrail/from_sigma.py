"""`hsmtrail detectors from-sigma`: a Sigma rule becomes a draft of a detector in a folder."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from analytics.detector import DetectorError, load
from hsmtrail import wiring
from hsmtrail.failures import Failure, Misuse

if TYPE_CHECKING:
    from analytics.sigma.draft import Draft
    from hsmtrail.config import Configuration

INSTALL = 'from-sigma needs pySigma, which is not installed: pip install "hsmtrail[sigma]"'


def write_draft(configuration: Configuration | None, rule: Path, folder: Path, identifier: str | None) -> list[Path]:
    """The two files that were written. Failure or Misuse when the rule has no form here, each reason with its line."""
    try:
        from analytics.sigma.draft import draft
        from analytics.sigma.rule import understand
        from analytics.sigma.yaml_file import RefusedError, read
    except ImportError:
        raise Failure(INSTALL) from None
    name = identifier or _free(configuration, folder)
    try:
        made = draft(understand(read(rule)), name)
    except RefusedError as refused:
        raise Failure("\n  ".join(["refused, nothing was written:", *map(str, refused.reasons)])) from None
    _prove(made)
    return _written(made, folder)


def _free(configuration: Configuration | None, folder: Path) -> str:
    """SIGMA-01, or the next number that no detector here and no file of the folder has."""
    taken = {detector.id for detector in wiring.all_detectors(configuration)}
    for path in filter(Path.is_file, folder.glob("*.sql")):
        taken |= set(re.findall(r"SIGMA-\d{2,3}", path.read_text(encoding="utf-8", errors="replace")[:4000]))
    return next(name for name in (f"SIGMA-{number:02}" for number in count(1)) if name not in taken)


def _prove(made: Draft) -> None:
    """A draft that is no detector is never written. Misuse for an id that is none."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{made.name}.sql"
        path.write_text(made.detector, encoding="utf-8")
        try:
            load(path)
        except DetectorError as error:
            raise Misuse("\n  ".join(["the draft is no detector, nothing was written:", str(error)])) from None


def _written(made: Draft, folder: Path) -> list[Path]:
    """Both or neither; never over a file that is there."""
    texts = {folder / f"{made.name}.sql": made.detector, folder / f"{made.name}.cases.toml": made.cases}
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise Misuse(f"{', '.join(there)} is there already, nothing was written: rename it, or choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Failure(f"{folder}: cannot be written: {error.strerror}") from None
    return list(texts)
