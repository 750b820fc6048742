"""The grammar in pyparsing: the readable reference of everything that the faster engines do.

Templates are translated node by node; a header reads top to bottom as it stands on the wire. It is slow (thousands of
lines a second, not hundreds of thousands), so it serves to prove the others and to explain what went wrong.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import pyparsing as pp

from parsers import header, record, template
from parsers.clock import ISO, YEAR_FIRST, YEARLESS

if TYPE_CHECKING:
    from parsers.patterns import Pattern

Element = TypeVar("Element", bound=pp.ParserElement)


def exact(element: Element) -> Element:
    """Blanks are part of the text here: nothing is skipped."""
    element.leave_whitespace(recursive=False)
    return element


def matching(expression: str) -> pp.Regex:
    return exact(pp.Regex(rf"(?s:{expression})"))


def text(literal: str) -> pp.ParserElement:
    return exact(pp.Literal(literal)).suppress()


def sequence(*elements: pp.ParserElement) -> pp.ParserElement:
    return exact(pp.And([exact(element) for element in elements]))


def either(*elements: pp.ParserElement) -> pp.ParserElement:
    return exact(pp.MatchFirst([exact(element) for element in elements]))


class Stretch(pp.Token):
    """Free text up to the first place (or the last one) from which the rest of the grammar fits."""

    def __init__(self, start: str, rest: pp.ParserElement, *, longest: bool) -> None:
        super().__init__()
        self.start = matching(start)
        self.rest = rest
        self.longest = longest
        exact(self)

    def _generateDefaultName(self) -> str:  # noqa: N802  (pyparsing's name)
        return "text"

    def parseImpl(self, instring: str, loc: int, do_actions: bool = True) -> tuple[int, list[str]]:  # noqa: FBT001, FBT002, N802, ARG002  (pyparsing's signature)
        if not self.start.can_parse_next(instring, loc):
            raise pp.ParseException(instring, loc, "expected text", self)
        ends = range(loc + 1, len(instring) + 1)
        for end in reversed(ends) if self.longest else ends:
            if self.rest.can_parse_next(instring, end):
                return end, [instring[loc:end]]
        raise pp.ParseException(instring, len(instring), "what must follow the text is missing", self)


blanks = matching(" +").suppress()
any_blanks = matching(" *").suppress()
END_OF_TEXT = exact(pp.StringEnd())
to_the_end = sequence(any_blanks, END_OF_TEXT)


def body(nodes: tuple[template.Node, ...], rest: pp.ParserElement = to_the_end) -> pp.ParserElement:
    """The grammar of a template and of what follows it."""
    for node in reversed(nodes):
        rest = _followed(node, rest)
    return rest


def _followed(node: template.Node, rest: pp.ParserElement) -> pp.ParserElement:
    match node:
        case template.Blanks():
            return sequence(blanks, rest)
        case template.Literal(literal):
            return sequence(text(literal), rest)
        case template.Optional(nodes):
            return either(body(nodes, rest), rest)
        case template.Field(name, kind) if kind in template.STRETCHES:
            start = "[^ ,]" if kind == "tail" else "[^ ]"
            return sequence(Stretch(start, rest, longest=kind == "longest")(name), rest)
        case template.Field(name):
            return sequence(matching(node.expression)(name), rest)


@lru_cache(maxsize=1024)
def _grammar(nodes: tuple[template.Node, ...]) -> pp.ParserElement:
    return sequence(any_blanks, body(nodes)).parse_with_tabs()


def captures(pattern: Pattern, message: str) -> tuple[str | None, ...] | None:
    """The text of each field in order (None for one in a missing part), or None when the message is another's."""
    try:
        found = _grammar(pattern.nodes).parse_string(message)
    except pp.ParseException:
        return None
    return tuple(found.get(entry.name) for entry in pattern.fields)


def explain(pattern: Pattern, message: str) -> tuple[int, str]:
    """How far a pattern came in a message that it does not know: the column, and what was wanted there."""
    try:
        _grammar(pattern.nodes).parse_string(message)
    except pp.ParseException as error:
        return error.column, str(error.msg).lower()
    return len(message) + 1, ""


