"""Which options of a command hold secrets, and what is shown in their place.

Only Luna command lines are masked; the spool alone keeps the bytes. When unsure, masked.
"""

from __future__ import annotations

import re

MASK = "***"

_SECRET_START = re.compile(r"pas|pw|pin|old|new|cha|dom|sec|key")
_SECRET_WITHIN = re.compile(r"pass|pwd|secret|(?:pw|pin)$")
_SECRET_WORDS = ("password", "pwd", "pin", "old", "new", "challenge", "domain", "secret", "key")


def is_secret(name: str, options: frozenset[str], secrets: frozenset[str]) -> bool:
    """Whether an option's value is a secret, given the options that its command has and those of them that are secret.

    A name that no option begins with is judged by itself: it may be a shortening of a secret's name.
    """
    name = name.lower().strip("-_")
    if _SECRET_START.match(name):
        return True
    meant = {option for option in options if option.startswith(name)}
    if meant:
        return bool(meant & secrets)
    return bool(_SECRET_WITHIN.search(name)) or any(word.startswith(name) for word in _SECRET_WORDS)
