"""Zips that mislead whoever believes them: each is damage that is told, and the rest of an import goes on."""

import io
import random
import struct
import zipfile

import pytest

from ingest.archive_import import Unpacking

LINE = b"<13>Nov 23 08:15:01 hsm-1 x: one\n"
NAME = b"a.log"
ENTRY, END = b"PK\x01\x02", b"PK\x05\x06"
"""What begins a member's entry in the list of members, and what follows that list."""


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME.decode(), LINE)
    return file.getvalue()


def patched(mark, place, octets):
    """The zip with other octets so far behind the mark."""
    changed = bytearray(zipped())
    start = changed.index(mark) + place
    changed[start : start + len(octets)] = octets
    return bytes(changed)


def member_at(place):
    """The zip with its member at a 64-bit place."""
    octets, extra = patched(ENTRY, 42, b"\xff" * 4), struct.pack("<HHQ", 1, 8, place)
    entry, end = octets.index(ENTRY), octets.index(END)
    changed = bytearray(octets[:end] + extra + octets[end:])
    changed[entry + 30 : entry + 32] = struct.pack("<H", len(extra))
    changed[end + len(extra) + 12 : end + len(extra) + 16] = struct.pack("<L", end + len(extra) - entry)
    return bytes(changed)


def name_in_utf8(of_list):
    """A name that says of itself that it is UTF-8 and is not, in the list of members or at the member."""
    flags, name = (ENTRY, 9) if of_list else (b"PK\x03\x04", 7), b"\xff" + NAME[1:]
    changed = bytearray(patched(flags[0], flags[1], b"\x08"))
    place = changed.index(ENTRY) + 46 if of_list else 30
    changed[place : place + len(NAME)] = name
    return bytes(changed)


def unpacked(octets):
    """Messages, and what was said of files that cannot be read."""
    unpacking = Unpacking()
    read = [one for log in unpacking.contents(io.BytesIO(octets), "file") for one in unpacking.readable(log)]
    return [raw for portion in read for raw in portion.raw], [one.why for one in unpacking.notes.failed]


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(
            patched(END, 16, struct.pack("<L", 9000)), id="the list lies behind itself: a place before the file"
        ),
        pytest.param(member_at((1 << 64) - 1), id="a place that no file has"),
        pytest.param(member_at(1 << 62), id="a place that this file has not"),
        pytest.param(name_in_utf8(of_list=True), id="a name that is not in UTF-8"),
        pytest.param(name_in_utf8(of_list=False), id="a name at the member that is not in UTF-8"),
    ],
)
def test_a_zip_that_misleads_is_damage(octets):
    """The library raises errors of many kinds; an import says one sentence and goes on."""
    messages, failed = unpacked(octets)
    assert not messages
    assert len(failed) == 1
    assert failed[0].startswith("cannot be read to its end: ")


def test_a_member_without_a_name_is_read():
    """Its name becomes an extra field of a kind that nobody knows."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("name", LINE)
    octets = bytearray(file.getvalue().replace(b"name", struct.pack("<HH", 0x1999, 0)))
    for lengths in (26, octets.index(ENTRY) + 28):
        octets[lengths : lengths + 4] = struct.pack("<HH", 0, 4)
    assert unpacked(bytes(octets)) == ([LINE.strip()], [])


def test_no_damage_to_a_zip_ends_an_import():
    """Octets changed anywhere: nothing is raised, and a member is at most one line and one complaint."""
    chance, whole = random.Random(20261128), zipped()
    for _ in range(3000):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 2, 4))):
            changed[chance.randrange(len(changed))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        messages, failed = unpacked(bytes(changed))
        assert len(messages) + len(failed) <= 2
