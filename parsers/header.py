"""Syslog headers: the four forms that reach a receiver, and lines with none.

    <PRI>1 2026-11-23T08:15:01.123456Z host app pid msgid [sd] text     RFC 5424
    <PRI>Nov 23 08:15:01 host tag[pid]: text                           RFC 3164, with its oddities
    <PRI>2026-11-23T08:15:01.123456+00:00 host tag[pid]: text           rsyslog's forward form
    2026 Nov 23 08:15:01 host  local5 info  lunash [1234]: text         the appliance's own files, with a PRI or without

What a head says never depends on what follows the blank after its tag: batch.py rests on that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from parsers.clock import ISO, YEAR_FIRST, YEARLESS

FACILITIES = dict(
    zip(
        [
            *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
            *(f"local{number}" for number in range(8)),
        ],
        [*range(12), *range(16, 24)],
        strict=True,
    )
)
SEVERITIES = {
    word: number
    for number, words in enumerate(
        ("emerg panic", "alert", "crit critical", "err error", "warning warn", "notice", "info", "debug")
    )
    for word in words.split()
}
Pri = tuple[int | None, int | None]
"""Facility and severity."""

NO_PRI: Pri = (None, None)
BYTE_ORDER_MARK = "\ufeff"

PRI = r"<(0|[1-9][0-9]{0,2})>"
NAME = r"[A-Za-z_/(][^ :\[\]^,]*"
BARE_NAME = r"[A-Za-z_/][A-Za-z0-9_./-]*"
PID = r"(?:\[([^\[\] ]{1,64})\]| +\[([0-9]{1,10})\])"
END = r"(?= |\Z)"
WORDS = rf"({'|'.join(FACILITIES)}) +({'|'.join(sorted(SEVERITIES, key=len, reverse=True))}){END}"
PARAMETER = r'([^ =\]"]+)="((?:[^"\\]|\\.)*)"'
ELEMENT = rf'\[([^ =\]"]+)((?: {PARAMETER})*) ?\]'

_PRI = re.compile(PRI)
_RFC5424 = re.compile(rf"1 ({ISO}|-) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ")
_NO_DATA = re.compile(rf"-{END}")
_ELEMENT = re.compile(ELEMENT, re.DOTALL)
_PARAMETER = re.compile(PARAMETER, re.DOTALL)
_STAMP = re.compile(rf" ?({ISO}|{YEARLESS}|{YEAR_FIRST}){END}")
_TAG_FIRST = re.compile(rf"(?: *)({NAME})(?:{PID}:?|:){END}")
_HOST = re.compile(rf" +([^ ]+)(?: +{WORDS})?")
_TAG = re.compile(rf" +({NAME})(?:{PID}:?|:)")
_BARE_TAG = re.compile(rf" +({BARE_NAME}){END}")
_ESCAPE = re.compile(r'\\(["\\\]])')


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the message; `stamp` as it was written, '' when there is none."""

    message: str
    facility: int | None = None
    severity: int | None = None
    stamp: str = ""
    host: str = ""
    program: str = ""
    process_id: str | None = None
    message_id: str | None = None
    structured_data: str | None = None
    trouble: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is a header at all."""
        return bool(self.stamp or self.program or self.facility is not None)


def parse(text: str, programs: frozenset[str] = frozenset()) -> Header:
    """The header of one line; never raises. `programs` (lower case) count as a tag even where nothing else does."""
    if not text.startswith("<"):
        return _after_pri(text, NO_PRI, programs)
    found = _PRI.match(text)
    if found is None or int(found[1]) > 191:
        return Header(message=text, trouble=("malformed PRI",))
    return _after_pri(text[found.end() :], divmod(int(found[1]), 8), programs)


def _after_pri(text: str, pri: Pri, programs: frozenset[str]) -> Header:
    if found := _RFC5424.match(text):
        return _rfc5424(found, text[found.end() :], pri)
    if found := _STAMP.match(text):
        return _stamped(found[1], text[found.end() :], pri)
    return _without_stamp(text, pri, programs)


def _rfc5424(found: re.Match[str], rest: str, pri: Pri) -> Header:
    stamp, host, program, process_id, message_id = (None if part == "-" else part for part in found.groups())
    data, length, trouble = read_data(rest)
    return Header(
        text_after_tag(rest[length:]),
        *pri,
        stamp or "",
        host or "",
        program or "",
        process_id,
        message_id,
        data,
        trouble,
    )


def read_data(text: str) -> tuple[str | None, int, tuple[str, ...]]:
    """Structured data as JSON text, how many characters it takes, and what is wrong with it."""
    if _NO_DATA.match(text):
        return None, 1, ()
    elements: list[tuple[str, list[tuple[str, str]]]] = []
    place = 0
    while found := _ELEMENT.match(text, place):
        parameters = [(name, value) for name, value in _PARAMETER.findall(found[2])]
        elements.append((found[1], parameters))
        place = found.end()
    if not elements or (place < len(text) and text[place] != " "):
        return None, 0, ("malformed structured data",)
    return data_json(elements), place, ()


def data_json(elements: list[tuple[str, list[tuple[str, str]]]]) -> str:
    """`{"id": {"name": "value"}}`; a name (or an element) that comes again makes a list of its values."""
    data: dict[str, dict[str, str | list[str]]] = {}
    for name, parameters in elements:
        element = data.setdefault(name, {})
        for key, escaped in parameters:
            value = _ESCAPE.sub(r"\1", escaped)
            before = element.get(key)
            if before is None:
                element[key] = value
            else:
                element[key] = [*before, value] if isinstance(before, list) else [before, value]
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _stamped(stamp: str, rest: str, pri: Pri) -> Header:
    found = _TAG_FIRST.match(rest)
    if found:
        return _tagged(found, rest, pri, stamp)
    found = _HOST.match(rest)
    if found is None:
        return Header(text_after_tag(rest), *pri, stamp)
    host, facility_word, severity_word = found.groups()
    tag = _TAG.match(rest, found.end()) or _BARE_TAG.match(rest, found.end())
    if tag:
        header = _tagged(tag, rest, pri, stamp, host)
    else:
        header = Header(text_after_tag(rest[found.end() :]), *pri, stamp, host)
    return with_words(header, facility_word, severity_word) if facility_word else header


def with_words(header: Header, facility_word: str, severity_word: str) -> Header:
    """Facility and severity as words: they count where there is no PRI, and are compared where there is one."""
    facility, severity = FACILITIES[facility_word], SEVERITIES[severity_word]
    if header.facility is None:
        return replace(header, facility=facility, severity=severity)
    if (header.facility, header.severity) == (facility, severity):
        return header
    said = f"PRI and words differ: {facility_word} {severity_word}"
    return replace(header, trouble=(*header.trouble, said))


def _tagged(tag: re.Match[str], text: str, pri: Pri, stamp: str = "", host: str = "") -> Header:
    """A header with the tag that was found in the text."""
    program, *pids = tag.groups()
    process_id = next((pid for pid in pids if pid), None)
    return Header(text_after_tag(text[tag.end() :]), *pri, stamp, host, program, process_id)


def _without_stamp(text: str, pri: Pri, programs: frozenset[str]) -> Header:
    found = _TAG_FIRST.match(text)
    certain = found and (pri != NO_PRI or found[2] or found[3] or found[1].lower() in programs)
    return _tagged(found, text, pri) if found and certain else Header(text_without_mark(text), *pri)


def text_after_tag(text: str) -> str:
    """One blank after the tag and a byte-order mark before the text are no message."""
    return text_without_mark(text.removeprefix(" "))


def text_without_mark(text: str) -> str:
    return text.removeprefix(BYTE_ORDER_MARK)
