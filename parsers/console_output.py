"""A saved console session, cut into the outputs of its commands. Pure; the lines are a stranger's text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parsers import shell
from parsers.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from parsers.console_forms import Form

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
"""What a terminal was told about colours and places."""
_PROMPT = re.compile(r"(?:\[(?P<host>[^\[\]]{1,255})\] ?)?(?:lunash|lunacm) ?:> ?(?P<command>.*)")
_RESULT = re.compile(r"Command Result ?: ?(?P<result>.*)")
_DONE = re.compile(r"No Error|0(?:x0+)?(?: .*)?")
_SECRET = re.compile(r"(?i)\A(.*?\b(?:password|passwd|pin|secret|challenge|domain|authcode)\b[^:=]{0,40}[:=] ?)\S.*")
_TYPED = re.compile(r"\A> ?\S.*")
"""An answer to a question of the shell."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line: its number, and its text with every run of blanks as one."""

    number: int
    text: str


@dataclass(slots=True)
class Output:
    """What one command printed. `form` is None when none knows the command, or when none is named (`typed` is '').

    `result` is what stands behind `Command Result :`, None when there is none.
    """

    number: int
    form: Form | None
    host: str = ""
    typed: str = ""
    rows: list[Row] = field(default_factory=list)
    result: str | None = None

    @property
    def failed(self) -> bool:
        return self.result is not None and not _DONE.fullmatch(self.result)


def cut(text: str, forms: Sequence[Form]) -> list[Output]:
    """The outputs in order. Lines that belong to no command are outputs too, without one."""
    cutter = _Cutter(forms)
    for row in rows(text):
        cutter.take(row)
    return cutter.outputs


def rows(text: str) -> Iterator[Row]:
    """The lines that are not empty."""
    for number, line in enumerate(_ESCAPES.sub("", text).split("\n"), 1):
        if squeezed := " ".join(line.split()):
            yield Row(number, squeezed)


def masked(text: str) -> str:
    """A line that may be shown and kept: what follows the word for a secret, or was typed, is hidden, in doubt too."""
    return _TYPED.sub(f"> {MASK}", _SECRET.sub(rf"\g<1>{MASK}", text))


class _Cutter:
    def __init__(self, forms: Sequence[Form]) -> None:
        self.outputs: list[Output] = []
        self._by_command = {command: form for form in forms for command in form.commands}
        self._alone = [form for form in forms if form.alone]
        self._open: Output | None = None

    def take(self, row: Row) -> None:
        if prompt := _PROMPT.fullmatch(row.text):
            self._begin(row, prompt["host"] or "", prompt["command"])
        elif result := _RESULT.fullmatch(row.text):
            self._end(result["result"])
        elif (form := self._headed(row)) is not None:
            self._open = self._added(Output(row.number, form, rows=[row]))
        else:
            self._within(row)

    def _begin(self, row: Row, host: str, command: str) -> None:
        typed = shell.read(command)
        named = " ".join([typed.name, *typed.arguments[:1]])
        form = self._by_command.get(named) or self._by_command.get(typed.name)
        self._open = self._added(Output(row.number, form, host, typed.masked)) if command else None

    def _end(self, result: str) -> None:
        if self._open is not None:
            self._open.result = result
        self._open = None

    def _headed(self, row: Row) -> Form | None:
        """The form that this line begins without a prompt; the one that is open goes on by itself."""
        if self._open is not None and self._open.typed:
            return None
        found = next((form for form in self._alone if form.alone and form.alone.fullmatch(row.text)), None)
        return None if found and self._open is not None and self._open.form is found else found

    def _within(self, row: Row) -> None:
        if self._open is None:
            self._open = self._added(Output(row.number, None))
        self._open.rows.append(row)

    def _added(self, output: Output) -> Output:
        self.outputs.append(output)
        return output
