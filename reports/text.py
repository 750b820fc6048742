"""Words, numbers and hostile text of a pack. With charts.py the only place that makes markup."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING
from unicodedata import category

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

LONGEST = 2000
"""Characters of one text that a pack shows; the store has it all."""

KEPT = 20
"""Characters of a name that is kept on one line."""

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
FIGURE = re.compile("[a-z_]+")
THIN = "\u202f"
MINUS = "\u2212"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ROLES = {
    "so": "Security Officer",
    "po": "Partition SO",
    "co": "Crypto Officer",
    "lco": "Limited Crypto Officer",
    "cu": "Crypto User",
    "au": "Auditor",
    "admin": "Administrator",
}


def hidden(character: str) -> bool:
    """True for what a reader could not see, or what would reorder the rest of the line."""
    return category(character) in HIDDEN or bool(INVISIBLE.match(character))


def spelt(text: str) -> str:
    r"""The text with every hidden character written as \u202e; for places that take no markup."""
    return "".join(_escape(c) if hidden(c) else c for c in text)


def visible(text: str, length: int | None = None) -> Markup:
    """Hostile log text as inert, readable HTML: what would be invisible or reorder the line is spelt out.

    Cut at LONGEST; `length` is how long the text was where it has been cut before.
    """
    shown = Markup("").join(
        Markup('<span class="shown">{}</span>').format(_escape(c)) if hidden(c) else escape(c) for c in text[:LONGEST]
    )
    more = (len(text) if length is None else length) - LONGEST
    return shown + Markup(' <span class="more">… {} more</span>').format(number(more)) if more > 0 else shown


def own_style(sheet: str) -> Markup:
    """The pack's style sheet: ours, no data, and taken as it is so that its hash holds."""
    return Markup(sheet)  # noqa: S704


def runbook(step: str) -> Markup:
    """A step of a runbook: `tries_left` names a figure of the finding, any other words in backticks are a command."""
    parts = step.split("`")
    shown = [
        Markup("<em>{}</em>").format(visible(part.replace("_", " ")))
        if FIGURE.fullmatch(part)
        else Markup("<code>{}</code>").format(visible(part))
        for part in parts[1::2]
    ]
    return Markup("").join(piece for pair in zip_longest(map(visible, parts[::2]), shown) for piece in pair if piece)


def kept(text: str) -> Markup:
    """A short word that a narrow column shall not break, such as a name or an address; long ones are like any text."""
    return Markup('<span class="kept">{}</span>').format(visible(text)) if len(text) <= KEPT else visible(text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: float) -> str:
    """Thin spaces between thousands; at most one decimal, and none where it says nothing."""
    text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
    return text.removesuffix(".0").replace(",", THIN)


def percent(part: int, whole: int) -> str:
    """A share in words that never rounds something to nothing: '0 %' is none at all, '100 %' is all."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    if part < whole and share > 99.9:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.1 else f"{share:.1f}".removesuffix(".0") + " %"


def word(value: int) -> str:
    """'no', 'one', 'twelve', '13'."""
    return NUMBERS[value] if value < len(NUMBERS) else number(value)


def counted(value: int, thing: str, things: str = "") -> str:
    """'no findings', 'one finding', 'three findings', '13 findings'."""
    return f"{word(value)} {thing if value == 1 else things or thing + 's'}"


def was(value: int) -> str:
    """The verb that goes with a number."""
    return "was" if value == 1 else "were"


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def role_name(role: str) -> str:
    return ROLES.get(role, role) or "role not named"


def moment(when: datetime) -> str:
    """'Thu 19 Nov 23:12 UTC'."""
    return f"{WEEKDAYS[when.weekday()]} {day(when)} {when:%H:%M} UTC"


def span(first: datetime, last: datetime) -> str:
    """'Thu 19 Nov 23:12 UTC', 'Thu 19 Nov 23:12 to 23:20 UTC', or from one day to another."""
    if first.date() != last.date():
        return f"{moment(first).removesuffix(' UTC')} to {moment(last)}"
    return moment(first) if f"{first:%H%M}" == f"{last:%H%M}" else f"{moment(first)[:-4]} to {last:%H:%M} UTC"


def clipped(text: str, most: int = 60) -> str:
    """A name that somebody made as long as he liked, short enough for a row or a sentence."""
    return text if len(text) <= most else f"{text[:most]}… ({number(len(text))} characters)"


def minute(when: datetime) -> str:
    """'19 Nov 23:12', where a column's head says UTC."""
    return f"{day(when)} {when:%H:%M}"


def second(when: datetime) -> str:
    """'19 Nov 2026 23:12:07', for evidence."""
    return f"{day(when)} {when:%Y %H:%M:%S}"


def day(when: date) -> str:
    return f"{when.day} {MONTHS[when.month - 1]}"


def iso(when: datetime) -> str:
    """For the datetime attribute and for JSON."""
    return when.isoformat(timespec="microseconds") + "Z"


def duration(seconds: float) -> str:
    """'35 s', '12 min', '2 h 5 min', '3 d 4 h': the two largest units that say something."""
    if seconds < 0:
        return f"{MINUS}{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    rest = timedelta(seconds=round(seconds))
    units = (
        (rest.days, "d"),
        (rest.seconds // 3600, "h"),
        (rest.seconds // 60 % 60, "min"),
        (rest.seconds % 60, "s"),
    )
    first = next(place for place, (value, _) in enumerate(units) if value)
    return " ".join(f"{number(value)} {unit}" for value, unit in units[first : first + 2] if value)


def spoken(seconds: float) -> str:
    """A duration as a sentence says it: 'two hours', '35 minutes', 'three days'."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return counted(round(seconds / size), unit)
    return counted(round(seconds), "second")


def line_number(record_id: int) -> str:
    """'1:4711': receiver and running number, as a record id keeps them."""
    return f"{record_id >> 48}:{record_id & 0xFFFFFFFFFFFF}"


def short(digest: str) -> str:
    return digest[:12]
