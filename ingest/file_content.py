"""The content of a file of logs, cut into messages. Exports of Luna Cloud HSM come as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ingest.framing import Framer
from ingest.json_objects import JsonObjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.framing import Framing
    from ingest.tar_members import Readable

CHUNK = 1 << 20
"""Bytes that are read at once: a million messages when all of them are empty."""

MAX_MESSAGE = 65536
_OBJECTS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*(?:\{|\]\s*\Z)|\{\s*\n)")
"""An array of objects, or one that is printed over several lines; an object a line is lines like any other."""


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages in order; `cut` has the numbers of those that lost their end."""

    raw: list[bytes]
    cut: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.raw)


class _Reader(Protocol):
    def feed(self, received: bytes) -> Messages: ...

    def close(self) -> Messages: ...


class _Lines:
    """Messages by their framing."""

    def __init__(self, framing: Framing) -> None:
        self._framer = Framer(framing, MAX_MESSAGE)

    def feed(self, received: bytes) -> Messages:
        frames = self._framer.feed(received)
        return Messages(frames.messages(), frames.cut)

    def close(self) -> Messages:
        """A file's last line may lack its line feed: it is whole all the same."""
        return Messages(self._framer.close().messages())


class _Objects:
    """Messages that are JSON objects."""

    def __init__(self) -> None:
        self._objects = JsonObjects(MAX_MESSAGE)

    def feed(self, received: bytes) -> Messages:
        return Messages(*self._objects.feed(received))

    def close(self) -> Messages:
        return Messages(self._objects.close())


def messages(content: Readable, framing: Framing = "lf") -> Iterator[Messages]:
    """A portion for each piece that is read, empty ones too."""
    chunk = content.read(CHUNK)
    reader: _Reader = _Objects() if framing == "lf" and _OBJECTS.match(chunk) else _Lines(framing)
    while chunk:
        yield reader.feed(chunk)
        chunk = content.read(CHUNK)
    yield reader.close()
