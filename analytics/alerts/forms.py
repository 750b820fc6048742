"""A message as the JSON that its receiver wants. Pure: words in, document out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from analytics.alerts.message import AnchorMessage, FindingMessage, PackMessage
from analytics.alerts.words import KEEP_IT, FindingWords, anchor_lines, finding_words, headline, instant

if TYPE_CHECKING:
    from analytics.alerts.message import Message
    from analytics.alerts.sinks import WebhookSink

PAGERDUTY_SEVERITIES = {"critical": "critical", "high": "error", "medium": "warning"}
CARD_LINE = 500
"""Characters of a log line in a chat; Teams takes 28 kB in all."""

CARD_FACTS = 20


def form(message: Message, sink: WebhookSink) -> dict[str, Any]:
    """The body for one receiver."""
    match sink.format:
        case "slack":
            return slack(message)
        case "teams":
            return teams(message)
        case "pagerduty":
            return pagerduty(message, sink.secret)
        case "json":
            return plain(message)


def plain(message: Message) -> dict[str, Any]:
    """Our own: type, timestamp, data, as Standard Webhooks recommend. Text stands as it came, escaped by JSON only."""
    match message:
        case FindingMessage():
            return _event(f"finding.{message.reason}", message, _finding(message))
        case PackMessage():
            data = {"name": message.name, "title": message.title, "summary": list(message.summary)}
            return _event("pack.ready", message, {**data, "sha256": message.sha256})
        case AnchorMessage():
            heads = [{"spool": head.spool, "batch": head.batch, "sha256": head.sha256} for head in message.heads]
            return _event("evidence.anchor", message, {"heads": heads, "manifest": message.manifest})
        case _:
            return _event("test", message, {})


def slack(message: Message) -> dict[str, Any]:
    """An incoming webhook of Slack. Blocks are plain_text: nothing in a log line mentions, links or formats."""
    head = {"type": "header", "text": _plain_text(headline(message), 150)}
    rows = [{"type": "section", "text": _plain_text(text, 3000)} for text in _paragraphs(message)]
    return {"text": _escaped(headline(message)), "blocks": [head, *rows]}


def teams(message: Message) -> dict[str, Any]:
    """An adaptive card for Teams. RichTextBlock knows no Markdown: a log line cannot become a link."""
    head = {"type": "TextBlock", "text": _no_markdown(headline(message)), "weight": "Bolder", "wrap": True}
    rows = [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]} for text in _paragraphs(message)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [head, *rows],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def pagerduty(message: Message, routing_key: str) -> dict[str, Any]:
    """Events API v2: one incident a finding, however often it is raised."""
    payload = {
        "summary": headline(message),
        "source": "hsmtrail",
        "severity": "info",
        "timestamp": instant(message.created_at),
        "component": "hsmtrail",
        "custom_details": plain(message)["data"],
    }
    if isinstance(message, FindingMessage):
        payload["source"] = message.device or "hsmtrail"
        payload["severity"] = PAGERDUTY_SEVERITIES.get(message.severity, "info")
        payload["component"] = message.detector
    return {"routing_key": routing_key, "event_action": "trigger", "dedup_key": dedup_key(message), "payload": payload}


def dedup_key(message: Message) -> str:
    """The same for all messages of one finding, and of no other, also after the store was rebuilt."""
    if not isinstance(message, FindingMessage):
        return f"hsmtrail-{message.key}"
    what = f"{message.detector}\0{message.subject}\0{message.finding}\0{instant(message.opened_at)}"
    return f"hsmtrail-{hashlib.sha256(what.encode()).hexdigest()[:32]}"


def _event(kind: str, message: Message, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": instant(message.created_at), "data": data}


def _finding(message: FindingMessage) -> dict[str, Any]:
    words = finding_words(message)
    document = {
        "id": message.finding,
        "detector": message.detector,
        "title": message.title,
        "subject": message.subject,
        "device": message.device,
        "severity": message.severity,
        "state": message.state,
        "first_seen": instant(message.first_seen),
        "last_seen": instant(message.last_seen),
        "change_ticket": message.change_ticket,
        "records": list(message.records),
        "record_count": message.record_count,
        "columns": message.columns,
        "tries_left": words.countdown.tries_left if words.countdown else None,
        "consequence": words.countdown.then if words.countdown else None,
        "finds": message.finds,
        "runbook": message.runbook,
        "lines": [{"record_id": x.record_id, "event_at": instant(x.event_at), "raw": x.raw} for x in message.lines],
    }
    return {key: value for key, value in document.items() if value not in (None, "")}


def _paragraphs(message: Message) -> list[str]:
    """What a chat shows below the headline, each harmless and short."""
    match message:
        case FindingMessage():
            return _finding_paragraphs(finding_words(message))
        case PackMessage():
            return ["\n".join(message.summary) or message.title, f"SHA-256 {message.sha256}"]
        case AnchorMessage():
            return ["\n".join(anchor_lines(message)), KEEP_IT]
        case _:
            return ["Somebody asked hsmtrail to send a test. Nothing has happened on an HSM."]


def _finding_paragraphs(words: FindingWords) -> list[str]:
    countdown = words.countdown
    facts = [f"{item.name}: {item.value[:CARD_LINE]}" for item in words.facts[:CARD_FACTS]]
    paragraphs = [
        f"TRIES LEFT: {countdown.tries_left}. {countdown.then}" if countdown else "",
        f"{words.sentence} {words.subject[:CARD_LINE]}. {words.when}",
        "\n".join(facts),
        "\n".join(f"{number}. {step}" for number, step in enumerate(words.steps, 1)),
        "\n".join(f"{line.record_id}: {line.text[:CARD_LINE]}" for line in words.evidence),
        words.look,
    ]
    return [text for text in paragraphs if text]


def _plain_text(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:limit], "emoji": False}


def _escaped(text: str) -> str:
    """Slack's own three; without them <!channel> would wake everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _no_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]()#" else c for c in text)