# ---------- the end of an audit record: container=20 (using PIN (entry=LUNA_ENTRY_DATA_AREA)) ----------

word = matching(r"[^ ()]+")


def _pieces(deepest: int) -> pp.ParserElement:
    piece: pp.ParserElement = word
    for _ in range(deepest):
        inside = exact(pp.ZeroOrMore(sequence(piece, any_blanks)))
        piece = either(word, sequence(text("("), any_blanks, inside, text(")")))
    return sequence(any_blanks, exact(pp.ZeroOrMore(sequence(piece, any_blanks))), END_OF_TEXT).parse_with_tabs()


tail_pieces = _pieces(record.DEEPEST)


def tail(tail_text: str) -> list[str] | None:
    """The words and pairs, brackets gone; None when the brackets do not match."""
    try:
        return list(tail_pieces.parse_string(tail_text))
    except pp.ParseException:
        return None


# ---------- the syslog header ----------

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


def parsed(grammar: pp.ParserElement, line: str) -> pp.ParseResults | None:
    try:
        return grammar.parse_string(line)
    except pp.ParseException:
        return None


def read_header(line: str, programs: frozenset[str] = frozenset()) -> header.Header:
    """The header of one line, as header.parse gives it."""
    if not line.startswith("<"):
        return _after_pri(line, None, None, programs)
    found = parsed(pri, line)
    if found is None or int(found["pri"]) > 191:
        return header.Header(message=line, trouble=("malformed PRI",))
    facility, severity = divmod(int(found["pri"]), 8)
    return _after_pri(found["rest"], facility, severity, programs)


def _after_pri(line: str, facility: int | None, severity: int | None, programs: frozenset[str]) -> header.Header:
    if found := parsed(rfc5424, line):
        return _new_form(found, facility, severity)
    if found := parsed(stamped, line):
        return _old_form(found, facility, severity)
    found = parsed(tag_first, line)
    if found and (facility is not None or "process_id" in found or found["program"].lower() in programs):
        return _header(found, facility, severity)
    return header.Header(header.text_without_mark(line), facility, severity)


def _header(found: pp.ParseResults, facility: int | None, severity: int | None, stamp_text: str = "") -> header.Header:
    return header.Header(
        message=header.text_after_tag(found["rest"]),
        facility=facility,
        severity=severity,
        stamp=stamp_text,
        host=found.get("host", ""),
        program=found.get("program", ""),
        process_id=found.get("process_id"),
    )


def _old_form(found: pp.ParseResults, facility: int | None, severity: int | None) -> header.Header:
    line, stamp_text = found["rest"], found["stamp"]
    tagged = parsed(tag_first, line) or parsed(host_and_tag, line)
    if not tagged:
        return header.Header(header.text_after_tag(line), facility, severity, stamp_text)
    head = _header(tagged, facility, severity, stamp_text)
    if "facility_word" in tagged:
        return header.with_words(head, tagged["facility_word"], tagged["severity_word"])
    return head


def _new_form(found: pp.ParseResults, facility: int | None, severity: int | None) -> header.Header:
    said = {name: None if value == "-" else value for name, value in found.as_dict().items()}
    structured, message, trouble = _data(found["rest"])
    return header.Header(
        message=header.text_after_tag(message),
        facility=facility,
        severity=severity,
        stamp=said["stamp"] or "",
        host=said["host"] or "",
        program=said["program"] or "",
        process_id=said["process_id"],
        message_id=said["message_id"],
        structured_data=structured,
        trouble=trouble,
    )


def _data(line: str) -> tuple[str | None, str, tuple[str, ...]]:
    if line == "-" or line.startswith("- "):
        return None, line[1:], ()
    found = parsed(data, line)
    if found is None:
        return None, line, ("malformed structured data",)
    elements = [(entry["id"], [(pair[0], pair[1]) for pair in entry["parameters"]]) for entry in found["elements"]]
    return header.data_json(elements), found["rest"], ()
