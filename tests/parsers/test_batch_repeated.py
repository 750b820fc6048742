"""What many lines say is read once; an address at their end is never taken for anything else than by a single line."""

from __future__ import annotations

import re

import pytest

from parsers import batch_repeated, template
from parsers.batch import Parser
from parsers.batch_repeated import STAND_IN, takes_whole_words
from parsers.inventory import Inventory
from parsers.patterns import load

ORIGINS = ["192.0.2.1/5", "192.0.2.200/51832", "0.0.0.0/0"]


@pytest.mark.parametrize("kind", sorted(template.KINDS))
@pytest.mark.parametrize("before", ["", "a", "a : ", '"a" : ', "1 ", "{"])
def test_every_kind_takes_the_stand_in_as_it_takes_an_origin(kind, before):
    """Or the text that is read for many lines would be another pattern's than theirs."""
    form = re.compile(rf"(?s)(?:{template.KINDS[kind]})")
    wanted = form.fullmatch(before + STAND_IN) is not None
    assert [form.fullmatch(before + origin) is not None for origin in ORIGINS] == [wanted] * len(ORIGINS)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Client {client:longest} connected : {origin:peer}[?.?]", True),
        ("Command: {command:longest} : {account:account} :[? {origin:origin}?]", True),
        ("from {origin:peer} at 10.0.0.1", False),
        ("from {source:word}/{port:number}", False),
        ("from {net:word}.{rest:word}", False),
        ("from {net:number}{rest:word}", False),
        ("from {net:number}[? ?]{rest:word}", False),
        ("from {net:number}[?-?]{rest:word}", False),
        ("from {peer:local|192.0.2.1/5}", False),
        ("from {peer:local|remote}", True),
        ("from {peer:local|at 192.0.2.1/5}", False),
        ("[?{a:word}.?] {b:word}", False),
        ("release 7.8 of {name:word}", False),  # a word of that form is enough
    ],
)
def test_a_template_that_looks_into_addresses_is_seen(text, whole):
    """A word in digits and full stops, or two fields side by side, could share an address."""
    assert takes_whole_words(template.read(text)) is whole


def test_built_in_patterns_with_an_origin_take_it_as_a_whole():
    """Else none of their programs' messages would be read once for many lines."""
    groups = [group for group in load().by_program.values() if any(_has_origin(pattern) for pattern in group)]
    assert groups
    assert all(takes_whole_words(pattern.nodes) for group in groups for pattern in group)


def _has_origin(pattern):
    return any(entry.name == "origin" for entry in pattern.fields)


SITE = """
family = "ntls"
version = "1"
programs = ["NTLS"]
begins = "[?{level:level} : {code:code} : ?]"
[[pattern]]
name = "from_the_bastion"
template = "Incoming connection request... : 192.0.2.9/{port:number}"
operation = "other"
[[pattern.example]]
message = "info : 0 : Incoming connection request... : 192.0.2.9/7"
fields = { operation = "other" }
"""


@pytest.mark.parametrize("own", [False, True])
def test_many_lines_read_once_are_as_each_by_itself(as_batch, tmp_path, own):
    """A site's pattern that knows one address keeps its lines."""
    (tmp_path / "own.toml").write_text(SITE)
    parser = Parser(load([tmp_path] if own else []), Inventory())
    frame = as_batch(
        f"<13>Nov 23 08:15:01 luna {program}[7]: {said}"
        for number in range(200)
        for program, said in (
            ("NTLS", f"info : 0 : Incoming connection request... : 192.0.2.{number % 11}/{number}"),
            ("NTLS", f"info : 0 : Incoming connection request... : 192.0.2.1/{number * 400}"),
            ("NTLS", f'info : 0 : NTLS Client "app-{number % 3}" connected and authenticated : 192.0.2.1/{number}'),
            ("NTLS", "info : 0 : Starting up NTLS..."),
            ("NTLS", f"error : 0 : Error message from SSLAccept is : 192.0.2.7/{number % 2}"),
            ("lunash", f"info : 0 : Command: user add -u u{number % 2} : admin : 192.0.2.3/{number}"),
            ("lunash", f"info : 0 : Command: hsm login -password x{number % 2} : admin : 192.0.2.3/{number}"),
            ("sshd", "pam_unix(sshd[7]:session): session closed for user admin"),
        )
    )
    parsed = parser.at_once(frame)
    assert ("ntls.from_the_bastion" in parsed["pattern"]) is own
    assert parsed.equals(parser.one_by_one(frame), null_equal=True)


def test_lines_that_say_the_same_are_read_once(as_batch, monkeypatch):
    """Not as slowness alone would it show if they were not: what is repeated never reaches the patterns one by one."""
    seen = []
    spread = batch_repeated.Repeated.spread
    monkeypatch.setattr(
        batch_repeated.Repeated, "spread", lambda self, frames: seen.append(self.texts.height) or spread(self, frames)
    )
    lines = [f"<13>Nov 23 08:15:01 luna NTLS[7]: Incoming connection request... : 192.0.2.1/{n}" for n in range(300)]
    parsed = Parser(load(), Inventory()).parse(as_batch(lines))
    assert seen == [1]
    assert parsed["source_port"].to_list() == list(range(300))
