"""A message as a mail: text first, then one 600 px table; no picture, no script, no text of others in its headers."""

from __future__ import annotations

import re
from datetime import UTC
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from analytics.alerts.message import AnchorMessage, FindingMessage, PackMessage
from analytics.alerts.visible import visible
from analytics.alerts.words import KEEP_IT, anchor_lines, finding_words, headline, moment

if TYPE_CHECKING:
    from analytics.alerts.message import Message
    from analytics.alerts.sinks import EmailSink

LARGEST_ATTACHMENT = 20 << 20
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(enabled_extensions=("html",), disabled_extensions=("txt",), default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class CannotBeMade(Exception):  # noqa: N818  (a sentence)
    """It can never become a message for this receiver; the text says why."""


def write_letter(message: Message, sink: EmailSink) -> EmailMessage:
    """The mail for everybody behind the sink; the same each time it is made. CannotBeMade when the pack is gone."""
    letter = EmailMessage(policy=SMTP)
    _head(letter, message, sink)
    name, facts = message.type, _facts(message)
    letter.set_content(TEMPLATES.get_template(f"{name}.txt").render(facts), cte="quoted-printable")
    html = TEMPLATES.get_template(f"{name}.html").render(facts)
    letter.add_alternative(html, subtype="html", cte="quoted-printable")
    if isinstance(message, PackMessage):
        _attach(letter, message)
    return letter


def message_id(message: Message, sink: EmailSink) -> str:
    """Stable, so that a mail which comes twice (we died before we knew it was accepted) can be known as one."""
    return f"<{message.key}@{domain(sink)}>"


def domain(sink: EmailSink) -> str:
    """The sender's domain: what we call ourselves to the mail server."""
    return sink.sender.rpartition("@")[2]


def _head(letter: EmailMessage, message: Message, sink: EmailSink) -> None:
    letter["From"] = sink.sender
    own = message.recipients if isinstance(message, PackMessage) else ()
    letter["To"] = ", ".join(own or sink.recipients)
    letter["Subject"] = f"[hsmtrail] {headline(message)}"
    letter["Date"] = format_datetime(message.created_at.replace(tzinfo=UTC))
    letter["Message-ID"] = message_id(message, sink)
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Hsmtrail-Type"] = message.type
    if isinstance(message, FindingMessage):
        letter["X-Hsmtrail-Detector"] = _word(message.detector)
        letter["X-Hsmtrail-Severity"] = _word(message.severity)
        letter["X-Hsmtrail-Finding"] = str(message.finding)


def _facts(message: Message) -> dict[str, object]:
    facts: dict[str, object] = {"message": message, "headline": headline(message), "at": moment(message.created_at)}
    if isinstance(message, FindingMessage):
        facts["words"] = finding_words(message)
    if isinstance(message, AnchorMessage):
        facts |= {"lines": anchor_lines(message), "keep_it": KEEP_IT}
    if isinstance(message, PackMessage):
        facts["summary"] = [visible(line) for line in message.summary]
    return facts


def _attach(letter: EmailMessage, message: PackMessage) -> None:
    path = Path(message.path)
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST_ATTACHMENT else b""
    except OSError as error:
        raise CannotBeMade(f"the pack {path.name} cannot be read: {error.strerror}") from None
    if not content:
        raise CannotBeMade(f"the pack {path.name} has {size} bytes; a mail carries 1 to {LARGEST_ATTACHMENT}")
    letter.add_attachment(content, maintype="text", subtype="html", filename=f"{_word(message.name)}.html")


def _word(text: str) -> str:
    """Letters, digits and -_. only, for headers and file names."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:100]
