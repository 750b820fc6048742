"""Which options of a command hold secrets, and what is shown in their place.

Only Luna command lines are masked; the spool alone keeps the bytes. When unsure, masked.
"""

from __future__ import annotations

import re

MASK = "***"

_SECRET_START = re.compile(r"pas|pw|pin|old|new|cha|dom|sec|key")
_SECRET_WITHIN = re.compile(r"pass|pwd|secret|(?:pw|pin)$")
_SECRET_ALONE = re.compile(
    r"(?:old|new|user|so|co|cu|au|po)?[_-]?(?:pas|pass.*|pwd?|pins?|challenge|domain|secret|key)|old|new"
)
_SECRET_WORDS = ("password", "pwd", "pin", "old", "new", "challenge", "domain", "secret", "key")


def is_secret(name: str, options: frozenset[str], secrets: frozenset[str]) -> bool:
    """Whether an option's value is a secret, given the options that its command has and those of them that are secret.

    A name that no option begins with is judged by itself: it may be a shortening of a secret's name. What a name in
    another alphabet stands for, nobody can say.
    """
    name = name.lower().strip("-_")
    if _SECRET_START.match(name) or not name.isascii():
        return True
    meant = {option for option in options if option.startswith(name)}
    if meant:
        return bool(meant & secrets)
    return bool(_SECRET_WITHIN.search(name)) or any(word.startswith(name) for word in _SECRET_WORDS)


def names_secret(word: str) -> bool:
    """Whether a word without a dash says that a secret comes next; names of accounts that begin alike do not."""
    return bool(_SECRET_ALONE.fullmatch(word.lower()))
