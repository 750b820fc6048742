"""Hostile text for people's eyes."""

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.answer import short
from analytics.alerts.visible import HIDDEN, LINK, inert, visible


@given(st.text())
def test_nothing_unseen_is_left(text):
    """Whatever comes in, no control, format, private or unassigned character goes out."""
    assert not {category(c) for c in visible(text)} & HIDDEN
    assert not {category(c) for c in short(text)} & HIDDEN
    assert len(short(text)) <= 500


@given(st.text(alphabet="htps:/w.mailto @x", max_size=60))
def test_no_link_is_left(text):
    """No mail program finds an address to click."""
    assert "://" not in inert(text)
    assert not LINK.search(inert(text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain text é 日本", "plain text é 日本"),
        ("a\r\nSubject: b", "a\\u000d\\u000aSubject: b"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("abc\u202ecod.exe", "abc\\u202ecod.exe"),
        ("zero\u200bwidth\U000e0041", "zero\\u200bwidth\\U000e0041"),
    ],
)
def test_spelt_out(text, wanted):
    """Unseen characters are spelt as their code points, all others stand."""
    assert visible(text) == wanted


def test_long_lines_are_counted_not_carried():
    """A line of 100 kB shows its beginning and how much more there is."""
    assert visible("x" * 100_000) == "x" * 2000 + " … 98000 more"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("see https://login.example.net/x", "see https[:]//login.example.net/x"),
        ("WWW.example.net", "WWW[.]example.net"),
        ("mailto:someone", "mailto[:]someone"),
        ("192.0.2.7/22", "192.0.2.7/22"),
    ],
)
def test_links_are_broken(text, wanted):
    """What a mail program would make a link of is broken where it is seen."""
    assert inert(text) == wanted
