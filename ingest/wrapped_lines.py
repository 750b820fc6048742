"""Audit records that were wrapped when they were copied into a file: record and proof become one message again.

Its bytes, line feeds and all, stay as they are in the file; parsers/wrapped.py reads them.
"""

from __future__ import annotations

import re

from ingest.file_content import Messages
from parsers import wrapped

_CONTINUATION = re.compile(wrapped.CONTINUATION.encode())
_RECORD = re.compile(wrapped.RECORD.encode())


class WrappedLines:
    """The last message waits for what the next line is, across portions."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_cut = False

    def feed(self, messages: Messages) -> Messages:
        raw: list[bytes] = []
        cut: list[int] = []
        lost_their_end = set(messages.cut)
        for number, line in enumerate(messages.raw):
            if self._belongs(line):
                self._held.append(line)
                continue
            self._let_go(raw, cut)
            self._held, self._held_cut = [line], number in lost_their_end
        return Messages(raw, tuple(cut))

    def close(self) -> Messages:
        raw: list[bytes] = []
        cut: list[int] = []
        self._let_go(raw, cut)
        return Messages(raw, tuple(cut))

    def _belongs(self, line: bytes) -> bool:
        """Whether a line is (a piece of) the proof of the record that is held."""
        if not self._held or len(self._held) > wrapped.MOST_LINES or not _CONTINUATION.fullmatch(line):
            return False
        return not self._held_cut and _RECORD.match(self._held[0]) is not None

    def _let_go(self, raw: list[bytes], cut: list[int]) -> None:
        if self._held:
            cut.extend([len(raw)] if self._held_cut else [])
            raw.append(b"\n".join(self._held))
        self._held = []
