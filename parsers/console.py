"""Console output, read: the settings that it shows, the lists that are complete in it, and what no form knows.

Pure and without doubt: a line that no form knows is told and never guessed at; an output that failed shows nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parsers.console_forms import PLACE
from parsers.console_output import Output, Row, cut, masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from parsers.console_forms import Form, Line, Sets

LONGEST = 500
"""Characters of a line that a console prints; a longer one is something else."""
MOST_LEFT_OUT = 500
"""Lines that are told one by one; of a file with more only their number."""
_RULER = re.compile(r"[-=_+*|. ]+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NO_END = "no `Command Result : 0 (Success)` ends it: what its lists do not show is not taken as gone"
_NOT_ALL = "a line of it is not known: what its lists do not show is not taken as gone"
_NO_PARTITION = "names no partition: say which one it is with --partition"


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting, by the name that commands give it, and the line that shows it; partition is '' outside of one."""

    setting: str
    partition: str
    value: str
    line: int
    form: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Settings of which the output shows all: `members` is a regular expression, those not shown are `gone`."""

    members: str
    gone: str
    line: int
    form: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that was not taken, masked, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Said:
    """A serial number or a host's name, and where."""

    line: int
    text: str


@dataclass(slots=True)
class Reading:
    """One file. `kept` is the text that forms know, masked; `conflicts` are sentences with their lines."""

    shown: list[Shown] = field(default_factory=list)
    lists: list[Listed] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    serials: list[Said] = field(default_factory=list)
    hosts: list[Said] = field(default_factory=list)
    conflicts: list[Said] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def read(text: str, forms: Sequence[Form], partition: str = "") -> Reading:
    """Never raises. `partition` is the one of outputs that name none."""
    reading = Reading()
    for output in cut(text, forms):
        if output.form is None or output.failed:
            _leave_out(reading, output)
        else:
            _Reader(reading, output, output.form, partition).read()
    _settle(reading)
    if (more := len(reading.left_out) - MOST_LEFT_OUT) > 0:
        last = reading.left_out[-1].line
        reading.left_out[MOST_LEFT_OUT:] = [LeftOut(last, "", f"and {more} more lines up to this one")]
    return reading


def _leave_out(reading: Reading, output: Output) -> None:
    """The whole output; its text is not kept, for nobody knows what secrets are in it."""
    if not (output.typed or output.rows):
        return
    why = "belongs to no command" if not output.typed else "no form knows what this command prints"
    if output.failed:
        why = f"failed ({output.result}): nothing is taken from it"
    text = output.typed or output.rows[0].text
    reading.left_out.append(LeftOut(output.number, _short(text), why))
    reading.kept.append(f"({len(output.rows)} lines left out)")


def _settle(reading: Reading) -> None:
    """The same setting twice is one; two values of it cannot be true at one moment."""
    known: dict[tuple[str, str], Shown] = {}
    for one in reading.shown:
        first = known.setdefault((one.setting, one.partition), one)
        if first.value != one.value:
            said = (
                f"{one.setting} is {one.value!r}, in line {first.line} it is {first.value!r}: a file shows one moment"
            )
            reading.conflicts.append(Said(one.line, said))
    reading.shown[:] = known.values()
    lists: dict[tuple[str, str], Listed] = {}
    for listed in reading.lists:
        lists.setdefault((listed.members, listed.gone), listed)
    reading.lists[:] = lists.values()


def _short(text: str) -> str:
    return masked(text)[:LONGEST]


class _Reader:
    """One output of a form."""

    def __init__(self, reading: Reading, output: Output, form: Form, partition: str) -> None:
        self._reading, self._output, self._form = reading, output, form
        self._kept = {"partition": partition}
        self._section = ""
        self._over = False
        self._lists: list[tuple[str, Listed]] = []  # with the section
        self._unknown: set[str] = set()  # sections that have a line which the form does not know

    def read(self) -> None:
        if self._output.typed:
            self._reading.kept.append(f"[{self._output.host}] :> {masked(self._output.typed)}")
        if self._output.host:
            self._reading.hosts.append(Said(self._output.number, self._output.host))
        for row in self._output.rows:
            self._reading.kept.append(masked(row.text))
            if not self._over:
                self._row(row)
        if self._output.result is not None:
            self._reading.kept.append(f"Command Result : {self._output.result}")
        self._complete()

    def _complete(self) -> None:
        """Lists count when the whole output is there and their section was understood."""
        whole = [one for section, one in self._lists if section not in self._unknown]
        if self._output.result is not None:
            self._reading.lists.extend(whole)
        if len(whole) < len(self._lists) or (self._lists and self._output.result is None):
            why = _NO_END if self._output.result is None else _NOT_ALL
            self._leave(Row(self._output.number, self._output.typed or self._form.name), why)

    def _row(self, row: Row) -> None:
        if _RULER.fullmatch(row.text):
            return
        if len(row.text) > LONGEST:
            self._leave(row, f"longer than {LONGEST} characters")
        elif any(unicodedata.category(character) in _HIDDEN for character in row.text):
            self._leave(row, "has characters that no console prints")
        elif (found := self._found(row.text)) is None:
            self._leave(row, f"no such line in the output of {self._form.name}")
        else:
            self._apply(row, *found)

    def _found(self, text: str) -> tuple[Line, Mapping[str, str]] | None:
        for line in self._form.line:
            if line.within in {"", self._section} and (match := line.match.fullmatch(text)):
                return line, {name: (group or "").strip() for name, group in match.groupdict().items()}
        return None

    def _apply(self, row: Row, line: Line, groups: Mapping[str, str]) -> None:
        self._section = line.enters or self._section
        self._over = line.rest
        self._kept |= {name: groups[name] for name in line.keeps}
        if serial := groups.get("serial"):
            self._reading.serials.append(Said(row.number, serial))
        values = {**self._kept, **groups}
        for one in line.lists:
            members = _filled(one.members, values, escaped=True)
            self._lists.append((self._section, Listed(members, one.gone, row.number, self._form.name)))
        for sets in line.sets:
            for filled in _each(sets, values):
                self._show(row, sets, filled)

    def _show(self, row: Row, sets: Sets, values: Mapping[str, str]) -> None:
        if "{partition}" in f"{sets.setting} {sets.partition}" and not values["partition"]:
            self._leave(row, _NO_PARTITION)
            return
        setting, value, partition = (_filled(text, values) for text in (sets.setting, sets.value, sets.partition))
        value = self._form.words.get(value, value)
        self._reading.shown.append(Shown(setting, partition, value, row.number, self._form.name))

    def _leave(self, row: Row, why: str) -> None:
        self._unknown.add(self._section)
        self._reading.left_out.append(LeftOut(row.number, _short(row.text), why))


def _each(sets: Sets, values: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The values once, or once for each name of a list."""
    if not sets.each:
        yield values
        return
    for name in filter(None, (one.strip().strip('"') for one in values[sets.each].split(","))):
        yield {**values, sets.each: name}


def _filled(template: str, values: Mapping[str, str], *, escaped: bool = False) -> str:
    return PLACE.sub(lambda place: re.escape(values[place[1]]) if escaped else values[place[1]], template)
