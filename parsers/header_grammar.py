"""The syslog header in pyparsing: the readable reference of header.py, top to bottom as it stands on the wire."""

from __future__ import annotations

from typing import Any

import pyparsing as pp

from parsers import header
from parsers.clock import ISO, YEAR_FIRST, YEARLESS
from parsers.grammar import any_blanks, blanks, either, exact, matching, sequence, text

end = matching(header.END)
rest_of_text = matching(r".*")("rest")
blank = text(" ")
part = matching(r"[^ ]+")

pri = sequence(text("<"), matching(r"0|[1-9][0-9]{0,2}")("pri"), text(">"), rest_of_text).parse_with_tabs()

parameter = sequence(blank, matching(r'[^ =\]"]+'), text('="'), matching(r'(?:[^"\\]|\\.)*'), text('"'))
element = sequence(
    text("["),
    matching(r'[^ =\]"]+')("id"),
    exact(pp.Group(exact(pp.ZeroOrMore(exact(pp.Group(parameter))))))("parameters"),
    matching(" ?").suppress(),
    text("]"),
)
data = sequence(exact(pp.OneOrMore(exact(pp.Group(element))))("elements"), end, rest_of_text).parse_with_tabs()

rfc5424 = sequence(
    *(text("1"), blank, matching(rf"{ISO}|-")("stamp"), blank, part("host"), blank, part("program"), blank),
    *(part("process_id"), blank, part("message_id"), blank, rest_of_text),
).parse_with_tabs()

name = matching(header.NAME)("program")
process_id = either(
    sequence(text("["), matching(r"[^\[\] ]{1,64}")("process_id"), text("]")),
    sequence(blanks, text("["), matching(r"[0-9]{1,10}")("process_id"), text("]")),
)
tag = sequence(name, either(sequence(process_id, matching(":?").suppress()), text(":")))
tag_first = sequence(any_blanks, tag, end, rest_of_text).parse_with_tabs()
facility_word = matching("|".join(sorted(header.FACILITIES, key=len, reverse=True)))("facility_word")
severity_word = matching("|".join(sorted(header.SEVERITIES, key=len, reverse=True)))("severity_word")
words = sequence(blanks, facility_word, blanks, severity_word, end)
later_tag = sequence(blanks, either(tag, sequence(matching(header.BARE_NAME)("program"), end)))
stamp = matching(rf"(?:{ISO}|{YEARLESS}|{YEAR_FIRST}){header.END}")("stamp")
stamped = sequence(matching(" ?").suppress(), stamp, rest_of_text).parse_with_tabs()
host_and_tag = sequence(
    *(blanks, part("host"), exact(pp.Opt(words)), exact(pp.Opt(later_tag)), rest_of_text)
).parse_with_tabs()


def parsed(grammar: pp.ParserElement, line: str) -> dict[str, Any] | None:
    """What a grammar finds by name; None when it does not fit."""
    try:
        return dict(grammar.parse_string(line).as_dict())
    except pp.ParseException:
        return None


def read_header(line: str, programs: frozenset[str] = frozenset()) -> header.Header:
    """The header of one line, as header.parse gives it."""
    if not line.startswith("<"):
        return _after_pri(line, header.NO_PRI, programs)
    found = parsed(pri, line)
    if found is None or int(found["pri"]) > 191:
        return header.Header(message=line, trouble=("malformed PRI",))
    return _after_pri(found["rest"], divmod(int(found["pri"]), 8), programs)


def _after_pri(line: str, known: header.Pri, programs: frozenset[str]) -> header.Header:
    if found := parsed(rfc5424, line):
        return _new_form(found, known)
    if found := parsed(stamped, line):
        return _old_form(found, known)
    found = parsed(tag_first, line)
    if found and (known != header.NO_PRI or "process_id" in found or found["program"].lower() in programs):
        return _header(found, known)
    return header.Header(header.text_without_mark(line), *known)


def _header(found: dict[str, Any], known: header.Pri, written: str = "") -> header.Header:
    host, program, pid = found.get("host", ""), found.get("program", ""), found.get("process_id")
    return header.Header(header.text_after_tag(found["rest"]), *known, written, host, program, pid)


def _old_form(found: dict[str, Any], known: header.Pri) -> header.Header:
    line = found["rest"]
    tagged = parsed(tag_first, line) or parsed(host_and_tag, line)
    if tagged is None:
        return header.Header(header.text_after_tag(line), *known, found["stamp"])
    head = _header(tagged, known, found["stamp"])
    if "facility_word" in tagged:
        return header.with_words(head, tagged["facility_word"], tagged["severity_word"])
    return head


def _new_form(found: dict[str, Any], known: header.Pri) -> header.Header:
    said = {name: None if value == "-" else value for name, value in found.items()}
    structured, message, trouble = _data(found["rest"])
    return header.Header(
        header.text_after_tag(message),
        *known,
        said["stamp"] or "",
        said["host"] or "",
        said["program"] or "",
        said["process_id"],
        said["message_id"],
        structured,
        trouble,
    )


def _data(line: str) -> tuple[str | None, str, tuple[str, ...]]:
    """Structured data as JSON text, what follows it, and what is wrong with it."""
    if line == "-" or line.startswith("- "):
        return None, line[1:], ()
    found = parsed(data, line)
    if found is None:
        return None, line, ("malformed structured data",)
    elements = [(entry["id"], [(pair[0], pair[1]) for pair in entry["parameters"]]) for entry in found["elements"]]
    return header.data_json(elements), found["rest"], ()
