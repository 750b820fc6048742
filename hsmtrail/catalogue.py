"""The detectors as people and programs read them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hsmtrail import context, version_lock, wiring
from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analytics.detector import Detector
    from hsmtrail.config import Configuration


def catalogue(configuration: Configuration | None) -> list[dict[str, Any]]:
    """Every detector's header, the parameters in force, the SHA-256 of its file, whether that was approved (where
    the site keeps detectors.lock), and what it cannot measure here.
    """
    overrides = configuration.detectors if configuration else {}
    detectors = wiring.all_detectors(configuration)
    unsaid = context.not_measured(configuration, detectors)
    stands = version_lock.standing_here(configuration, detectors.all) if configuration else {}
    return [
        {
            **detector.header(),
            "name": detector.path.stem,
            "sha256": detector.sha256,
            "version": stands.get(detector.id, ""),
            "enabled": overrides[detector.id].enabled if detector.id in overrides else True,
            "not_measured": unsaid.get(detector.id, ""),
        }
        for detector in detectors
    ]


def mistakes(configuration: Configuration | None) -> list[str]:
    """Why a file of the site, or what the configuration says of a detector, is not in use."""
    return list(map(str, wiring.all_detectors(configuration).mistakes))


def approve(configuration: Configuration, identifiers: list[str], reason: str) -> list[str]:
    """Their versions as they are now, or all of them; the ids that were not approved so. Misuse when something is
    wrong with a file, or for a name that is none.
    """
    detectors = wiring.sound_detectors(configuration).all
    unknown = sorted(set(identifiers) - {detector.id for detector in detectors})
    if unknown:
        raise Misuse(f"there is no detector {', '.join(unknown)}; `hsmtrail detectors list` names them")
    if not reason.strip():
        raise Misuse("--reason wants a word: the next reader asks why")
    return version_lock.approve(configuration, detectors, identifiers, reason.strip())


def source(configuration: Configuration | None, identifier: str) -> str:
    """The file's text, as it was read."""
    return next(detector.text for detector in wiring.all_detectors(configuration) if detector.id == identifier)


def run_all_cases(configuration: Configuration | None, identifiers: list[str]) -> list[dict[str, Any]]:
    """Each case of each detector: passed, or what was different."""
    from analytics.cases import run_cases

    return [
        {"detector": detector.id, "case": result.name, "passed": result.passed, "trouble": result.trouble}
        for detector in wiring.all_detectors(configuration)
        if not identifiers or detector.id in identifiers
        for result in run_cases(detector)
    ]


def coverage_rows(configuration: Configuration | None) -> list[dict[str, Any]]:
    """Each demand with the detectors that serve it, then each detector with what it cannot see.

    Keys: kind (recommendation, clause, technique, detector), name, what, detectors, otherwise, logs_show, blind_spots.
    """
    from analytics.coverage import coverage

    detectors = wiring.all_detectors(configuration)
    demands = [
        {**asdict(demand), "detectors": list(demand.detectors), "blind_spots": ""} for demand in coverage(detectors)
    ]
    return [*demands, *_blind_spots(detectors, context.not_measured(configuration, detectors))]


def _blind_spots(detectors: Iterable[Detector], unsaid: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "kind": "detector",
            "name": detector.id,
            "what": detector.title,
            "detectors": [detector.id] if detector.enabled else [],
            "otherwise": _not_here(detector, unsaid),
            "logs_show": "",
            "blind_spots": " ".join(detector.written["blind_spots"].split()),
        }
        for detector in detectors
    ]


def _not_here(detector: Detector, unsaid: dict[str, str]) -> str:
    if not detector.enabled:
        return "switched off"
    return f"not measured: {unsaid[detector.id]}" if detector.id in unsaid else ""
