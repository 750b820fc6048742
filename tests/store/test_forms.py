"""Forms of message that no pattern knew: masked, counted, bounded."""

import pytest

from store import forms
from store.writer import Writer
from support.rows import batch, frame, later, record

NOW = later(hours=1)


def store(db, *messages, number=1, **columns):
    rows = [
        record(number * 1000 + place, in_batch=number, message=message, raw=message, status="partial", **columns)
        for place, message in enumerate(messages)
    ]
    Writer(db).store([batch(number, rows)], frame(rows))


@pytest.mark.parametrize(
    ("message", "form"),
    [
        ("slot 7 lost 12.5 V", "slot {number} lost {number}.{number} V"),
        ("from 192.0.2.7/4711", "from {address}/{number}"),
        ("from 2001:db8:0:1::7 now", "from {address} now"),
        ("code 0xC0000711, key deadbeefcafe", "code {hex}, key {hex}"),
        ("user \"eve\"  and 'mallory'", "user {quoted} and {quoted}"),
        ("at 08:15:01", "at {number}:{number}:{number}"),
        ("x" * 1000, "x" * 300),
        ("", ""),
    ],
)
def test_what_differs_is_replaced(db, ask, message, form):
    """By a word in braces, as templates write fields."""
    store(db, message)
    assert ask("SELECT form FROM unknown_forms") == [(form,)]


def test_the_most_frequent_and_the_newest(db):
    """Per device and family, with the first and last moment and one line."""
    store(db, *(f"often {number}" for number in range(5)), device="hsm-1", family="ntls")
    store(db, "often 9", number=2, device="hsm-2", family="ntls", received_at=later(minutes=1))
    store(db, "never before 1", number=3, device="hsm-1", family="sshd", received_at=later(minutes=2))
    with db.reader() as cursor:
        found = forms.unknown_forms(cursor, NOW, most=1)
    assert (found.forms, found.records, found.complete) == (3, 7, True)
    (often,), (newest,) = found.frequent, found.newest
    assert (often.device, often.family, often.form, often.records, often.example) == (
        "hsm-1",
        "ntls",
        "often {number}",
        5,
        "often 4",
    )
    assert (newest.form, newest.first_seen, newest.last_seen) == (
        "never before {number}",
        later(minutes=2),
        later(minutes=2),
    )


def test_known_old_and_copied_lines_do_not_count(db):
    """Only what no pattern knows, of the last 30 days."""
    store(db, "old", received_at=later(days=-31))
    with db.reader() as cursor:
        assert forms.unknown_forms(cursor, NOW).forms == 0


def test_a_flood_is_looked_at_in_part(db, monkeypatch):
    """The newest lines only, and that is said."""
    monkeypatch.setattr(forms, "NEWEST", 10)
    store(db, *("word" + chr(65 + number) for number in range(26)))
    with db.reader() as cursor:
        found = forms.unknown_forms(cursor, NOW, most=5)
    assert (found.forms, found.records, found.complete, len(found.frequent)) == (10, 10, False, 5)
