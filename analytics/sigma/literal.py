"""Values as literals of SQL, whatever is in them."""

from __future__ import annotations

import unicodedata

SPELT = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn"})
"""Kinds of character that move, hide or colour text: nobody who reads a draft could see them."""


def literal(text: str) -> str:
    """A text. What cannot be seen, and `$`, which begins the name of a parameter, are spelt by number.

    ValueError for NUL and for halves of characters, which no text of DuckDB holds.
    """
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("holds NUL or half a character, which no line has")
    parts: list[str] = []
    plain = ""
    for char in text:
        if char == "$" or unicodedata.category(char) in SPELT:
            parts += [quoted(plain)] if plain else []
            parts.append(f"chr({ord(char)})")
            plain = ""
        else:
            plain += char
    parts += [quoted(plain)] if plain or not parts else []
    return parts[0] if len(parts) == 1 else f"concat({', '.join(parts)})"


def quoted(text: str) -> str:
    """SQL's only escape: a quote is doubled."""
    return "'" + text.replace("'", "''") + "'"


def like_escaped(text: str) -> str:
    r"""For a pattern of LIKE with ESCAPE '\'."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
