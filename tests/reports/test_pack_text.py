"""Words of a pack: hostile text made visible, numbers, durations, plurals."""

from datetime import datetime
from html import unescape
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import text

MOMENT = datetime(2026, 11, 19, 23, 12, 7)


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_nothing_hidden_is_left(hostile):
    """Visible text holds no control, format, unassigned or separator character, and no markup but our own."""
    shown = str(text.visible(hostile))
    assert not {category(c) for c in shown} & text.HIDDEN
    bare = shown.replace('<span class="shown">', "").replace("</span>", "")
    assert "<" not in bare
    assert '"' not in bare
    assert unescape(bare) == text.spelt(hostile)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\u202e", '<span class="shown">\\u202e</span>'),
        ("\x00", '<span class="shown">\\u0000</span>'),
        ("\x1b[31m", '<span class="shown">\\u001b</span>[31m'),
        ("\U000e0041", '<span class="shown">\\U000e0041</span>'),
        ("\u3164", '<span class="shown">\\u3164</span>'),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("1\u202f204", "1\u202f204"),
    ],
)
def test_visible(hostile, shown):
    """What would be invisible or reorder the line is spelt out; the rest is escaped and stays readable."""
    assert text.visible(hostile) == shown


@pytest.mark.parametrize(
    ("hostile", "length", "more"),
    [("A" * 2000, None, ""), ("A" * 2001, None, "… 1 more"), ("A" * 2000, 100_000, "… 98\u202f000 more"), ("A", 1, "")],
)
def test_long_text_is_cut(hostile, length, more):
    """A text is cut at 2,000 characters and says how many more there are, also when it has been cut before."""
    shown = str(text.visible(hostile, length))
    assert shown.count("A") == min(len(hostile), 2000)
    assert (more in shown) if more else ("more" not in shown)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (999, "999"), (1204551, "1\u202f204\u202f551"), (1234.5, "1\u202f234.5"), (168.0, "168"), (-3, "-3")],
)
def test_number(value, words):
    """Thousands are set apart by thin spaces; a whole number has no decimals."""
    assert text.number(value) == words


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "0 %"),
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 3, "33.3 %"),
        (1, 2, "50 %"),
        (1, 100_000, "under 0.1 %"),
        (99_999, 100_000, "over 99.9 %"),
    ],
)
def test_percent(part, whole, words):
    """A share is never rounded to none or to all."""
    assert text.percent(part, whole) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "no findings"), (1, "one finding"), (2, "two findings"), (12, "twelve findings"), (13, "13 findings")],
)
def test_counted(value, words):
    """Zero, one and many have their own forms."""
    assert text.counted(value, "finding") == words


def test_counted_with_a_plural_of_its_own():
    """A plural that takes no s is given."""
    assert text.counted(3, "entry", "entries") == "three entries"


@pytest.mark.parametrize(
    ("parts", "words"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_listed(parts, words):
    """A list reads as a person says it."""
    assert text.listed(parts) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.2 s"),
        (9.99, "10 s"),
        (35.4, "35 s"),
        (60, "1 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (86_400 * 3 + 4 * 3600 + 59, "3 d 4 h"),
        (-35, "\u221235 s"),
        (86_400 * 4000, "4\u202f000 d"),
    ],
)
def test_duration(seconds, words):
    """A duration shows its two largest units."""
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "one second"), (45 * 60, "45 minutes"), (7200, "two hours"), (3600, "one hour"), (86_400 * 2, "two days")],
)
def test_spoken(seconds, words):
    """A sentence says a duration in one unit."""
    assert text.spoken(seconds) == words


def test_moments():
    """Moments are in UTC and written out."""
    assert text.moment(MOMENT) == "Thu 19 Nov 23:12 UTC"
    assert text.minute(MOMENT) == "19 Nov 23:12"
    assert text.second(MOMENT) == "19 Nov 2026 23:12:07"
    assert text.iso(MOMENT) == "2026-11-19T23:12:07.000000Z"


@pytest.mark.parametrize(("record", "words"), [(5, "0:5"), ((1 << 48) + 4711, "1:4711"), ((3 << 48) + 1, "3:1")])
def test_line_number(record, words):
    """A record id is shown as receiver and running number."""
    assert text.line_number(record) == words


@pytest.mark.parametrize(("role", "words"), [("so", "Security Officer"), ("", "role not named"), ("xx", "xx")])
def test_role_name(role, words):
    """Roles have the names of the manuals; an unknown one keeps its word."""
    assert text.role_name(role) == words


def test_kept():
    """A short name is kept on one line and is still made visible; a long one may be broken."""
    assert text.kept("a\u202e") == '<span class="kept">a<span class="shown">\\u202e</span></span>'
    assert text.kept("A" * 21) == "A" * 21


@pytest.mark.parametrize(("words", "shown"), [("", ""), ("no HSM", "No HSM"), ("AUTH", "AUTH")])
def test_sentence(words, shown):
    """A sentence begins with a capital, and nothing else of it changes."""
    assert text.sentence(words) == shown


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (MOMENT, "Thu 19 Nov 23:12 UTC"),
        (MOMENT.replace(second=59), "Thu 19 Nov 23:12 UTC"),
        (MOMENT.replace(minute=20), "Thu 19 Nov 23:12 to 23:20 UTC"),
        (MOMENT.replace(day=21), "Thu 19 Nov 23:12 to Sat 21 Nov 23:12 UTC"),
    ],
)
def test_span(last, words):
    """From when to when, and no more than that takes."""
    assert text.span(MOMENT, last) == words


def test_clipped():
    """A name without an end is cut and says how long it was."""
    assert text.clipped("A" * 60) == "A" * 60
    assert text.clipped("A" * 61) == "A" * 60 + "\u2026 (61 characters)"


@pytest.mark.parametrize(
    ("step", "shown"),
    [
        ("Ask.", "Ask."),
        ("`tries_left` says <how> many.", "<em>tries left</em> says &lt;how&gt; many."),
        ("Fetch (`audit log tarlogs`).", "Fetch (<code>audit log tarlogs</code>)."),
        ("an odd ` mark", "an odd <code> mark</code>"),
    ],
)
def test_runbook(step, shown):
    """Figures and commands in a runbook's step are set apart, and everything is escaped."""
    assert text.runbook(step) == shown
