"""The Luna shell's commands: words with shortcuts resolved, options and arguments apart, secrets masked.

The known commands are data (tables/commands.csv); an option with a `*` there holds a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache

from parsers.masking import MASK, is_secret
from parsers.meaning import class_of, table

_TOKEN = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z)|\u201c[^\u201d]*(?:\u201d|\Z)"""
    r"""|\u2018[^\u2019]*(?:\u2019|\Z)|[^\s"'\u201c\u2018])+""",
    re.DOTALL,
)
"""A word with whatever it holds in quotes; pasted quotation marks count, an open one goes to the end."""

_OPTION = re.compile(
    r"[-\u2010-\u2015\u2212]+(?P<name>[A-Za-z][A-Za-z0-9_-]*)(?:[=:](?P<value>.+)|(?P<attached>[^A-Za-z0-9_=:-].*)|(?P<open>[=:]))?",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z_-]*)(=)(.*)", re.DOTALL)
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


@lru_cache(maxsize=8192)
def read(text: str) -> Typed:
    """What was typed: never raises; the result is shared, so it is not to be changed."""
    tokens = list(_TOKEN.finditer(text))
    split = next((index for index, token in enumerate(tokens) if _OPTION.fullmatch(token[0])), len(tokens))
    words = [token[0].lower() for token in tokens[:split]]
    candidates, used = _candidates(words)
    known = _only(candidates, [found[1].lower() for token in tokens if (found := _OPTION.fullmatch(token[0]))])
    meant = [known] if known else candidates
    line = _Line(meant)
    shown = [argument(word, meant) for word in (token[0] for token in tokens[:split])]
    used = used if candidates else len(words)
    line.plain.extend(_bare(word) for word in shown[used:])
    shown.extend(line.take(token[0]) for token in tokens[split:])
    return Typed(
        name=known.name if known else " ".join(shown[:used]).lower(),
        operation=known.operation if known else _worst(candidates),
        known=known,
        ambiguous=known is None and len(candidates) > 1,
        options=line.options,
        arguments=line.plain,
        masked=_replaced(text, tokens, shown),
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
    """The commands that the words can mean, exact words before shortcuts, and how many words they take."""
    branches = [_tree()]
    used = 0
    for word in words:
        further = [child for branch in branches for child in _children(branch, word)]
        if not further:
            break
        branches = further
        used += 1
    found = [branch.command for branch in branches if branch.command]
    return found, used


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
        found = _OPTION.fullmatch(token)
        if found and not (self._awaits_secret() and not _known(found[1].lower(), self.candidates)):
            return self._option(found)
        if self.waiting and token in ("=", ":"):
            return token
        if self.waiting:
            return self._value(token)
        shown = argument(token, self.candidates)
        self.plain.append(_bare(shown))
        return shown

    def _awaits_secret(self) -> bool:
        return bool(self.waiting) and _hides(self.waiting, self.candidates)

    def _value(self, token: str) -> str:
        shown = MASK if self._awaits_secret() else token
        self.options[_full_name(self.waiting, self.candidates)] = _bare(shown)
        self.waiting = ""
        return shown

    def _option(self, found: re.Match[str]) -> str:
        typed = found["name"].lower()
        name = _full_name(typed, self.candidates)
        self.options[name] = True
        value = found["value"] or found["attached"]
        if value is None:
            self.waiting = typed if found["open"] or name not in _FLAGS else ""
            return found[0]
        self.waiting = ""
        shown = MASK if _hides(typed, self.candidates) else value
        self.options[name] = _bare(shown)
        return found[0].removesuffix(value) + shown


def argument(text: str, candidates: list[Command]) -> str:
    """A plain argument; `password=…` without its dash is masked too."""
    found = _ASSIGNMENT.fullmatch(text)
    if found and found[3] and _hides(found[1].lower(), candidates):
        return f"{found[1]}={MASK}"
    return text


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


def _bare(text: str) -> str:
    """Without the quotes around it."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
