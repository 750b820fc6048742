"""The patterns in force: the newest good set. A changed folder is read again, and what is wrong with it is told."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from hsmtrail.failures import Misuse
from parsers import patterns
from parsers.batch import Parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import polars as pl

    from parsers.inventory import Inventory

log = logging.getLogger("hsmtrail.patterns")

LOOK_SECONDS = 1.0
"""The folders are not looked at more often."""

MOST_LOGGED = 10
Seen = tuple[tuple[str, int, int, int], ...]


class SitePatterns:
    """A parser for the loader that notices new patterns before the next lines; safe to be used by several threads."""

    def __init__(self, folders: Sequence[Path], inventory: Inventory, look_seconds: float = LOOK_SECONDS) -> None:
        self._folders, self._inventory, self._look_seconds = tuple(folders), inventory, look_seconds
        self._parser: Parser | None = None
        self._seen: Seen | None = None
        self._look_at = 0.0
        self._changing = threading.Lock()
        self.mistakes: tuple[str, ...] = ()

    def current(self) -> Parser:
        """The newest good set. Misuse while there has been none."""
        with self._changing:
            if self._parser is None or time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + self._look_seconds
                self._look()
            if self._parser is None:
                raise broken(self.mistakes)
            return self._parser

    def newest(self) -> Parser:
        """What the folders hold now. Misuse when that is not good, whatever was before."""
        with self._changing:
            self._look()
            self._look_at = time.monotonic() + self._look_seconds
        if self.mistakes:
            raise broken(self.mistakes)
        return self.current()

    def parse(self, lines: pl.DataFrame) -> pl.DataFrame:
        """As Parser.parse, by the newest good set."""
        return self.current().parse(lines)

    def _look(self) -> None:
        seen = _seen(self._folders)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = patterns.load(self._folders)
            self.mistakes = tuple(found.check() if self._folders else ())  # our tests prove the built-in ones
        except patterns.PatternError as error:
            self.mistakes = tuple(map(str, error.mistakes))
        if self.mistakes:
            log.error("patterns_broken", extra={"facts": {"mistakes": self.mistakes[:MOST_LOGGED]}})
            return
        if self._parser is not None:
            log.info("patterns_changed", extra={"facts": {"version": found.version}})
        self._parser = Parser(found, self._inventory)


def broken(mistakes: Iterable[object]) -> Misuse:
    """What a command says that needs patterns and has none."""
    return Misuse("\n".join(["patterns:", *(f"  {mistake}" for mistake in mistakes)]))


def _seen(folders: Sequence[Path]) -> Seen:
    """Name, time, size and place of each file: any change shows."""
    return tuple(sorted(entry for folder in folders for entry in _files(folder)))


def _files(folder: Path) -> list[tuple[str, int, int, int]]:
    try:
        return [
            (entry.path, entry.stat().st_mtime_ns, entry.stat().st_size, entry.inode())
            for entry in os.scandir(folder)
            if entry.name.endswith(".toml")
        ]
    except OSError:
        return []
