"""One digest of all that decides how a line is read: patterns, tables, devices, partitions and the parser itself."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parsers.batch import Parser

KEPT = (".py", ".csv", ".toml")


def reading_of(parser: Parser) -> str:
    """The same for parsers that read every line alike; 16 hex digits."""
    said = f"{parser.patterns.version}\0{parser.inventory!r}\0{_program()}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]


@cache
def _program() -> str:
    """The package's own files, but the patterns, which the set's version stands for."""
    digest = hashlib.sha256()
    package = files("parsers")
    for folder in (package, package / "tables"):
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(KEPT):
                digest.update(f"{entry.name}\0".encode() + entry.read_bytes())
    return digest.hexdigest()
