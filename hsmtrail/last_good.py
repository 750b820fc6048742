"""The site's own detectors as they last were without a mistake: a service goes on with these while a file is broken.

So a file that is being mended does not keep a service down that must start again, for example since the machine did.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from hsmtrail import wiring
from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from pathlib import Path

    from analytics.detector import Detectors
    from hsmtrail.config import Configuration

log = logging.getLogger("hsmtrail.work")

NAME = "detectors.json"
MOST_LOGGED = 20


def detectors(configuration: Configuration) -> Detectors:
    """Those of the files; where one is broken what it was before. Misuse when they were never without a mistake."""
    path = configuration.below(NAME)
    before = _read(path)
    found = wiring.all_detectors(configuration, before)
    if not found.mistakes:
        texts = _texts(found, configuration)
        _tell(before, texts)
        _keep(path, texts)
    elif before is None:
        raise Misuse("\n".join(["detectors:", *(f"  {mistake}" for mistake in found.mistakes)]))
    else:
        log.error("detectors_broken", extra={"facts": {"mistakes": list(map(str, found.mistakes[:MOST_LOGGED]))}})
    return found


def _read(path: Path) -> dict[str, str] | None:
    """The text of each file, by its path; None before the first good start."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) else None


def _texts(found: Detectors, configuration: Configuration) -> dict[str, str]:
    """Of the site's own files, by path."""
    folders = wiring.folders(configuration, "detector_folders")
    return {str(detector.path): detector.text for detector in found if detector.path.parent in folders}


def _tell(before: dict[str, str] | None, texts: dict[str, str]) -> None:
    """A query that is another one than before, new, or gone."""
    if before is None:
        return
    others = sorted(path for path in before.keys() | texts.keys() if before.get(path) != texts.get(path))
    if others:
        log.info("detectors_changed", extra={"facts": {"files": others[:MOST_LOGGED]}})


def _keep(path: Path, texts: dict[str, str]) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(texts) + "\n", encoding="utf-8")
    beside.replace(path)
