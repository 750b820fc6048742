"""Files of console output: taken from disk within bounds, and made text."""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING

from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 256 << 10
"""Bytes of one file; a session of all known commands is some ten thousand."""

LARGEST_TOGETHER = 640 << 10
"""Bytes of all files of one command: the service takes no larger request."""


def read_files(paths: list[Path]) -> list[dict[str, str]]:
    """Name and content (base64) of each; Misuse names every file that cannot be taken."""
    taken, mistakes, together = [], [], 0
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            mistakes.append(f"{path}: cannot be read: {error.strerror}")
            continue
        together += len(content)
        if len(content) > LARGEST:
            mistakes.append(f"{path}: larger than {LARGEST >> 10} KiB: no console output is. Cut it into its commands.")
        taken.append({"name": path.name, "content": base64.b64encode(content).decode()})
    if together > LARGEST_TOGETHER and not mistakes:
        mistakes.append(f"the files are larger than {LARGEST_TOGETHER >> 10} KiB together: import them one by one")
    if mistakes:
        raise Misuse("\n".join(mistakes))
    return taken


def text_of(content: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 where its first two bytes say so (a redirection in PowerShell).

    ValueError says in which line it is not text.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 if wide else content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: is not text: byte {error.start} is neither UTF-8 nor UTF-16") from None
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise ValueError(f"line {line}: is not text: it has a NUL")
    return text
