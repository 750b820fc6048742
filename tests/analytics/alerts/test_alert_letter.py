"""The mail itself: headers, text, HTML, and hostile text in all of them."""

import email
import email.policy
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from analytics.alerts.letter import CannotBeMade, write_letter
from analytics.alerts.message import Line, PackMessage, TrialMessage
from analytics.alerts.sinks import EmailSink
from analytics.alerts.words import finding_words, first_steps, headline
from support.alerting import FINDING, KEY, NOON

SINK = EmailSink("post", "mail.example.org", 25, "hsm@example.org", ("a@example.org", "b@example.org"))
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=y>\r\nSubject: owned\r\n\r\n\x00\x1b[2J\u202e"
    "{{ 7 * 7 }}{% raw %}</style> https://login.example.net/ --=="
)


class Tags(HTMLParser):
    """The names of elements and attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def sent(message, sink=SINK):
    """As it comes out of the bytes that leave the house."""
    content = write_letter(message, sink).as_bytes()
    assert max(map(len, content.splitlines())) <= 998
    return email.message_from_bytes(content, policy=email.policy.default)


def parts(mail):
    text, html = mail.get_body(["plain"]).get_content(), mail.get_body(["html"]).get_content()
    return text.replace("\r\n", "\n"), html


def test_headers():
    """The subject names severity, detector, device and count; a machine can sort by the rest; no robot answers."""
    mail = sent(FINDING)
    assert mail["Subject"] == "[hsmtrail] HIGH: AUTH-01 Wrong HSM Security Officer secret on hsm1 (2 records)"
    assert mail["From"] == "hsm@example.org"
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{KEY}@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (mail["X-Hsmtrail-Detector"], mail["X-Hsmtrail-Severity"], mail["X-Hsmtrail-Finding"]) == (
        "AUTH-01",
        "high",
        "7",
    )


def test_text_first_then_html():
    """Readers without HTML get everything; the order is the one that mail programs expect."""
    mail = sent(FINDING)
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_what_a_person_needs():
    """How many tries are left stands before all else; then who, when, what to do, the lines and where to look."""
    text, html = parts(
        sent(replace(FINDING, finds="A wrong\nsecret.", columns={**FINDING.columns, "sources": ["192.0.2.7"]}))
    )
    tags = Tags(html)
    for words in (
        "New finding: Wrong HSM Security Officer secret.",
        "the HSM zeroizes itself",
        "so on hsm1",
        "2026-11-23 12:00:00 UTC",
        "192.0.2.7",
        "A wrong secret.",
        "1. Stop.",
        "2. Ask.",
        "281474976710657",
        "raw \\u202e line",
        "hsmtrail findings show 7",
    ):
        assert words in text
        assert words in tags.text
    assert text.index("TRIES LEFT: 2") < text.index("Subject")
    assert html.index("Tries left: 2") < html.index("New finding")


def test_html_is_one_plain_table():
    """600 px, inline styles only; no picture, script, form or link: nothing that a mail program drops or fetches."""
    _, html = parts(sent(FINDING))
    tags = Tags(html)
    assert 'width="600"' in html
    assert tags.tags <= {"html", "head", "meta", "title", "body", "table", "tr", "td", "b", "br", "span"}
    assert not tags.attributes & {"href", "src", "class", "onerror", "onclick", "background"}
    assert "url(" not in html


def test_hostile_text_is_inert():
    """Log text in every place that takes it adds no header, element, part or control character."""
    message = replace(
        FINDING,
        subject=HOSTILE,
        columns={HOSTILE: HOSTILE, "tries_left": 1, "list": [HOSTILE], "object": {"x": HOSTILE}},
        lines=(Line(1, NOON, HOSTILE),) * 5,
        change_ticket=HOSTILE,
    )
    clean, mail = sent(FINDING), sent(message)
    assert [name for name, _ in mail.items()] == [name for name, _ in clean.items()]
    assert mail["Subject"] == clean["Subject"]
    assert [part.get_content_type() for part in mail.walk()] == [part.get_content_type() for part in clean.walk()]
    text, html = parts(mail)
    assert Tags(html).tags == Tags(parts(clean)[1]).tags
    for body in (text, html):
        assert not {"\x00", "\x1b", "\u202e"} & set(body)
        assert "login.example.net" in body
        assert "https://login" not in body
        assert "{{ 7 * 7 }}" in body
    assert "<script>alert(1)</script>" in text
    assert "\nSubject: owned" not in text


def test_hostile_trusted_words_cannot_break_a_header():
    """Even a detector's title and id with line breaks give one line."""
    mail = sent(replace(FINDING, title="x\r\nBcc: c@example.org", detector="A\r\nB", severity="high\nX: y"))
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert mail["X-Hsmtrail-Detector"] == "A--B"


