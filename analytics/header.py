"""Reads the TOML header of a detector; every mistake at once, each with its file and line."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from analytics.severity import SEVERITIES

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TEXTS = ("title", "finds", "blind_spots", "runbook")
WORDS = {
    "kind": ("episodes", "state"),
    "severity": SEVERITIES,
    "in_change_window": ("lower", "never", "decommission"),
    "on_new_device": ("never", "lower"),
}
DEFAULTS: dict[str, Any] = {"in_change_window": "lower", "on_new_device": "never", "watches": "true", "needs": {}}
NEEDS = (
    "accounts",
    "admin_ranges",
    "client_ranges",
    "nva_ranges",
    "clients",
    "partitions",
    "partner",
    "working_hours",
    "firmware_minimum",
    "backup_serials",
)
"""What a detector may want to be told of a device; without it, what it names there is not measured."""

REQUIRED = ("id", *TEXTS, "kind", "severity", "every", "looks_back", "recommendations", "frameworks", "attack")
KNOWN = (*REQUIRED, *DEFAULTS, "parameters")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and where."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Source:
    """A detector's text cut into its two parts; both keep the line numbers of the file."""

    file: str
    text: str
    toml: str
    query: str

    def mistake(self, key: str, what: str) -> Mistake:
        return Mistake(self.file, line_of(self.toml, key), what)


def cut(file: str, text: str) -> Source | Mistake:
    """Header and query apart."""
    if not text.startswith("/*"):
        return Mistake(file, 1, "begins with no /* header */")
    head, found, query = text[2:].partition("*/")
    if not found:
        return Mistake(file, 1, "the header has no end */")
    return Source(file, text, head, "\n" * head.count("\n") + query)


def line_of(toml: str, key: str) -> int:
    """The line that sets a key; 1 when there is none. Dots lead into tables: parameters.limits."""
    lines, start = toml.splitlines(), 0
    *tables, name = key.split(".")
    if tables:
        start = next((number for number, line in enumerate(lines) if line.strip() == f"[{'.'.join(tables)}]"), 0)
    wanted = re.compile(rf"^\s*\[?\"?{re.escape(name)}\"?\s*(=|\])")
    return next((number + 1 for number, line in enumerate(lines) if number >= start and wanted.match(line)), 1)


def duration(text: str) -> timedelta | None:
    """`30s`, `5m`, `2h`, `30d`; None for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


def read(source: Source) -> tuple[dict[str, Any], list[Mistake]]:
    """The header with its defaults, and what is wrong with it."""
    try:
        header = tomllib.loads(source.toml)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        return {}, [Mistake(source.file, int(place[1]) if place else 1, f"the header is not TOML: {error}")]
    mistakes = [source.mistake(key, f"{key} is missing") for key in REQUIRED if key not in header]
    mistakes += [source.mistake(key, f"{key} is no key of a detector") for key in header if key not in KNOWN]
    mistakes += [source.mistake(key, what) for key, what in _wrong(DEFAULTS | header)]
    return DEFAULTS | header, mistakes


def _wrong(header: dict[str, Any]) -> list[tuple[str, str]]:
    checks = (_wrong_texts, _wrong_words, _wrong_times, _wrong_lists, _wrong_needs, _wrong_parameters)
    return [wrong for check in checks for wrong in check(header)]


def _wrong_texts(header: dict[str, Any]) -> list[tuple[str, str]]:
    wrong = [
        (key, f"{key} wants a text")
        for key in (*TEXTS, "watches")
        if key in header and not (isinstance(header[key], str) and header[key].strip())
    ]
    if "id" in header and not re.fullmatch(r"[A-Z][A-Z0-9]{1,15}-\d{2,3}", str(header["id"])):
        wrong.append(("id", "id wants capital letters, a dash and two digits, such as AUTH-01"))
    return wrong


def _wrong_words(header: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, f"{key} wants one of {', '.join(words)}")
        for key, words in WORDS.items()
        if key in header and header[key] not in words
    ]


def _wrong_times(header: dict[str, Any]) -> list[tuple[str, str]]:
    wrong = []
    if "every" in header and header["every"] != "live" and duration(str(header["every"])) is None:
        wrong.append(("every", 'every wants "live" or a time such as "5m", "1h", "1d"'))
    if "looks_back" in header and duration(str(header["looks_back"])) is None:
        wrong.append(("looks_back", 'looks_back wants a time such as "10m", "2h", "30d"'))
    return wrong


def _wrong_lists(header: dict[str, Any]) -> list[tuple[str, str]]:
    wrong: list[tuple[str, str]] = [
        (key, f"{key} wants a list of texts")
        for key in ("recommendations", "frameworks")
        if key in header and not _texts(header[key])
    ]
    attack = header.get("attack")
    if attack is not None and not (
        isinstance(attack, dict)
        and attack.keys() == {"version", "techniques"}
        and isinstance(attack["version"], str)
        and _texts(attack["techniques"])
    ):
        wrong.append(("attack", 'attack wants { version = "19", techniques = ["T1110.001"] }'))
    return wrong


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong_needs(header: dict[str, Any]) -> list[tuple[str, str]]:
    needs = header["needs"]
    if not isinstance(needs, dict) or not all(isinstance(what, str) and what.strip() for what in needs.values()):
        return [("needs", 'needs wants { accounts = "what is not measured without them" }')]
    return [("needs", f"needs: {name} is none of {', '.join(NEEDS)}") for name in needs if name not in NEEDS]


def _wrong_parameters(header: dict[str, Any]) -> list[tuple[str, str]]:
    parameters = header.get("parameters", {})
    if not isinstance(parameters, dict):
        return [("parameters", "parameters wants a table")]
    return [
        (f"parameters.{name}", f'parameter {name} wants {{ default = …, why = "…" }}')
        for name, given in parameters.items()
        if not (isinstance(given, dict) and given.keys() == {"default", "why"} and allowed(given["default"]))
    ]


def allowed(value: object) -> bool:
    """What a parameter may be: a text, a number, yes or no, a list of one kind, or a map to whole numbers."""
    if isinstance(value, dict):
        return bool(value) and all(type(item) is int for item in value.values())
    if isinstance(value, list):
        return len({type(item) for item in value}) <= 1 and all(isinstance(item, (str, int, float)) for item in value)
    return isinstance(value, (str, int, float))
