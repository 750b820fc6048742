"""The header of a drafted detector: what the Sigma rule says about itself, under our keys."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from analytics.coverage import ATTACK_VERSION
from analytics.sigma.literal import SPELT

if TYPE_CHECKING:
    from analytics.sigma.rule import Rule

SEVERITIES = {"informational": "info"}
LIVE = frozenset({"high", "critical"})
LONGEST_TEXT, MOST_ITEMS = 2000, 20
REST = "1h"
"""A pause as long as this ends an episode of a rule that counts nothing."""

REACH = 2
"""Spans of a count that an episode rests on: a record makes others count up to one span away, and they join what is
there up to one more.
"""


def header(rule: Rule, identifier: str) -> str:
    """TOML, to stand between /* and */."""
    title = title_of(rule)
    severity = str(rule.about.level or "medium").lower()
    severity = SEVERITIES.get(severity, severity)
    lines = [
        f'id         = "{identifier}"',
        f"title      = {toml(title)}",
        'kind       = "episodes"',
        f'severity   = "{severity}"',
        f'every      = "{"live" if severity in LIVE else "5m"}"',
        f'looks_back = "{_span(rule.count.seconds * REACH) if rule.count else REST}"',
        f"watches    = {toml(rule.source.records)}",
        f"finds = {_block([_text(rule.about.description) or title, _credit(rule)])}",
        f"blind_spots = {_block([_blind_spots(rule)])}",
        f"runbook = {_block(_runbook(rule))}",
        "recommendations = []",
        "frameworks = []",
        f'attack = {{ version = "{ATTACK_VERSION}", techniques = [{", ".join(map(toml, _techniques(rule)))}] }}',
    ]
    if rule.count:
        least = f'least = {{ default = {rule.count.least}, why = "The number of the Sigma rule." }}'
        span = f'seconds = {{ default = {rule.count.seconds}, why = "The time span of the Sigma rule." }}'
        lines += ["", "[parameters]", least, span]
    return "\n".join(lines) + "\n"


def _span(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds < 1_000_000 else f"{seconds // 60 + 1}m"


def title_of(rule: Rule) -> str:
    return _text(rule.about.title)[:256] or "A Sigma rule without a title"


def _credit(rule: Rule) -> str:
    about = rule.about
    said = [("id", about.id), ("by", about.author), ("licence", about.license), ("of", about.modified or about.date)]
    known = ", ".join(f"{word} {_text(value)}" for word, value in said if value)
    return f"Drafted from the Sigma rule “{_text(about.title)}”{f' ({known})' if known else ''}."


def _blind_spots(rule: Rule) -> str:
    alarms = _list(rule.about.falsepositives)
    known = f" The rule names as false alarms: {'; '.join(alarms)}." if alarms else ""
    lines = " It counts lines: an act that two lines tell counts twice." if rule.count else ""
    return (
        f"What the Sigma rule leaves out; nobody has said yet what else it cannot see on these devices.{lines}{known}"
    )


def _runbook(rule: Rule) -> list[str]:
    links = _list(rule.about.references)
    steps = ["Who was it, and from where? Look at `accounts`, `sources` and the lines in evidence."]
    steps += ["Is it one of the false alarms that the rule names? Then close it as expected."]
    steps += [f"Read {', '.join(links)}."] if links else ["Ask the owner of the account."]
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def _list(values: object) -> list[str]:
    given = values if isinstance(values, list) else []
    return [text for text in (_text(value).rstrip(".") for value in given[:MOST_ITEMS]) if text]


def _techniques(rule: Rule) -> list[str]:
    found = [str(tag.name).upper() for tag in rule.about.tags if str(tag.namespace) == "attack"]
    return sorted({name for name in found if re.fullmatch(r"T\d{4}(\.\d{3})?", name)})


def _text(value: object) -> str:
    """One paragraph of bounded length, whatever it was."""
    text = "" if value is None else str(value)
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return re.sub(r"\s+", " ", text).strip()[:LONGEST_TEXT]


def toml(text: str) -> str:
    """A basic string of TOML within a comment of SQL: what cannot be seen is spelt by number, and no comment ends."""
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("*/", "\\u002a/")
    return "".join(f"\\U{ord(char):08x}" if unicodedata.category(char) in SPELT else char for char in text)


def _block(paragraphs: list[str]) -> str:
    """A text of several lines, at most 120 wide."""
    lines = [line for one in paragraphs for line in textwrap.wrap(one, 118, break_on_hyphens=False)]
    return '"""\n' + "\n".join(map(_escaped, lines)) + '"""'
