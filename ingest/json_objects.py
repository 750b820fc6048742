"""JSON objects out of an array, or printed over several lines: each is a message, in its own bytes."""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}"]', re.DOTALL)
_BETWEEN = b" \t\r\n,[]\xef\xbb\xbf"


class JsonObjects:
    """The outermost objects, however their bytes come in pieces. What stands between them is kept as well.

    An object longer than `longest` is its first bytes; the rest of it, up to the next closing brace, is skipped.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = b""
        self._skipping = False

    def feed(self, received: bytes) -> tuple[list[bytes], tuple[int, ...]]:
        """The objects that these bytes complete, and the numbers of those that were cut."""
        block = self._rest + self._after_skipping(received)
        found: list[bytes] = []
        place = start = depth = 0
        for token in _TOKEN.finditer(block):
            mark = token[0]
            if mark == b'"':  # a text that has not ended yet
                break
            if mark == b"{":
                if depth == 0:
                    start = token.start()
                    found += _between(block[place:start])
                depth += 1
            elif mark == b"}" and depth:
                depth -= 1
                if depth == 0:
                    place = token.end()
                    found.append(block[start:place])
        self._rest = block[start if depth else place :]
        if len(self._rest) > self._longest:
            found.append(self._rest)
            self._skipping = True
            self._rest = self._after_skipping(self._rest[self._longest :])
        cut = tuple(number for number, one in enumerate(found) if len(one) > self._longest)
        return [one[: self._longest] for one in found], cut

    def _after_skipping(self, received: bytes) -> bytes:
        if not self._skipping:
            return received
        _, brace, after = received.partition(b"}")
        self._skipping = not brace
        return after

    def close(self) -> list[bytes]:
        """What was left when the file ended: an object without its end."""
        rest, self._rest = self._rest, b""
        return _between(rest)


def _between(text: bytes) -> list[bytes]:
    text = text.strip(_BETWEEN)
    return [text] if text else []
