"""Detectors as files: read them, check them, set a site's own values, all mistakes at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from analytics import header as headers
from analytics import manners
from analytics.header import Mistake, Source
from analytics.severity import SEVERITIES, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

BUILT_IN = Path(__file__).parent / "detectors"


@dataclass(frozen=True, slots=True)
class Override:
    """A site's own values for one detector; severity '' leaves it as it is."""

    enabled: bool = True
    severity: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detector:
    """One file: what it says about itself, and the SELECT. `parameters` and `fixed_severity` are what holds here."""

    id: str
    title: str
    kind: str
    severity: str
    every: str
    looks_back: timedelta
    watches: str
    policy: Policy
    parameters: Mapping[str, Any]
    query: str
    text: str
    sha256: str
    path: Path
    written: Mapping[str, Any]
    fixed_severity: str = ""
    enabled: bool = True

    @property
    def finds(self) -> str:
        return str(self.written["finds"]).strip()

    @property
    def needs(self) -> Mapping[str, str]:
        """What a site must say of a device, and what is not measured without it."""
        return dict(self.written["needs"])

    @property
    def runbook(self) -> str:
        return str(self.written["runbook"]).strip()

    def header(self) -> dict[str, Any]:
        """The header as written, with the severity and each parameter's `value` in force here."""
        parameters = {
            name: {**given, "value": self.parameters[name]}
            for name, given in self.written.get("parameters", {}).items()
        }
        return {**self.written, "severity": self.fixed_severity or self.severity, "parameters": parameters}


@dataclass(frozen=True, slots=True)
class Detectors:
    """All that could be read, by id, and what is wrong with the rest."""

    all: tuple[Detector, ...]
    mistakes: tuple[Mistake, ...] = ()

    def __iter__(self) -> Iterator[Detector]:
        return iter(self.all)

    def get(self, identifier: str) -> Detector | None:
        return next((detector for detector in self.all if detector.id == identifier), None)


class DetectorError(Exception):
    """A detector's file cannot be used; `mistakes` has each with its place. `identifier` is what it calls itself, and
    `detector` what a header without mistakes says.
    """

    def __init__(self, mistakes: Sequence[Mistake], identifier: str = "", detector: Detector | None = None) -> None:
        self.mistakes, self.identifier, self.detector = tuple(mistakes), identifier, detector
        super().__init__("\n".join(map(str, mistakes)))


