"""The Luna shell's commands: words with shortcuts resolved, options and arguments apart, secrets masked.

The known commands are data (tables/commands.csv); an option with a `*` there holds a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from parsers.masking import MASK, is_secret, names_secret
from parsers.meaning import class_of, table
from parsers.remembering import remembered
from parsers.shell_words import TOKEN, Option, assignment_of, bare, option_of, quoted, word_of

_ARGUMENT = re.compile(r"[{|]([0-9])\}")
_FLAGS = frozenset(
    {"add", "all", "allfreestorage", "burst", "configonly", "cu", "defaultdomain", "deviceonly", "external", "force"}
    | {"hasps", "iburst", "initwithped", "ipv4", "ipv6", "prefer", "prompt", "replace", "requirehtl", "useevp"}
    | {"verbose", "v0", "v1"}
)
"""Options that take no value."""

MOST_SEVERE = (
    *("destructive", "log_tampering", "privileged", "config", "logging", "availability", "key", "backup", "session"),
    *("routine", "read", "use", "health", "other"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the shell."""

    name: str
    operation: str
    setting: str
    value: str
    options: tuple[str, ...]
    secrets: frozenset[str]

    @property
    def arguments(self) -> int:
        """How many plain arguments its setting and value name."""
        return max((int(place) for place in _ARGUMENT.findall(self.setting + self.value)), default=0)

    def accepts(self, names: list[str]) -> bool:
        return all(any(option.startswith(name) for option in self.options) for name in names)


@dataclass(slots=True)
class _Branch:
    command: Command | None = None
    children: dict[str, _Branch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Typed:
    """A command line, read; `known` is None when no command or more than one fits, `operation` the worst that fits."""

    name: str
    operation: str
    known: Command | None
    ambiguous: bool
    options: dict[str, object]
    arguments: list[str]
    masked: str


@cache
def _tree() -> _Branch:
    root = _Branch()
    for row in table("commands"):
        branch = root
        for word in row["command"].split():
            branch = branch.children.setdefault(word, _Branch())
        names = row["options"].split()
        branch.command = Command(
            row["command"],
            row["operation"],
            row["setting"],
            row["value"],
            tuple(name.rstrip("*") for name in names),
            frozenset(name.rstrip("*") for name in names if name.endswith("*")),
        )
    return root


@remembered(8192)
def read(text: str) -> Typed:
    """What was typed: never raises; the result is shared, so it is not to be changed."""
    places = list(TOKEN.finditer(text))
    tokens = [place[0] for place in places]
    options = [option_of(token) for token in tokens]
    split = next((index for index, option in enumerate(options) if option), len(tokens))
    candidates, used = _candidates([token.lower() for token in tokens[:split]])
    known = _only(candidates, [option.name for option in options if option])
    line = _Line([known] if known else candidates)
    shown = tokens[:used]
    shown += [line.take(token) for token in tokens[used:split]]
    if not candidates:  # then all of them are its name
        used = split
        line.plain.clear()
    shown += [line.take(token) for token in tokens[split:]]
    return Typed(
        name=known.name if known else " ".join(shown[:used]).lower(),
        operation=known.operation if known else _worst(candidates),
        known=known,
        ambiguous=known is None and len(candidates) > 1,
        options=line.options,
        arguments=line.plain,
        masked=_replaced(text, places, shown),
    )


def _replaced(text: str, tokens: list[re.Match[str]], shown: list[str]) -> str:
    """The text with each token as it may be shown; the blanks between stand."""
    places = [0, *(token.end() for token in tokens)]
    between = [text[place : token.start()] for place, token in zip(places, tokens, strict=False)]
    return "".join(part for pair in zip(between, shown, strict=True) for part in pair) + text[places[-1] :]


def _only(candidates: list[Command], options: list[str]) -> Command | None:
    """The one command that is meant: the only one, or the only one that has such options."""
    if len(candidates) > 1 and options:
        candidates = [command for command in candidates if command.accepts(options)]
    return candidates[0] if len(candidates) == 1 else None


def _candidates(words: list[str]) -> tuple[list[Command], int]:
    """The commands that the words can mean, exact words before shortcuts, and how many words they take (0: none)."""
    branches = [_tree()]
    used = 0
    for word in words:
        further = [child for branch in branches for child in _children(branch, word)]
        if not further:
            break
        branches = further
        used += 1
    found = [branch.command for branch in branches if branch.command]
    return found, used if found else 0


def _children(branch: _Branch, word: str) -> list[_Branch]:
    if word in branch.children:
        return [branch.children[word]]
    return [child for name, child in branch.children.items() if name.startswith(word)]


def _worst(candidates: list[Command]) -> str:
    operations = [command.operation for command in candidates]
    return min(operations, key=lambda operation: MOST_SEVERE.index(class_of(operation)), default="other")


@dataclass(slots=True)
class _Line:
    """A command line while it is read from left to right."""

    candidates: list[Command]
    options: dict[str, object] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)
    waiting: str = ""  # the option whose value comes next

    def take(self, token: str) -> str:
        """One token: what it says is kept, and what may be shown of it is given back."""
        option = option_of(token)
        if option and not self._is_value(token, option):
            return self._option(option)
        if self.waiting and token in ("=", ":"):
            return token
        return self._value(token) if self.waiting else self._argument(token)

    def _argument(self, token: str) -> str:
        """A word that stands alone; `password=…` and `password …` without a dash hide their secret too."""
        assigned = assignment_of(token)
        if assigned and _hides(assigned[0], self.candidates):
            token = f"{assigned[0]}={MASK}"
        elif names_secret(word := word_of(token)):
            self.waiting = word
            self.options[word] = True
            return token
        elif self._superfluous():
            token = MASK
        self.plain.append(bare(token))
        return token

    def _superfluous(self) -> bool:
        """Whether the next argument is one that a command which asks for a secret has no place for: it may be that."""
        asking = [command for command in self.candidates if command.secrets]
        return bool(asking) and len(self.plain) >= max(command.arguments for command in self.candidates)

    def _is_value(self, token: str, option: Option) -> bool:
        """Whether what looks like an option is the value of the one before it."""
        if self._awaits_secret():
            return not _known(option.name, self.candidates)
        return bool(self.waiting) and quoted(token)

    def _awaits_secret(self) -> bool:
        return bool(self.waiting) and _hides(self.waiting, self.candidates)

    def _value(self, token: str) -> str:
        shown = MASK if self._awaits_secret() else token
        self.options[_full_name(self.waiting, self.candidates)] = bare(shown)
        self.waiting = ""
        return shown

    def _option(self, option: Option) -> str:
        name = _full_name(option.name, self.candidates)
        hides = _hides(option.name, self.candidates)
        self.options[name] = True
        if option.value is None:
            self.waiting = option.name if option.open or name not in _FLAGS else ""
            return option.head
        self.waiting = option.name if hides and option.attached else ""
        shown = MASK if hides else option.value
        self.options[name] = bare(shown)
        return option.head + shown


def _known(name: str, candidates: list[Command]) -> bool:
    return any(option.startswith(name) for command in candidates for option in (*command.options, "force"))


def _hides(name: str, candidates: list[Command]) -> bool:
    options = {option for command in candidates for option in command.options}
    secrets = {option for command in candidates for option in command.secrets}
    return is_secret(name, frozenset(options), frozenset(secrets))


def _full_name(typed: str, candidates: list[Command]) -> str:
    """The option that a shortening means, as typed when it is not the only one."""
    names = {option for command in candidates for option in command.options if option.startswith(typed)}
    if typed in names or len(names) != 1:
        return typed
    return next(iter(names))
