"""Templates and pattern files: what is read, what is refused, and where it says the mistake is."""

from __future__ import annotations

import pytest

from parsers import template, template_checks
from parsers.batch import Parser
from parsers.grammar import captures
from parsers.inventory import Inventory
from parsers.patterns import PatternError, load

GOOD = """
family = "ntls"
version = "site-1"
programs = ["NTLS"]

[[pattern]]
name = "renewed"
template = "Session renewed : {origin:peer}"
operation = "session_open"

[[pattern.example]]
message = "Session renewed : 192.0.2.7/4711"
fields = { source = "192.0.2.7", source_port = 4711 }
"""


def test_site_patterns_come_first(tmp_path, as_batch):
    """A site's pattern reads its new line, and the version says so."""
    (tmp_path / "ntls.toml").write_text(GOOD)
    patterns = load([tmp_path])
    assert patterns.check() == []
    assert patterns.version != load().version
    row = Parser(patterns, Inventory()).parse(
        as_batch(["<174>Nov 23 08:15:01 h NTLS[1]: Session renewed : 192.0.2.7/4711"])
    )
    assert row.select("pattern", "pattern_version", "source_port").row(0) == ("ntls.renewed", "site-1", 4711)


def test_site_pattern_replaces_the_built_in_one(tmp_path, as_batch):
    """A pattern of the same name stands in the place of the built-in one."""
    (tmp_path / "ntls.toml").write_text(
        GOOD.replace("renewed", "starting").replace("Session starting", "Session renewed")
    )
    patterns = load([tmp_path])
    parsed = Parser(patterns, Inventory()).parse(as_batch(["<174>Nov 23 08:15:01 h NTLS[1]: Starting up NTLS..."]))
    assert parsed["status"].to_list() == ["partial"]


def test_a_name_that_stands_twice(tmp_path):
    """The second pattern would be dropped in silence."""
    (tmp_path / "ntls.toml").write_text(GOOD + GOOD[GOOD.index("[[pattern]]") :])
    with pytest.raises(PatternError, match=r"ntls\.toml:7: renewed: another pattern of this file has the same name"):
        load([tmp_path])


