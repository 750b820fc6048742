"""The pack in a real browser: the policy holds, nothing is violated, and there is something to see."""

import re
import shutil
import struct
import subprocess
import zlib

import pytest

from reports.pack import make_pack
from reports.render import write_pack
from support.shelf import WEEK

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr --v=0"
)
PAPER = {1: (255, 255, 255), 0: (0x14, 0x18, 0x1C)}
"""By the number that chromium gives a colour scheme: 1 is light, 0 is dark."""


@pytest.fixture
def browser(tmp_path):
    """Opens a file and gives what the console said."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: apt-get install chromium; the pack's policy can be shown in no other way"

    def look(page, *flags):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        done = subprocess.run(
            [chromium, *FLAGS.split(), profile, *flags, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            cwd=tmp_path,
        )
        return done.stdout, re.findall(r"CONSOLE[^\n]*", done.stderr)

    return look


@pytest.fixture
def page(lively, settings, tmp_path):
    return write_pack(make_pack(lively.con, WEEK, settings), tmp_path / "packs").html


@pytest.mark.parametrize("scheme", [1, 0])
def test_a_pack_can_be_seen(browser, page, tmp_path, scheme):
    """Light and dark: no violation on the console, the paper has its colour, and ink is on it."""
    picture = tmp_path / "pack.png"
    flags = (f"--blink-settings=preferredColorScheme={scheme}", "--window-size=820,800", f"--screenshot={picture}")
    _, console = browser(page, *flags)
    assert console == []
    colours = pixels(picture.read_bytes())
    assert max(colours, key=colours.__getitem__) == PAPER[scheme]
    assert len(colours) > 50
    assert sum(colours.values()) - colours[PAPER[scheme]] > 20_000


def test_the_policy_refuses_what_is_planted(browser, page, tmp_path):
    """A script, an inline style, a handler and a remote picture that got into the page would be refused."""
    planted = tmp_path / "planted.html"
    evil = (
        "<script>document.title = 'ran'</script><p id=x style='color:red' onclick='alert(1)'>x</p>"
        "<style>h1{display:none}</style><img src='http://192.0.2.1/x.png'><iframe src='data:text/html,x'></iframe>"
    )
    planted.write_text(page.read_text(encoding="utf-8").replace("<main>", f"<main>{evil}"), encoding="utf-8")
    content, console = browser(planted, "--dump-dom")
    assert "<title>ran</title>" not in content
    said = "\n".join(console)
    for directive in ("script-src", "style-src", "img-src"):
        assert directive in said or "default-src" in said
    assert said.count("Content Security Policy") >= 4


def pixels(png):
    """How often each colour occurs in an 8-bit RGB or RGBA picture."""
    width, _, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) in {(8, 2), (8, 6)}
    size = 3 if kind == 2 else 4
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    return counted_colours(zlib.decompress(data), width * size, size)


def counted_colours(data, stride, size):
    counts = {}
    before = bytearray(stride)
    for start in range(0, len(data), stride + 1):
        row = unfiltered(data[start], bytearray(data[start + 1 : start + 1 + stride]), before, size)
        for place in range(0, stride, size):
            colour = tuple(row[place : place + 3])
            counts[colour] = counts.get(colour, 0) + 1
        before = row
    return counts


def unfiltered(kind, row, above, size):
    """One row of a PNG as it was before its filter (RFC 2083, 6)."""
    for place in range(len(row)):
        left = row[place - size] if place >= size else 0
        corner = above[place - size] if place >= size else 0
        up = above[place]
        guess = left + up - corner
        paeth = min((left, up, corner), key=lambda value, guess=guess: abs(guess - value))
        row[place] = (row[place] + (0, left, up, (left + up) // 2, paeth)[kind]) % 256
    return row