def test_a_device_that_is_not_configured_is_not_in_the_subject():
    """'' says that the name came over the network."""
    assert headline(replace(FINDING, device="", record_count=1)).endswith("secret (1 record)")


def test_numbers_of_many_records():
    """The newest record numbers stand there, the others are counted."""
    words = finding_words(replace(FINDING, records=tuple(range(1, 101)), record_count=500))
    assert words.records.startswith("81, 82")
    assert words.records.endswith("100 and 480 earlier")


def test_first_steps():
    """A runbook is its numbered steps, each one line; without numbers it is one step; without text none."""
    assert first_steps("\n1. Stop\n   the tries.\n2. Ask 3. person.\n") == ("Stop the tries.", "Ask 3. person.")
    assert first_steps("Call somebody.") == ("Call somebody.",)
    assert first_steps("") == ()
    words = finding_words(replace(FINDING, runbook="1. a\n2. b\n3. c\n4. d\n5. e"))
    assert (words.steps, words.more_steps) == (("a", "b", "c"), 2)


@pytest.mark.parametrize(("reason", "words"), [("opened", "New"), ("raised", "Now worse"), ("reopened", "Open again")])
def test_why_it_is_sent(reason, words):
    """The first words say why it comes."""
    later = NOON.replace(hour=13)
    text, _ = parts(sent(replace(FINDING, reason=reason, last_seen=later, columns={}, change_ticket="CHG-1")))
    assert text.startswith(words)
    assert "2026-11-23 12:00:00 UTC to 2026-11-23 13:00:00 UTC" in text
    assert "CHG-1" in text
    assert "TRIES LEFT" not in text


def test_a_pack_is_attached(tmp_path):
    """A pack comes as one HTML file, to the recipients of packs."""
    path = tmp_path / "2026-W47.html"
    path.write_text("<!DOCTYPE html><p>pack</p>", encoding="utf-8")
    message = PackMessage(
        "pack", KEY, NOON, "2026-W47", "Week 47", ("2 findings open",), str(path), "ab" * 32, ("c@example.org",)
    )
    mail = sent(message)
    attached = list(mail.iter_attachments())
    assert mail["To"] == "c@example.org"
    assert mail["Subject"] == "[hsmtrail] Review pack: Week 47"
    assert [(one.get_filename(), one.get_content_type()) for one in attached] == [("2026-W47.html", "text/html")]
    assert "<p>pack</p>" in attached[0].get_content()
    assert all("2 findings open" in body for body in parts(mail))


@pytest.mark.parametrize("content", [None, b"", b"x" * ((20 << 20) + 1)])
def test_a_pack_that_cannot_be_attached(tmp_path, content):
    """A pack that is gone, empty or too large for a mail can never be sent: the text says so."""
    path = tmp_path / "gone.html"
    if content is not None:
        path.write_bytes(content)
    message = PackMessage("pack", KEY, NOON, "W", "W", (), str(path), "ab" * 32)
    with pytest.raises(CannotBeMade, match=r"gone\.html"):
        write_letter(message, SINK)


def test_a_test_says_so():
    """Nobody takes a test for an alarm."""
    mail = sent(TrialMessage("test", KEY, NOON))
    assert mail["Subject"] == "[hsmtrail] Test: alerts from here arrive"
    assert all("Nothing has happened" in body for body in parts(mail))
    assert mail["X-Hsmtrail-Finding"] is None