def test_a_file_that_begins_with_a_mark(tmp_path):
    """As editors on Windows write it."""
    (tmp_path / "ntls.toml").write_text(GOOD, encoding="utf-8-sig")
    assert load([tmp_path]).check() == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('family = "ntls"\n', "", "ntls.toml:1: missing: family"),
        ('family = "ntls"', 'family = "nlts"', "no such family: nlts"),
        ('programs = ["NTLS"]', 'programs = "NTLS"', "programs wants a list, not 'NTLS'"),
        ('programs = ["NTLS"]', 'programs = ["NTLS", 7]', "programs wants the names of programs, not ['NTLS', 7]"),
        ('programs = ["NTLS"]', "programs = []", "ntls.toml:1: programs wants the names of programs, not []"),
        ("[[pattern]]", "[[patern]]", "no such key: patern"),
        ('family = "ntls"', "family = ", "ntls.toml:2: "),
        ('operation = "session_open"', "", "renewed: says neither operation nor lookup"),
        ('operation = "session_open"', 'operation = "sesion"', "ntls.toml:7: renewed: no such operation: sesion"),
        ('operation = "session_open"', 'lookup = "comand"', "no such lookup: comand"),
        ('operation = "session_open"', 'operation = "login"\noutcome = "good"', "outcome is ok, failed or nothing"),
        ('operation = "session_open"', 'operation = "login"\nstrike = "yes"', "strike wants a bool, not 'yes'"),
        ('operation = "session_open"', 'operation = "login"\nsort = 1', "no such key: sort"),
        ("{origin:peer}", "{origin:per}", "no such kind: per"),
        ("{origin:peer}", "{origin:peer", "a brace that is neither a field nor doubled"),
        ("{origin:peer}", "[?{origin:peer}", "a part that begins with [? has no ?]"),
        ("{origin:peer}", "{origin:peer}?]", "?] closes nothing"),
        ("{origin:peer}", "{a:word}{b:word}", "{a} and {b} touch"),
        ("{origin:peer}", "{a:word}, {b:word}", "{a:word} can swallow the ',' that follows it"),
        ("{origin:peer}", "{a:origin}/5", "{a:origin} can swallow the '/' that follows it"),
        ("{origin:peer}", "{a:decimal}.5", "{a:decimal} can swallow the '.' that follows it"),
        ("{origin:peer}", "{source_port:number} {origin:origin}", "{source_port} has its value already"),
        ("{origin:peer}", "{a:word} {a:word}", "{a} stands twice"),
        (" : {origin:peer}", " [? x?]", "blanks follow blanks"),
        ("{origin:peer}", "{raw}", "{raw} is a column that no field can fill"),
        ("{origin:peer}", "{session:word}", "{session} is a number"),
        ("{origin:peer}", "{command:text}", '{command} wants lookup = "command"'),
        ("{origin:peer}", '{client:word}"\nclient = "x', "{client} has its value already"),
        ("source_port = 4711", "sauce = 1", "an example names no such column: sauce"),
        ('message = "Session', 'mesage = "Session', "an example is a table with message and fields"),
        ("[[pattern.example]]", "[pattern.example]", "example wants a list"),
        ('name = "renewed"\n', "", "ntls.toml:6: missing: name"),
        (
            'operation = "session_open"',
            'operation = "other"\ndetails = { since = 2026-01-01 }',
            "details wants texts, numbers",
        ),
    ],
)
def test_mistakes_have_their_place(tmp_path, old, new, mistake):
    """A broken file stops nothing else: it is named with its line, the pattern and what is wrong."""
    assert old in GOOD
    (tmp_path / "ntls.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(PatternError) as refused:
        load([tmp_path])
    assert mistake in str(refused.value)


def test_all_mistakes_at_once(tmp_path):
    """Two broken files are two mistakes in one message."""
    (tmp_path / "a.toml").write_text("family = 1")
    (tmp_path / "b.toml").write_text(
        GOOD.replace("[[pattern]]", 'pattern = ["x"]\n[other]').replace("[[pattern.example]]", "[e]")
    )
    with pytest.raises(PatternError) as refused:
        load([tmp_path])
    assert {mistake.file.rpartition("/")[2] for mistake in refused.value.mistakes} == {"a.toml", "b.toml"}


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("source_port = 4711", "source_port = 1", "source_port is 4711, not 1,"),
        ('message = "Session renewed', 'message = "Session revoked', "it is read by no pattern"),
    ],
)
def test_examples_are_proven(tmp_path, old, new, wrong):
    """An example that does not give what it promises is a sentence of `check`."""
    (tmp_path / "ntls.toml").write_text(GOOD.replace(old, new))
    (found,) = load([tmp_path]).check()
    assert wrong in found
    assert "ntls.toml:7: ntls.renewed: " in found


@pytest.mark.parametrize(
    ("text", "message", "wanted"),
    [
        ("a {x:word} b", "a 1 b", ("1",)),
        ("a {x:word} b", "  a   1   b ", ("1",)),
        ("a[? {x:word}?]", "a", (None,)),
        ("{x:text}, {y:plain}", "p, q, 3", ("p, q", "3")),
        ("{x:longest} from {y:word}", "me from you from here", ("me from you", "here")),
        ("{x:text} from {y:text}", "me from you from here", ("me", "you from here")),
        ("{{{x:plain}}}", "{5}", ("5",)),
        ("{x:Start|Started} now", "Started now", ("Started",)),
        ("a {x:word} b", "a b", None),
    ],
)
def test_templates_in_both_engines(tmp_path, text, message, wanted):
    """A template means the same as a regular expression and as a grammar."""
    nodes = template.read(text)
    assert template_checks.mistakes(nodes) == []
    (tmp_path / "x.toml").write_text(
        f"family = 'other'\nversion = '1'\nprograms = ['x']\n[[pattern]]\nname = 'x'\ntemplate = '{text}'\n"
        "operation = 'other'\n[[pattern.example]]\nmessage = 'x'"
    )
    pattern = load([tmp_path]).all[0]
    assert pattern.captures(message) == wanted
    assert captures(pattern, message) == wanted
