"""Bytes to messages: line feed, NUL and octet-counted framing (RFC 6587, RFC 5425), in bulk and without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Octets = bytes | bytearray | memoryview

Framing = Literal["auto", "lf", "nul", "octet-counted"]

LARGEST_COUNT = 64 << 20
COUNT_TOO_LARGE = "count_too_large"
NO_COUNT = "no_count"
BLANK = 0x20

DIGITS = re.compile(rb"[0-9]+")
COUNT = re.compile(rb"(?=[0-9])0*([0-9]{0,8}) ")
NOWHERE: Places = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Frames:
    """Messages as places in one block: message i is block[starts[i]:ends[i]]; `cut` lists those that lost their end."""

    block: bytes = b""
    starts: Places = field(default_factory=lambda: NOWHERE)
    ends: Places = field(default_factory=lambda: NOWHERE)
    cut: tuple[int, ...] = ()
    incomplete: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    def messages(self) -> list[bytes]:
        return [self.block[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]


NOTHING = Frames()


@dataclass(frozen=True, slots=True)
class Count:
    """What stands at the start of a frame: a count and where its message starts, or why there is none."""

    kind: Literal["counted", "text", "undecided", "refused"]
    size: int = 0
    start: int = 0
    reason: str = ""


TEXT, UNDECIDED = Count("text"), Count("undecided")


class Framer:
    """The messages of one connection. They are the same however its bytes are cut into pieces.

    A message longer than `max_message` is its first `max_message` bytes, listed in `cut`; its remainder is skipped.
    After a count that cannot be (`refused` says why) nothing more is taken: close the connection.
    """

    def __init__(self, framing: Framing = "auto", max_message: int = 65536) -> None:
        self.refused = ""
        self.framing, self.max_message = framing, max_message
        self._counted = framing in ("auto", "octet-counted")
        self._count_must_stand = framing == "octet-counted"
        self._marks = {"auto": b"\n\0", "lf": b"\n", "nul": b"\0", "octet-counted": b""}[framing]
        self._rest = bytearray()  # of a message that is not whole yet, its count included
        self._wanted = 0  # bytes that it must have; 0: a mark is waited for
        self._octets_to_skip = 0
        self._skip_to_mark = False

    @property
    def unfinished(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._rest)

    def feed(self, received: Octets) -> Frames:
        """The messages that these bytes complete."""
        fresh = self._after_skipping(received)
        if self.refused or not fresh:
            return NOTHING
        if self._rest and self._still_waiting(fresh):
            self._rest += fresh
            return NOTHING
        walk = Walk(b"".join((self._rest, fresh)), self._marks, self.count_at, self.max_message)
        walk.run()
        self._rest = bytearray(walk.block[walk.place :])
        self._wanted, self.refused = walk.wanted, walk.refused
        self._octets_to_skip, self._skip_to_mark = walk.octets_to_skip, walk.skip_to_mark
        return walk.frames()

    def close(self) -> Frames:
        """What is left when the connection ends: at most one message, without its octet count."""
        rest, self._rest = bytes(self._rest), bytearray()
        if self.refused or not rest:
            return NOTHING
        count = self.count_at(rest, 0)
        start = count.start if count.kind == "counted" else 0
        return Frames(rest, np.array([start]), np.array([len(rest)]), incomplete=True)

    def count_at(self, block: bytes, place: int) -> Count:
        """Auto: digits and a blank are a count, anything else is text. Octet-counted: a count must stand here."""
        digits = DIGITS.match(block, place) if self._counted else None
        if digits is None:
            return self._no_count(NO_COUNT)
        if digits.end() - place > self.max_message:  # no more digits than that are looked at, whatever the pieces
            return self._no_count(COUNT_TOO_LARGE)
        size, end = count_in(digits[0]), digits.end()
        if size > LARGEST_COUNT and (self._count_must_stand or block[end : end + 1] == b" "):
            return Count("refused", reason=COUNT_TOO_LARGE)
        if end == len(block):
            return UNDECIDED
        return Count("counted", size, end + 1) if block[end] == BLANK else self._no_count(NO_COUNT)

    def _no_count(self, reason: str) -> Count:
        return Count("refused", reason=reason) if self._count_must_stand else TEXT

    def _after_skipping(self, received: Octets) -> Octets:
        if self._octets_to_skip:
            skipped = min(self._octets_to_skip, len(received))
            self._octets_to_skip -= skipped
            return memoryview(received)[skipped:]
        if self._skip_to_mark:
            mark = first_mark(bytes(received), self._marks)
            self._skip_to_mark = mark < 0
            return b"" if mark < 0 else memoryview(received)[mark + 1 :]
        return received

    def _still_waiting(self, fresh: Octets) -> bool:
        """Long messages in small pieces cost one look at each piece, not one at all of them."""
        size = len(self._rest) + len(fresh)
        if self._wanted:
            return size < self._wanted
        return size <= self.max_message and first_mark(bytes(fresh), self._marks) < 0


def count_in(digits: bytes) -> int:
    """Its value; one above the limit stands for all counts of more than 8 digits."""
    significant = digits.lstrip(b"0")
    return int(significant or b"0") if len(significant) <= 8 else LARGEST_COUNT + 1


def first_mark(block: bytes, marks: bytes) -> int:
    found = [place for mark in marks if (place := block.find(mark)) >= 0]
    return min(found, default=-1)


class Walk:
    """One pass over a block that begins where a message begins."""

    def __init__(self, block: bytes, marks: bytes, count_at: Callable[[bytes, int], Count], max_message: int) -> None:
        self.block, self.place, self.refused = block, 0, ""
        self.wanted, self.octets_to_skip, self.skip_to_mark = 0, 0, False
        self._marks, self._count_at, self._max = marks, count_at, max_message
        self._starts: list[Places] = []
        self._ends: list[Places] = []
        self._cut: list[int] = []
        self._number = 0
        self._ends_of_lines: Places | None = None
        self._before_counts: Places = NOWHERE

    def frames(self) -> Frames:
        if not self._number:
            return NOTHING
        return Frames(self.block, np.concatenate(self._starts), np.concatenate(self._ends), tuple(self._cut))

    def run(self) -> None:
        """Go on until the block ends, a message is not whole, or a count cannot be."""
        going = True
        while going and self.place < len(self.block):
            count = self._count_at(self.block, self.place)
            if count.kind == "text":
                going = self._lines()
            elif count.kind == "counted":
                going = self._counted()
            else:
                self.refused, going = count.reason, False
                self.wanted = len(self.block) - self.place + 1  # undecided: one byte more may settle it

    def _counted(self) -> bool:
        """Counted messages one after another; False when the walk ends."""
        starts: list[int] = []
        ends: list[int] = []
        block, place, longest, size = self.block, self.place, self._max, len(self.block)
        going = True
        while going and place < size and (found := COUNT.match(block, place)):
            start = found.end()
            length = int(found[1] or 0)
            if length > LARGEST_COUNT or start - place > longest + 1:
                break  # count_at says what this is
            going = start + min(length, longest) <= size
            if not going:
                self.wanted = start - place + min(length, longest)
                break
            if length > longest:
                self._cut.append(self._number + len(starts))
            starts.append(start)
            ends.append(start + min(length, longest))
            place = start + length
        self.octets_to_skip, self.place = max(0, place - size), min(place, size)
        self._keep(np.array(starts, np.int64), np.array(ends, np.int64))
        return going

    def _lines(self) -> bool:
        """All messages up to the last mark, or up to the next count; False when the walk ends."""
        marks = self._line_ends()
        first = int(np.searchsorted(marks, self.place))
        if first == len(marks):
            self._unfinished_line()
            return False
        stop = int(np.searchsorted(self._before_counts, first))
        last = int(self._before_counts[stop]) if stop < len(self._before_counts) else len(marks) - 1
        ends = marks[first : last + 1]
        starts = np.concatenate((np.array([self.place]), ends[:-1] + 1))
        long = np.flatnonzero(ends - starts > self._max)
        self._cut += (long + self._number).tolist()
        self._keep(starts, np.minimum(ends, starts + self._max))
        self.place = int(ends[-1]) + 1
        return True

    def _unfinished_line(self) -> None:
        size = len(self.block)
        if size - self.place <= self._max:
            return
        self._cut.append(self._number)
        self._keep(np.array([self.place]), np.array([self.place + self._max]))
        self.place, self.skip_to_mark = size, True

    def _line_ends(self) -> Places:
        """Places of all marks; a line behind which a count stands ends a bulk step."""
        if self._ends_of_lines is None:
            octets = np.frombuffer(self.block, np.uint8)
            is_mark = octets == self._marks[0]
            for other in self._marks[1:]:
                if other in self.block:  # NUL is rare, and asking is cheap
                    is_mark |= octets == other
            self._ends_of_lines = np.flatnonzero(is_mark)
            self._before_counts = self._lines_before_counts(octets, self._ends_of_lines)
        return self._ends_of_lines

    def _lines_before_counts(self, octets: NDArray[np.uint8], marks: Places) -> Places:
        followed = marks[:-1] if len(marks) and marks[-1] == len(octets) - 1 else marks
        digits = np.flatnonzero(octets[followed + 1] - np.uint8(48) < 10)  # others wrap around
        return np.array(
            [i for i in digits.tolist() if self._count_at(self.block, int(marks[i]) + 1).kind != "text"], np.int64
        )

    def _keep(self, starts: Places, ends: Places) -> None:
        self._starts.append(starts)
        self._ends.append(ends)
        self._number += len(starts)
