"""Text from the network, made harmless for people's eyes: nothing in it moves, hides, breaks out or can be clicked."""

from __future__ import annotations

import re
from unicodedata import category

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LIMIT = 2000
"""Characters of one line that a message shows; the store has it all."""

LINK = re.compile(r"(?i)\b(?P<scheme>[a-z][a-z0-9+.-]{0,20}):(?=//)|\bwww\.|\bmailto:")


def visible(text: str, limit: int = LIMIT) -> str:
    """One line: control, bidirectional and other unseen characters are spelt out, what is too long is counted."""
    kept = text if len(text) <= limit else f"{text[:limit]} … {len(text) - limit} more"
    return "".join(map(_spelt, kept))


def inert(text: str, limit: int = LIMIT) -> str:
    """As `visible`, and no mail program makes a link of it: http[:]//, www[.] (a log line is no place to click)."""
    return LINK.sub(_broken, visible(text, limit))


def _spelt(character: str) -> str:
    if category(character) not in HIDDEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _broken(match: re.Match[str]) -> str:
    return f"{match[0][:-1]}[{match[0][-1]}]"
