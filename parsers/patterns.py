"""The patterns: read from TOML files, built in and the site's own, and proven by their examples."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from parsers import template
from parsers.columns import NO_COLUMN, PARSED, width_of
from parsers.meaning import classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable

ANY_PROGRAM = "*"
LOOKUPS = ("", "event", "internal", "command", "alarm")
"""What judges a pattern's fields beyond its own words: see body.py."""

CONSTANTS = ("operation", "outcome", "strike", "role", "client", "setting", "value", "vendor_event", "account", "partition")
_FILE_KEYS = {"family", "version", "programs", "begins", "ends", "usual_tail", "pattern"}
_PATTERN_KEYS = {"name", "template", "lookup", "begins", "ends", "details", "example", *CONSTANTS}
_OUTCOMES = ("ok", "failed", "")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a pattern file."""

    file: str
    line: int
    pattern: str
    what: str

    def __str__(self) -> str:
        named = f"{self.pattern}: " if self.pattern else ""
        return f"{self.file}:{self.line}: {named}{self.what}"


class PatternError(Exception):
    """The pattern files hold mistakes; the message lists all of them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Example:
    """A message, and fields that it must give."""

    message: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One form of message, and what it means."""

    name: str  # family.name
    family: str
    version: str
    nodes: tuple[template.Node, ...]
    lookup: str
    constants: dict[str, object]
    details: dict[str, object]
    examples: tuple[Example, ...]
    usual_tail: tuple[template.Node, ...]
    place: tuple[str, int]
    fields: tuple[template.Field, ...] = field(init=False)
    widths: tuple[int, ...] = field(init=False)  # of the columns that the fields go to
    expression: str = field(init=False)  # for Rust
    compiled: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(template.fields(self.nodes)))
        widths = (NO_COLUMN if entry.name == "command" else width_of(entry.name) for entry in self.fields)
        object.__setattr__(self, "widths", tuple(widths))
        body = template.expression(self.nodes)
        object.__setattr__(self, "expression", rf"(?s)^ *(?:{body}) *$")
        object.__setattr__(self, "compiled", re.compile(rf"(?s) *(?:{body}) *"))

    def captures(self, message: str) -> tuple[str | None, ...] | None:
        """The text of each field in order (None for one in a missing part), or None when the message is another's."""
        found = self.compiled.fullmatch(message)
        return None if found is None else found.groups()


@dataclass(frozen=True, slots=True)
class Patterns:
    """All patterns, and which of them a program's messages can be."""

    all: tuple[Pattern, ...]
    families: dict[str, str]  # program, in lower case: family
    by_program: dict[str, tuple[Pattern, ...]]
    version: str

    @property
    def programs(self) -> frozenset[str]:
        return frozenset(self.families)

    def family_of(self, program: str) -> str:
        return self.families.get(plain_name(program), "other")

    def candidates(self, program: str) -> tuple[Pattern, ...]:
        """The patterns to try, in order. A program that no file claims can only be a relay's name for somebody else."""
        known = self.by_program.get(plain_name(program))
        return self.by_program.get(ANY_PROGRAM, ()) if known is None else known

    def check(self) -> list[str]:
        """Every example proven; mistakes as sentences."""
        from parsers.examples import failures  # the examples are read by the parser, which needs this module

        return [str(mistake) for pattern in self.all for mistake in failures(pattern, self)]


def plain_name(program: str) -> str:
    """A program without its path, in lower case."""
    return program.rpartition("/")[2].lower()


@dataclass(slots=True)
class _File:
    name: str
    family: str
    programs: tuple[str, ...]
    patterns: tuple[Pattern, ...]


def load(folders: Sequence[Path] = ()) -> Patterns:
    """The built-in patterns, and a site's own on top: tried first, and in place of those that have the same name.

    Raises PatternError with all mistakes of all files.
    """
    mistakes: list[Mistake] = []
    digest = hashlib.sha256()
    read: list[_File] = []
    for name, text in _texts(folders):
        digest.update(f"{name}\0{text}\0".encode())
        found = _Reader(name, text, mistakes).file()
        if found:
            read.append(found)
    if mistakes:
        raise PatternError(mistakes)
    return _joined(read, digest.hexdigest()[:16])


