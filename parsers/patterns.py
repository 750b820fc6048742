"""The patterns: read from TOML files, built in and the site's own, and proven by their examples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from parsers import pattern_files
from parsers.pattern import Mistake, Pattern, PatternError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

__all__ = ["ANY_PROGRAM", "Mistake", "Pattern", "PatternError", "Patterns", "load", "plain_name"]

ANY_PROGRAM = "*"
NO_PROGRAM = ""
"""Of lines that name none: what reads any program's lines reads theirs too."""


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


def load(folders: Sequence[Path] = ()) -> Patterns:
    """The built-in patterns, and a site's own on top: tried first, and in place of those that have the same name.

    Raises PatternError with all mistakes of all files.
    """
    mistakes: list[Mistake] = []
    digest = hashlib.sha256()
    read: list[pattern_files.PatternFile] = []
    for name, text in _texts(folders, mistakes):
        digest.update(f"{name}\0{text}\0".encode())
        found = pattern_files.read(name, text, mistakes)
        if found:
            read.append(found)
    if mistakes:
        raise PatternError(mistakes)
    return _joined(read, digest.hexdigest()[:16])


def _texts(folders: Sequence[Path], mistakes: list[Mistake]) -> Iterator[tuple[str, str]]:
    """Name and text of each file, the site's before the built-in ones."""
    built_in: Traversable = files("parsers") / "patterns"
    for folder in reversed(folders):
        for path in sorted(folder.glob("*.toml")):
            try:
                yield str(path), path.read_text(encoding="utf-8-sig")  # some editors begin with a mark
            except (OSError, UnicodeDecodeError) as error:
                mistakes.append(Mistake(str(path), 1, "", f"cannot be read: {error}"))
    for entry in sorted(built_in.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_text(encoding="utf-8")


def _joined(read: list[pattern_files.PatternFile], version: str) -> Patterns:
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
            if plain not in (ANY_PROGRAM, NO_PROGRAM) and (
                claimed is None or (part.family == "system" or claimed == "hsm_audit")
            ):
                families[plain] = part.family
    bare = by_program.setdefault(NO_PROGRAM, {})
    by_program[NO_PROGRAM] = by_program.get(ANY_PROGRAM, {}) | bare
    ordered = {program: tuple(patterns.values()) for program, patterns in by_program.items()}
    return Patterns(tuple(seen.values()), families, ordered, version)
