"""A finding's figures as one sentence."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from reports.text import clipped, listed, moment, number

WORDS_AT_MOST, WORDS_EACH = 600, 160
"""Characters of a finding's sentence, and of one figure in it."""
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?Z?")
SAID = {"device", "severity"}
"""Columns that the subject and the heading say already."""

PHRASES = {"what", "consequence"}
"""Columns whose text needs no name before it."""


def told(subject: str, columns: dict[str, Any]) -> str:
    """The finding's columns as one sentence: 'so on hsm-ams-2: 2 failures; 1 try left.'"""
    parts = [
        _phrase(name, value)
        for name, value in columns.items()
        if name not in SAID and value is not False and value not in (None, "", []) and value != subject_of(subject)
    ]
    text = f"{subject}: {'; '.join(parts)}" if parts else subject
    return clipped(text, WORDS_AT_MOST).rstrip(".") + "."


def _phrase(name: str, value: object) -> str:
    """'2 failures', '1 try left', 'ended', 'sources 192.0.2.50'; what is not so is not said."""
    words = name.replace("_", " ")
    if value is True:
        return words
    if isinstance(value, int) and words.partition(" ")[0].endswith("s"):  # a plural: it counts something
        return f"{number(value)} {_one(words) if value == 1 else words}"
    return _value(value) if name in PHRASES else f"{words} {_value(value)}"


def _one(words: str) -> str:
    """'try left' of 'tries left': the first word in the singular."""
    first, blank, rest = words.partition(" ")
    single = first.removesuffix("ies") + "y" if first.endswith("ies") else first.removesuffix("s")
    return single + blank + rest


def subject_of(subject: str) -> str:
    """What a subject says before the device: 'hsm policy 15' of 'hsm policy 15 on hsm-ams-1'."""
    return subject.partition(" on ")[0]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return listed([clipped(_value(part)) for part in value])
    if isinstance(value, dict):
        return clipped(json.dumps(value, ensure_ascii=False), WORDS_EACH)
    text = str(value)
    return moment(datetime.fromisoformat(text)) if STAMP.fullmatch(text) else clipped(text, WORDS_EACH)