def load(path: Path, *, proven: bool = False) -> Detector:
    """Read and check one file; not its SQL when that is `proven`. Raises DetectorError with all its mistakes."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DetectorError([Mistake(path.name, 1, f"cannot be read: {error}")]) from None
    return _checked(path, text, proven=proven)


@lru_cache(maxsize=512)
def _checked(path: Path, text: str, *, proven: bool = False) -> Detector:
    """Once for each text: what DuckDB says of a query takes some hundredths of a second."""
    source = headers.cut(path.name, text)
    if isinstance(source, Mistake):
        raise DetectorError([source])
    written, mistakes = headers.read(source)
    wrong = [] if proven else _in_query(source, written)
    if mistakes:
        raise DetectorError([*mistakes, *wrong], str(written.get("id", "")))
    detector = _detector(source, path, written)
    if wrong:
        raise DetectorError(wrong, detector.id, detector)
    return detector


def _in_query(source: Source, written: dict[str, Any]) -> list[Mistake]:
    """What is wrong with the SQL; parameters that are wrong in the header are not blamed twice."""
    given = written.get("parameters", {})
    if not isinstance(given, dict):
        return []
    values = {name: item["default"] for name, item in given.items() if isinstance(item, dict) and "default" in item}
    wrong = manners.check(source.file, source.query, values)
    watches = written.get("watches")
    if isinstance(watches, str):
        wrong += manners.check_condition(source.file, headers.line_of(source.toml, "watches"), watches)
    return wrong


def _detector(source: Source, path: Path, written: dict[str, Any]) -> Detector:
    looks_back = headers.duration(written["looks_back"])
    if looks_back is None:
        raise AssertionError(path)
    return Detector(
        id=written["id"],
        title=written["title"],
        kind=written["kind"],
        severity=written["severity"],
        every=written["every"],
        looks_back=looks_back,
        watches=written["watches"],
        policy=Policy(written["in_change_window"], written["on_new_device"]),
        parameters=MappingProxyType({name: item["default"] for name, item in written.get("parameters", {}).items()}),
        query=source.query,
        text=source.text,
        sha256=hashlib.sha256(source.text.encode()).hexdigest(),
        path=path,
        written=MappingProxyType(written),
    )


def load_all(
    folders: Sequence[Path] = (),
    overrides: Mapping[str, Override] | None = None,
    last_good: Mapping[str, str] | None = None,
    *,
    thorough: bool = False,
) -> Detectors:
    """The built-in ones, then each folder on top: the same id there replaces. Then the site's own values.

    `thorough`: look through the SQL of the built-in ones too, which takes a second; their tests have done so.
    `last_good`: by path, the text that is used where a file is broken now; its mistakes are told all the same.
    """
    mistakes: list[Mistake] = []
    found: dict[str, Detector] = {}
    broken: dict[str, Detector | None] = {}
    for folder in (BUILT_IN, *folders):
        if not folder.is_dir():
            mistakes.append(Mistake(str(folder), 1, "is no folder"))
        proven = folder == BUILT_IN and not thorough
        found |= _folder(folder, mistakes, broken, last_good or {}, proven=proven)
    known: dict[str, Detector | None] = {**found, **broken}  # a broken file's own header says what it takes
    judged = {
        name: _overridden(one, (overrides or {}).get(name), mistakes) for name, one in sorted(known.items()) if one
    }
    detectors = [judged[name] if name not in broken else found[name] for name in sorted(found)]
    mistakes += [
        Mistake("configuration", 1, f"[detectors.{name}] there is no such detector")
        for name in sorted((overrides or {}).keys() - known.keys())
    ]
    return Detectors(tuple(detectors), tuple(mistakes))


def _folder(
    folder: Path,
    mistakes: list[Mistake],
    broken: dict[str, Detector | None],
    last_good: Mapping[str, str],
    *,
    proven: bool,
) -> dict[str, Detector]:
    found: dict[str, Detector] = {}
    for path in sorted(folder.glob("*.sql")):
        try:
            detector = load(path, proven=proven)
        except DetectorError as error:
            mistakes += error.mistakes
            before = _before(path, last_good)
            if before is None:
                broken |= {error.identifier: error.detector} if error.identifier else {}
                continue
            detector = before
        if detector.id in found:
            mistakes.append(Mistake(path.name, 1, f"{detector.id} is in {found[detector.id].path.name} too"))
        found[detector.id] = detector
    return found


def _before(path: Path, last_good: Mapping[str, str]) -> Detector | None:
    """What the file said when it was last without a mistake."""
    try:
        return _checked(path, last_good[str(path)])
    except (KeyError, DetectorError):
        return None


def _overridden(detector: Detector, override: Override | None, mistakes: list[Mistake]) -> Detector:
    if override is None:
        return detector
    wrong = [*_wrong_severity(override), *_wrong_values(detector, override.parameters)]
    if wrong:
        mistakes += [Mistake("configuration", 1, f"[detectors.{detector.id}{what}") for what in wrong]
        return replace(detector, enabled=override.enabled)
    return replace(
        detector,
        enabled=override.enabled,
        fixed_severity=override.severity,
        parameters=MappingProxyType(dict(detector.parameters) | _merged(detector, override.parameters)),
    )


def _wrong_severity(override: Override) -> list[str]:
    known = not override.severity or override.severity in SEVERITIES
    return [] if known else [f"] severity wants one of {', '.join(SEVERITIES)}"]


def _wrong_values(detector: Detector, values: Mapping[str, Any]) -> list[str]:
    known = ", ".join(detector.parameters) or "it has none"
    wrong = [f".parameters] {name}  no such parameter ({known})" for name in values if name not in detector.parameters]
    wrong += [
        f".parameters] {name} = {value!r}  wants a value like {detector.parameters[name]!r}"
        for name, value in values.items()
        if name in detector.parameters and not _like(value, detector.parameters[name])
    ]
    return wrong


def _like(value: object, default: object) -> bool:
    """Of the same kind; a whole number will do for a number with a point."""
    if not headers.allowed(value):
        return isinstance(value, (list, dict)) and not value and type(value) is type(default)
    if isinstance(default, list) and isinstance(value, list):
        return not value or not default or type(value[0]) is type(default[0])
    return type(value) is type(default) or (type(default) is float and type(value) is int)


def _merged(detector: Detector, values: Mapping[str, Any]) -> dict[str, Any]:
    """A map is laid over its default: what it does not name stays."""
    return {
        name: detector.parameters[name] | value if isinstance(value, dict) else value for name, value in values.items()
    }
