"""Headers in all the forms that reach a receiver."""

from __future__ import annotations

import json

import pytest

from parsers import header
from parsers.header_grammar import read_header

ENGINES = pytest.mark.parametrize("read", [header.parse, read_header], ids=["expressions", "pyparsing"])
STAMP = "Oct 11 22:14:15"


@ENGINES
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        # RFC 3164
        (f"<34>{STAMP} box su: 'su root' failed", {"host": "box", "program": "su", "message": "'su root' failed"}),
        (f"<34>{STAMP} box sshd[12]: hello", {"program": "sshd", "process_id": "12", "message": "hello"}),
        (f"<34>{STAMP} box lunash [1234]: hello", {"program": "lunash", "process_id": "1234", "message": "hello"}),
        (f"<34>{STAMP} box lunash[1234] hello", {"program": "lunash", "process_id": "1234", "message": "hello"}),
        (f"<34>{STAMP} box su 'su root' failed", {"program": "su", "message": "'su root' failed"}),
        (f"<34>{STAMP} su: no host", {"host": "", "program": "su", "message": "no host"}),
        (f"<34>{STAMP} lunash [1234]: no host", {"host": "", "program": "lunash", "message": "no host"}),
        (f"<34>{STAMP} fe80::1 sshd[1]: x", {"host": "fe80::1", "program": "sshd", "message": "x"}),
        (f"<34>{STAMP} box  -- MARK --", {"host": "box", "program": "", "message": " -- MARK --"}),
        (f"<34>{STAMP} box", {"host": "box", "program": "", "message": ""}),
        (f"<34>{STAMP}", {"host": "", "message": "", "stamp": STAMP}),
        (f"<34>{STAMP} box su:   two blanks stay", {"message": "  two blanks stay"}),
        (f"<34>{STAMP} box su: \ufeffmarked", {"message": "marked"}),
        ("<34>Oct  1 22:14:15 box su: x", {"stamp": "Oct  1 22:14:15"}),
        ("<34>Oct 11 2026 22:14:15 box su: x", {"stamp": "Oct 11 2026 22:14:15", "host": "box", "program": "su"}),
        ("<34>Oct 11 22:14:15.123 box su: x", {"stamp": "Oct 11 22:14:15.123", "host": "box"}),
        # rsyslog's forward form
        (
            "<174>2026-11-16T00:00:00.123456+00:00 hsm-2 lunash [1234]: x",
            {"stamp": "2026-11-16T00:00:00.123456+00:00", "host": "hsm-2", "program": "lunash", "message": "x"},
        ),
        # the appliance's own form
        (
            "2012 Feb 29 12:05:01 myLuna  local5 info  lunash [1234]: x",
            {"facility": 21, "severity": 6, "host": "myLuna", "program": "lunash", "process_id": "1234"},
        ),
        (
            "<6>2017 Apr 17 11:00:45 local_host kern info kernel: k7pf0: x",
            {"facility": 0, "severity": 6, "program": "kernel", "message": "k7pf0: x", "trouble": ()},
        ),
        (
            "<165>2012 Feb 29 12:05:01 myLuna local4 info ipmievd: x",
            {"facility": 20, "severity": 5, "trouble": ("PRI and words differ: local4 info",)},
        ),
        # RFC 5424
        (
            "<34>1 2026-11-23T08:15:01.003Z box app 12 ID47 - \ufeffhello",
            {"host": "box", "program": "app", "process_id": "12", "message_id": "ID47", "message": "hello"},
        ),
        ("<34>1 - - - - - -", {"facility": 4, "host": "", "program": "", "process_id": None, "message": ""}),
        ("<34>1 - - - - - - ", {"message": ""}),
        ("<34>1 - box app - - [x", {"message": "[x", "trouble": ("malformed structured data",)}),
        (
            "<34>2 2026-11-23T08:15:01Z box app - - - x",
            {"host": "", "message": "2 2026-11-23T08:15:01Z box app - - - x"},
        ),
        # none
        ("NTLS[8508]: x", {"facility": None, "program": "NTLS", "process_id": "8508", "message": "x"}),
        ("hello: world", {"program": "", "message": "hello: world"}),
        ("<13>hello: world", {"facility": 1, "program": "hello", "message": "world"}),
        ("5,12/12/17 16:14:14,S/N 1", {"program": "", "message": "5,12/12/17 16:14:14,S/N 1"}),
        ("<34>", {"facility": 4, "message": ""}),
        ("", {"facility": None, "message": ""}),
        # no PRI at all
        (f"<192>{STAMP} box su: x", {"facility": None, "host": "", "message": f"<192>{STAMP} box su: x"}),
        ("<1x>hello", {"facility": None, "message": "<1x>hello", "trouble": ("malformed PRI",)}),
        ("<034>hello", {"facility": None, "message": "<034>hello"}),
    ],
)
def test_header_forms(read, line, wanted):
    """Each form gives its parts, and what is no header stays in the message."""
    head = read(line)
    assert {name: getattr(head, name) for name in wanted} == wanted


@ENGINES
@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ('[ex@1 a="1" b="2"]', {"ex@1": {"a": "1", "b": "2"}}),
        ('[one][two x="]"]', {"one": {}, "two": {"x": "]"}}),
        (r'[e a="q\"b\\s\]d\n"]', {"e": {"a": r'q"b\s]d\n'}}),
        ('[e a="1" a="2" a="3"]', {"e": {"a": ["1", "2", "3"]}}),
    ],
)
def test_structured_data(read, data, wanted):
    """Elements by id, escapes removed, a repeated name is a list, an element without parameters is empty."""
    head = read(f"<34>1 - box app - - {data} text")
    assert json.loads(head.structured_data) == wanted
    assert head.message == "text"


def test_known_program_is_a_tag_without_anything_else():
    """A pasted line needs no header when its program is one of the appliance's."""
    assert header.parse("kernel: k7pf0: x", frozenset({"kernel"})).program == "kernel"
    assert header.parse("kernal: k7pf0: x", frozenset({"kernel"})).program == ""