def _texts(folders: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Name and text of each file, the site's before the built-in ones."""
    built_in: Traversable = files("parsers") / "patterns"
    for folder in reversed(folders):
        for path in sorted(folder.glob("*.toml")):
            yield str(path), path.read_text(encoding="utf-8")
    for entry in sorted(built_in.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_text(encoding="utf-8")


def _joined(read: list[_File], version: str) -> Patterns:
    seen: dict[str, Pattern] = {}
    families: dict[str, str] = {}
    by_program: dict[str, dict[str, Pattern]] = {}
    for part in read:
        for pattern in part.patterns:
            seen.setdefault(pattern.name, pattern)
        for program in part.programs:
            plain = plain_name(program)
            known = by_program.setdefault(plain, {})
            known |= {pattern.name: seen[pattern.name] for pattern in part.patterns if pattern.name not in known}
            claimed = families.get(plain)
            if plain != ANY_PROGRAM and (claimed is None or (part.family == "system" or claimed == "hsm_audit")):
                families[plain] = part.family
    ordered = {program: tuple(patterns.values()) for program, patterns in by_program.items()}
    return Patterns(tuple(seen.values()), families, ordered, version)


class _Reader:
    """Reads one file and collects its mistakes."""

    def __init__(self, name: str, text: str, mistakes: list[Mistake]) -> None:
        self.name = name
        self.text = text
        self.mistakes = mistakes

    def file(self) -> _File | None:
        try:
            content = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            self._wrong("", str(error), _line_of(error))
            return None
        for key in sorted(content.keys() - _FILE_KEYS):
            self._wrong("", f"no such key: {key}")
        missing = [key for key in ("family", "version", "programs") if key not in content]
        if missing:
            self._wrong("", f"missing: {', '.join(missing)}")
            return None
        patterns = [self._pattern(entry, content) for entry in content.get("pattern", [])]
        programs = tuple(str(program) for program in content["programs"])
        return _File(self.name, content["family"], programs, tuple(filter(None, patterns)))

    def _wrong(self, pattern: str, what: str, line: int = 0) -> None:
        self.mistakes.append(Mistake(self.name, line or self._line(pattern), pattern, what))

    def _line(self, pattern: str) -> int:
        """Where a pattern's name stands."""
        found = re.search(rf"^name *= *[\"']{re.escape(pattern)}[\"']", self.text, re.MULTILINE) if pattern else None
        return self.text.count("\n", 0, found.start()) + 1 if found else 1

    def _pattern(self, entry: dict[str, object], content: dict[str, object]) -> Pattern | None:
        name = str(entry.get("name", ""))
        before = len(self.mistakes)
        self._check(name, entry)
        begins, ends = (str(entry.get(key, content.get(key, ""))) for key in ("begins", "ends"))
        nodes = self._nodes(name, begins + str(entry.get("template", "")) + ends)
        tail = self._nodes(name, str(content.get("usual_tail", "")))
        examples = self._examples(name, entry)
        if len(self.mistakes) > before:
            return None
        details = entry.get("details", {})
        return Pattern(
            name=f"{content['family']}.{name}",
            family=str(content["family"]),
            version=str(content["version"]),
            nodes=nodes,
            lookup=str(entry.get("lookup", "")),
            constants={key: entry[key] for key in CONSTANTS if key in entry},
            details=dict(details) if isinstance(details, dict) else {},
            examples=examples,
            usual_tail=tail,
            place=(self.name, self._line(name)),
        )

    def _check(self, name: str, entry: dict[str, object]) -> None:
        if not name or "template" not in entry:
            self._wrong(name, "a pattern needs a name and a template")
        for key in sorted(entry.keys() - _PATTERN_KEYS):
            self._wrong(name, f"no such key: {key}")
        if entry.get("lookup", "") not in LOOKUPS:
            self._wrong(name, f"no such lookup: {entry['lookup']} ({', '.join(filter(None, LOOKUPS))})")
        if entry.get("operation", "other") not in classes():
            self._wrong(name, f"no such operation: {entry['operation']}")
        if entry.get("outcome", "") not in _OUTCOMES:
            self._wrong(name, "outcome is ok, failed or nothing")
        if "operation" not in entry and not entry.get("lookup"):
            self._wrong(name, "says neither operation nor lookup")

    def _nodes(self, name: str, text: str) -> tuple[template.Node, ...]:
        try:
            nodes = template.read(text)
        except template.TemplateError as error:
            self._wrong(name, str(error))
            return ()
        for what in template.mistakes(nodes):
            self._wrong(name, what)
        return nodes

    def _examples(self, name: str, entry: dict[str, object]) -> tuple[Example, ...]:
        given = entry.get("example")
        if not isinstance(given, list) or not given:
            self._wrong(name, "has no example")
            return ()
        examples = [Example(str(one.get("message", "")), dict(one.get("fields", {}))) for one in given]
        for unknown in sorted({key for example in examples for key in example.fields} - PARSED.keys()):
            self._wrong(name, f"an example names no such column: {unknown}")
        return tuple(examples)


def _line_of(error: Exception) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else 1
