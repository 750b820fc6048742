"""P1: what no pattern knew, by the form of the message."""

from datetime import timedelta

from reports.pack import make_pack
from reports.render import render
from support.shelf import HOSTILE, MONDAY, WEEK


def test_forms_are_counted_and_new_ones_marked(shelf, settings):
    """A form that the weeks before had is not new."""
    for number, at in enumerate((MONDAY - timedelta(days=3), MONDAY, MONDAY + timedelta(hours=1))):
        shelf.line(at, message=f"known trouble {number}", status="partial")
    shelf.line(MONDAY + timedelta(hours=2), message="new words", status="partial")
    pack = make_pack(shelf.con, WEEK, settings)
    assert [(row.form, row.lines, row.is_new) for row in pack.quality.unread] == [
        ("known trouble {number}", 2, False),
        ("new words", 1, True),
    ]
    assert pack.quality.unread[0].first_seen == MONDAY


def test_hostile_forms_are_inert(shelf, settings):
    """Markup is text, hidden characters are spelt out, and the number of rows is bounded."""
    for number, text in enumerate([*HOSTILE, *(f"flood {chr(65 + one)}" for one in range(26))]):
        shelf.line(MONDAY + timedelta(seconds=number), message=text, status="partial")
    pack = make_pack(shelf.con, WEEK, settings)
    page = render(pack)
    assert len(pack.quality.unread) <= 12
    assert "<script" not in page
    assert "onerror=alert(2)>" not in page
    assert "\u202e" not in page
    assert max(len(row.form) for row in pack.quality.unread) <= 300
