"""The framer: the same messages however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.framing import COUNT_TOO_LARGE, LARGEST_COUNT, NO_COUNT, Framer


def told_apart(octets, framing="auto", max_message=65536, cuts=()):
    """(messages with what happened to them, why the framer gave up), the bytes fed in pieces that end at `cuts`."""
    framer = Framer(framing, max_message)
    bounds = [0, *sorted(cuts), len(octets)]
    messages = []
    for start, end in pairwise(bounds):
        frames = framer.feed(octets[start:end])
        messages += [(m, "cut" if i in frames.cut else "") for i, m in enumerate(frames.messages())]
    left = framer.close()
    messages += [(m, "incomplete" if left.incomplete else "") for m in left.messages()]
    return messages, framer.refused


@pytest.mark.parametrize(
    ("framing", "octets", "wanted"),
    [
        ("auto", b"one\ntwo\0", [(b"one", ""), (b"two", "")]),
        ("auto", b"3 a\nb6 second<13>third\n", [(b"a\nb", ""), (b"second", ""), (b"<13>third", "")]),
        ("auto", b"12 counts, so\n26 is textmore\n", [(b"counts, so\n2", ""), (b"is tex", ""), (b"tmore", "")]),
        ("auto", b"2026-11-23 08:15 x\n", [(b"2026-11-23 08:15 x", "")]),
        ("auto", b"\n\n", [(b"", ""), (b"", "")]),
        ("auto", b"0 x\n", [(b"", ""), (b"x", "")]),
        ("auto", b"003 abc", [(b"abc", "")]),
        ("auto", b"line\r\n", [(b"line\r", "")]),
        ("lf", b"5 abc\nnul\0inside\n", [(b"5 abc", ""), (b"nul\0inside", "")]),
        ("nul", b"a\nb\0c\0", [(b"a\nb", ""), (b"c", "")]),
        ("octet-counted", b"3 a\nb1 x", [(b"a\nb", ""), (b"x", "")]),
        ("auto", b"whole\nhalf", [(b"whole", ""), (b"half", "incomplete")]),
        ("auto", b"10 half", [(b"half", "incomplete")]),
        ("auto", b"10 ", [(b"", "incomplete")]),
        ("auto", b"10", [(b"10", "incomplete")]),
        ("octet-counted", b"4 abcd9 left", [(b"abcd", ""), (b"left", "incomplete")]),
    ],
)
def test_messages_of_each_framing(framing, octets, wanted):
    """Digits and a blank count octets, anything else ends at its mark, and what is left is incomplete."""
    assert told_apart(octets, framing) == (wanted, "")


@pytest.mark.parametrize(
    ("framing", "octets", "before", "reason"),
    [
        ("auto", b"%d x" % (LARGEST_COUNT + 1), [], COUNT_TOO_LARGE),
        ("auto", b"a\n99999999999999999999 x\n", [(b"a", "")], COUNT_TOO_LARGE),
        ("octet-counted", b"2 ab<13>x\n", [(b"ab", "")], NO_COUNT),
        ("octet-counted", b"2 ab\n", [(b"ab", "")], NO_COUNT),
        ("octet-counted", b"12x", [], NO_COUNT),
        ("octet-counted", b"123456789", [], COUNT_TOO_LARGE),
    ],
)
def test_a_count_that_cannot_be_ends_the_connection(framing, octets, before, reason):
    """Messages before it are kept; nothing is taken after it."""
    assert told_apart(octets, framing) == (before, reason)
    assert told_apart(octets + b"\nmore\n", framing) == (before, reason)


@pytest.mark.parametrize(
    ("framing", "octets"),
    [("auto", b"0123456789abc\nnext\n"), ("lf", b"0123456789abc\nnext\n"), ("nul", b"0123456789abc\0next\0")],
)
def test_a_long_line_keeps_its_first_bytes(framing, octets):
    """The remainder is skipped up to the next mark."""
    assert told_apart(octets, framing, 10) == ([(b"0123456789", "cut"), (b"next", "")], "")


def test_a_long_counted_message_keeps_its_first_bytes():
    """The remainder is skipped by its count."""
    assert told_apart(b"13 0123456789abc4 next", "auto", 10) == ([(b"0123456789", "cut"), (b"next", "")], "")


def test_a_message_of_exactly_the_limit_is_whole():
    """The mark does not count."""
    assert told_apart(b"0123456789\n10 0123456789", "auto", 10) == ([(b"0123456789", "")] * 2, "")


def test_more_digits_than_the_limit_are_text():
    """A line of digits is not waited for without end."""
    assert told_apart(b"1" * 30 + b" x\n", "auto", 10) == ([(b"1" * 10, "cut")], "")


def test_a_long_message_in_small_pieces_is_not_looked_at_again_and_again():
    """A mebibyte byte by byte is one message, in linear time."""
    framer = Framer("auto", 1 << 20)
    octets = b"%d " % (1 << 18) + b"x" * (1 << 18)
    found = [frames.messages() for i in range(len(octets)) if (frames := framer.feed(octets[i : i + 1]))]
    assert found == [[b"x" * (1 << 18)]]


def test_feeding_memory_that_is_used_again():
    """Messages do not change when the receive buffer does."""
    buffer = bytearray(b"first\nsec")
    framer = Framer()
    frames = framer.feed(memoryview(buffer))
    buffer[:] = b"ond\nxxxxx"
    assert frames.messages() == [b"first"]
    assert framer.feed(memoryview(buffer)[:4]).messages() == [b"second"]


PIECES = st.sampled_from(
    [
        *(b"\n", b"\0", b"5 abcde", b"3 ", b"12", b"<13>abc", b"x", b" ", b"0 ", b"007 1234567", b"99999999 "),
        *(b"7\n", b"abcdefghijklmnop", b"\r\n", b"20 a\nb\0cccccccccccccccc", b"67108865 ", b"000000000001 x", b"\xff"),
    ]
)
STREAMS = st.lists(PIECES | st.binary(max_size=5), max_size=14).map(b"".join)
FRAMINGS = st.sampled_from(["auto", "lf", "nul", "octet-counted"])


@given(STREAMS, FRAMINGS, st.sampled_from([3, 4, 8, 100]), st.data())
def test_frames_are_the_same_however_the_bytes_are_cut(octets, framing, max_message, data):
    """All at once, byte by byte, or in any pieces."""
    whole = told_apart(octets, framing, max_message)
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=6))
    assert told_apart(octets, framing, max_message, cuts) == whole
    assert told_apart(octets, framing, max_message, range(len(octets))) == whole


def by_the_book(octets, framing, max_message):
    """The same rules one byte after another, as contract 6 says them."""
    messages, place = [], 0
    marks = {"auto": b"\n\0", "lf": b"\n", "nul": b"\0", "octet-counted": b""}[framing]
    while place < len(octets):
        end = place
        while framing in ("auto", "octet-counted") and octets[end : end + 1].isdigit():
            end += 1
        counted = place < end < len(octets) and octets[end] == 0x20 and end - place <= max_message
        if counted and int(octets[place:end]) > LARGEST_COUNT:
            return messages, COUNT_TOO_LARGE
        if counted:
            size = int(octets[place:end])
            body = octets[end + 1 : end + 1 + size]
            whole = len(body) >= min(size, max_message)
            trouble = ("cut" if size > max_message else "") if whole else "incomplete"
            messages.append((body[:max_message], trouble))
            place = end + 1 + size
            continue
        stop = next((i for i in range(place, len(octets)) if octets[i] in marks), len(octets))
        line = octets[place:stop]
        trouble = "cut" if len(line) > max_message else "incomplete" if stop == len(octets) else ""
        messages.append((line[:max_message], trouble))
        place = stop + 1
    return messages, ""


@given(STREAMS, st.sampled_from(["auto", "lf", "nul"]), st.sampled_from([3, 8, 100]))
def test_bulk_framing_agrees_with_the_rules_step_by_step(octets, framing, max_message):
    """Speed changes nothing."""
    assert told_apart(octets, framing, max_message) == by_the_book(octets, framing, max_message)
