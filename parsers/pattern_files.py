"""Reads one file of patterns and collects all its mistakes, each with its place."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass

from parsers import template, template_checks
from parsers.columns import BITS, PARSED
from parsers.meaning import classes
from parsers.pattern import CONSTANTS, LOOKUPS, Example, Mistake, Pattern

_FILE_KEYS = {"family", "version", "programs", "begins", "ends", "usual_tail", "pattern"}
_PATTERN_KEYS = {"name", "template", "lookup", "begins", "ends", "details", "example", *CONSTANTS}
_NUMBERS = ("number", "plain", "digits", "code")
_OUTCOMES = ("ok", "failed", "")
_FAMILIES = (
    *("hsm_audit", "lunash", "ntls", "htl", "sshd", "alarm", "oamp", "ipmi", "sysstat", "snmp", "ntp"),
    *("system", "other"),
)
_TYPES: dict[str, type] = dict.fromkeys((*_FILE_KEYS, *_PATTERN_KEYS), str) | {
    "programs": list,
    "pattern": list,
    "example": list,
    "details": dict,
    "strike": bool,
}
_BY_COMMAND = ("setting", "value", "partition", "client")
_BY_ORIGIN = ("source", "source_port")
FIELDS = (
    *("account", "source", "source_port", "client", "setting", "value", "partition", "hsm_serial", "audit_sequence"),
    *("session", "access_major", "access_minor", "vendor_event", "return_name", "return_code", "role_id"),
    *("object_handle", "object_uid", "entry", "mac", "raw_block", "command"),
)
"""Columns that a field of a template may fill; any other name goes to `details`."""


@dataclass(frozen=True, slots=True)
class PatternFile:
    name: str
    family: str
    programs: tuple[str, ...]
    patterns: tuple[Pattern, ...]


def read(name: str, text: str, mistakes: list[Mistake]) -> PatternFile | None:
    """The patterns of one file; what is wrong is added to `mistakes`. None when not even its family can be read."""
    return _Reader(name, text, mistakes).file()


class _Reader:
    """Reads one file and collects its mistakes."""

    def __init__(self, name: str, text: str, mistakes: list[Mistake]) -> None:
        self.name = name
        self.text = text
        self.mistakes = mistakes
        self._begun = 0  # patterns

    def file(self) -> PatternFile | None:
        try:
            content = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            self._wrong("", str(error), _line_of(error))
            return None
        before = len(self.mistakes)
        self._keys("", content, _FILE_KEYS, ("family", "version", "programs"))
        if len(self.mistakes) > before:
            return None
        if content["family"] not in _FAMILIES:
            self._wrong("", f"no such family: {content['family']} ({', '.join(_FAMILIES)})")
        programs = tuple(content["programs"])
        if not programs or not all(isinstance(program, str) for program in programs):
            self._wrong("", f"programs wants the names of programs, not {content['programs']!r}")
            return None
        patterns = [self._pattern(entry, content) for entry in content.get("pattern", [])]
        self._twice([pattern.name for pattern in patterns if pattern])
        return PatternFile(self.name, content["family"], programs, tuple(filter(None, patterns)))

    def _keys(self, name: str, entry: dict[str, object], known: set[str], needed: tuple[str, ...]) -> None:
        """Unknown and missing keys, and values of the wrong type."""
        for key in sorted(entry.keys() - known):
            self._wrong(name, f"no such key: {key}")
        for key in sorted(entry.keys() & known):
            if not isinstance(entry[key], _TYPES[key]):
                self._wrong(name, f"{key} wants a {_TYPES[key].__name__}, not {entry[key]!r}")
        missing = [key for key in needed if key not in entry]
        if missing:
            self._wrong(name, f"missing: {', '.join(missing)}")

    def _wrong(self, pattern: str, what: str, line: int = 0) -> None:
        self.mistakes.append(Mistake(self.name, line or self._line(pattern), pattern, what))

    def _twice(self, names: list[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            plain = name.rpartition(".")[2]
            self._wrong(plain, "another pattern of this file has the same name, so only the first would read anything")

    def _line(self, pattern: str) -> int:
        """Where a pattern's name stands; of one without a name its beginning."""
        if not pattern and self._begun:
            heads = [head.start() for head in re.finditer(r"^\[\[ *pattern *\]\]", self.text, re.MULTILINE)]
            return self.text.count("\n", 0, heads[self._begun - 1]) + 1 if len(heads) >= self._begun else 1
        found = re.search(rf"^name *= *[\"']{re.escape(pattern)}[\"']", self.text, re.MULTILINE) if pattern else None
        return self.text.count("\n", 0, found.start()) + 1 if found else 1

    def _pattern(self, entry: object, content: dict[str, object]) -> Pattern | None:
        self._begun += 1
        if not isinstance(entry, dict):
            self._wrong("", f"a pattern is a table [[pattern]], not {entry!r}")
            return None
        name = entry.get("name", "")
        name = name if isinstance(name, str) else ""
        before = len(self.mistakes)
        self._keys(name, entry, _PATTERN_KEYS, ("name", "template", "example"))
        if len(self.mistakes) == before:
            self._words(name, entry)
        begins, ends = (str(entry.get(key, content.get(key, ""))) for key in ("begins", "ends"))
        nodes = self._nodes(name, begins + str(entry.get("template", "")) + ends)
        self._fields(name, nodes, entry)
        tail = self._nodes(name, str(content.get("usual_tail", "")))
        examples = self._examples(name, entry.get("example"))
        if len(self.mistakes) > before:
            return None
        return Pattern(
            name=f"{content['family']}.{name}",
            family=str(content["family"]),
            version=str(content["version"]),
            nodes=nodes,
            lookup=entry.get("lookup", ""),
            constants={key: entry[key] for key in CONSTANTS if key in entry},
            details=entry.get("details", {}),
            examples=examples,
            usual_tail=tail,
            place=(self.name, self._line(name)),
        )

    def _words(self, name: str, entry: dict[str, object]) -> None:
        """The words that must be known ones."""
        lookup = entry.get("lookup", "")
        if lookup not in LOOKUPS:
            self._wrong(name, f"no such lookup: {lookup} ({', '.join(filter(None, LOOKUPS))})")
        if entry.get("operation", "other") not in classes():
            self._wrong(name, f"no such operation: {entry['operation']}")
        if entry.get("outcome", "") not in _OUTCOMES:
            self._wrong(name, "outcome is ok, failed or nothing")
        if not _is_plain(entry.get("details", {})):
            self._wrong(name, "details wants texts, numbers, true or false, and lists and tables of them")
        if "operation" not in entry and not lookup:
            self._wrong(name, "says neither operation nor lookup")

    def _nodes(self, name: str, text: str) -> tuple[template.Node, ...]:
        try:
            nodes = template.read(text)
        except template.TemplateError as error:
            self._wrong(name, str(error))
            return ()
        for what in template_checks.mistakes(nodes):
            self._wrong(name, what)
        return nodes

    def _fields(self, name: str, nodes: tuple[template.Node, ...], entry_of_file: dict[str, object]) -> None:
        """Fields that cannot be filled, or are filled twice."""
        filled = set(CONSTANTS) & entry_of_file.keys()
        filled |= set(_BY_COMMAND if entry_of_file.get("lookup") == "command" else ())
        names = {entry.name for entry in template.fields(nodes)}
        filled |= set(_BY_ORIGIN if "origin" in names else ())
        for entry in template.fields(nodes):
            if entry.name in filled:
                self._wrong(name, f"{{{entry.name}}} has its value already")
            if entry.name == "command" and entry_of_file.get("lookup") != "command":
                self._wrong(name, '{command} wants lookup = "command"')
            if entry.name in PARSED and entry.name not in FIELDS:
                self._wrong(name, f"{{{entry.name}}} is a column that no field can fill")
            if entry.name in BITS and entry.kind not in _NUMBERS:
                self._wrong(name, f"{{{entry.name}}} is a number: its kind is one of {', '.join(_NUMBERS)}")

    def _examples(self, name: str, given: object) -> tuple[Example, ...]:
        if not isinstance(given, list) or not given:
            self._wrong(name, "has no example")
            return ()
        examples = []
        for one in given:
            fields = one.get("fields", {}) if isinstance(one, dict) else None
            if not isinstance(fields, dict) or not isinstance(one.get("message"), str):
                self._wrong(name, "an example is a table with message and fields")
                return ()
            examples.append(Example(one["message"], fields))
        for unknown in sorted({key for example in examples for key in example.fields} - PARSED.keys()):
            self._wrong(name, f"an example names no such column: {unknown}")
        return tuple(examples)


def _is_plain(value: object) -> bool:
    """Whether JSON can hold it: TOML has dates, nan and inf too."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _line_of(error: Exception) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else 1
