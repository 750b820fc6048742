"""The words of a shell line: tokens, and which of them are options, however they were typed or pasted.

What looks like an option in any disguise is taken for one, since its value may be a secret: dashes of word processors,
a blank after the dash, quotes around the name, letters of other alphabets, characters that nobody sees.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_DASH = r"-\u2010-\u2015\u2212\ufe58\ufe63\uff0d"

TOKEN = re.compile(
    rf"""(?:(?<!\S)[{_DASH}]+[^\S\n]+(?=[^\W\d_]))?"""
    r"""(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z)|\u201c[^\u201d]*(?:\u201d|\Z)"""
    r"""|\u2018[^\u2019]*(?:\u2019|\Z)|[^\s"'\u201c\u2018])+""",
    re.DOTALL,
)
"""A word with whatever it holds in quotes; pasted quotation marks count, an open one goes to the end. A dash that
stands alone belongs to the word after it."""

_OPTION = re.compile(
    rf"[\"'\u201c\u2018]?[{_DASH}]+\s*[\"'\u201c\u2018]?(?P<name>password|[^\W\d_][\w-]*)[\"'\u201d\u2019]?"
    r"(?:(?P<joint>[=:])(?P<value>.*)|(?P<attached>[^\w=:-].*|(?<=password).+))?",
    re.DOTALL | re.IGNORECASE,
)
_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z_-]*)(=)(.*)", re.DOTALL)
_JOINT = re.compile(r"[=:]")
_AROUND = re.compile(r"\A[\W_]+|[\W_]+\Z")
_UNSEEN = frozenset({"Cf", "Cc", "Mn", "Me"})


@dataclass(frozen=True, slots=True)
class Option:
    """`-name`, `-name=value`, `-name"value"`; `head` is the token without the value."""

    name: str  # lower case, without what nobody sees
    head: str
    value: str | None
    open: bool  # it ends in `=` or `:`, so the value is the next token
    attached: bool  # where the name ends is a guess


def option_of(token: str) -> Option | None:
    """What an option says; None for a token that is none."""
    found = _OPTION.fullmatch(token if token.isascii() else seen(token))
    if found is None:
        return None
    value = found["value"] or found["attached"]
    head = token if value is None else found[0].removesuffix(value)
    attached = found["attached"] is not None
    return Option(found["name"].lower(), head, value, value is None and found["joint"] is not None, attached)


def assignment_of(token: str) -> tuple[str, str] | None:
    """Name and value of `name=value` without a dash; None for a token that is none, or has no value."""
    found = _ASSIGNMENT.fullmatch(token)
    return (found[1].lower(), found[3]) if found and found[3] else None


def quoted(token: str) -> bool:
    """Whether it begins with a quotation mark."""
    return token[:1] in ('"', "'", "\u201c", "\u2018")


def bare(text: str) -> str:
    """Without the quotes around it."""
    inside = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if inside else text


def word_of(token: str) -> str:
    """The word in a token, in lower case, without what stands around it."""
    return _AROUND.sub("", seen(token)).lower()


def seen(token: str) -> str:
    """A token with the name as a reader sees it: compatible letters made plain, what has no shape left out."""
    joint = _JOINT.search(token)
    end = joint.start() if joint else len(token)
    name = unicodedata.normalize("NFKC", token[:end])
    return "".join(sign for sign in name if unicodedata.category(sign) not in _UNSEEN) + token[end:]
