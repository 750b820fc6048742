"""The detectors as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hsmtrail import context, wiring

if TYPE_CHECKING:
    from hsmtrail.config import Configuration


def catalogue(configuration: Configuration | None) -> list[dict[str, Any]]:
    """Every detector's header, the parameters in force, the SHA-256 of its file, and what it cannot measure here."""
    overrides = configuration.detectors if configuration else {}
    detectors = wiring.all_detectors(configuration)
    unsaid = context.not_measured(configuration, detectors)
    return [
        {
            **detector.header(),
            "name": detector.path.stem,
            "sha256": detector.sha256,
            "enabled": overrides[detector.id].enabled if detector.id in overrides else True,
            "not_measured": unsaid.get(detector.id, ""),
        }
        for detector in detectors
    ]


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
