"""Forms of console output: what a command prints, and the settings that its lines show. They are data: forms/*.toml.

Lines are matched whole, with every run of blanks as one blank. `docs/reference/console.md` lists the forms.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PLACE = re.compile(r"\{([a-z]+)\}")

Seen = Literal["sample seen", "documented", "recalled", "inferred"]
"""How a form is known: printed output was read, a manual describes it, it is remembered, or it follows from others."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sets(_Strict):
    """One setting that a line shows; `{name}` stands for a group of the line or for what was kept before it.

    `each`: a group that holds several names, `"a", "b"` or `a,b`: a setting for each of them.
    """

    setting: str
    value: str
    partition: str = ""
    each: str = ""


class Lists(_Strict):
    """The output shows all settings of which a regular expression is true: the others are gone, with that word."""

    members: str
    gone: str


class Line(_Strict):
    """A line that the form knows. Without `sets` and `lists` it is known to show no setting.

    `keeps` are groups that later lines may use; a group `serial` is the HSM's serial number. `enters` begins a section,
    `within` wants to be in one. `rest`: this line and all behind it show no setting.
    """

    match: re.Pattern[str]
    within: str = ""
    enters: str = ""
    keeps: tuple[str, ...] = ()
    sets: tuple[Sets, ...] = ()
    lists: tuple[Lists, ...] = ()
    rest: bool = False


class Example(_Strict):
    """Text, and all that must be read from it: `SETTING [in PARTITION] = VALUE`, expressions, numbers of lines."""

    text: str
    settings: tuple[str, ...]
    lists: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()


class Form(_Strict):
    """What one command or several print. `alone`: the first line, where it tells the command without its prompt."""

    name: str
    commands: tuple[str, ...] = Field(min_length=1)
    alone: re.Pattern[str] | None = None
    seen: Seen
    source: str
    words: dict[str, str] = {}
    line: tuple[Line, ...] = Field(min_length=1)
    example: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _places_can_be_filled(self) -> Form:
        kept = {"partition"}.union(*(line.keeps for line in self.line))
        for line in self.line:
            known = kept | line.match.groupindex.keys()
            texts = [text for one in line.sets for text in (one.setting, one.value, one.partition)]
            used = {name for text in (*texts, *(one.members for one in line.lists)) for name in PLACE.findall(text)}
            used |= {one.each for one in line.sets if one.each}
            if missing := sorted((used - known) | (set(line.keeps) - line.match.groupindex.keys())):
                raise ValueError(f"{line.match.pattern!r}: nothing fills {', '.join(missing)}")
        return self


@cache
def forms() -> tuple[Form, ...]:
    """All forms, by name; ValueError (pydantic's) for a file that is wrong."""
    folder = files("parsers") / "forms"
    texts = sorted(
        (file.name, file.read_text(encoding="utf-8")) for file in folder.iterdir() if file.name[-5:] == ".toml"
    )
    return tuple(Form.model_validate(tomllib.loads(text)) for _, text in texts)
