"""Posts a message to a webhook, signed as Standard Webhooks say, and says what the receiver said."""

from __future__ import annotations

import json
import ssl
from datetime import UTC
from typing import TYPE_CHECKING

import aiohttp
from standardwebhooks import Webhook

from analytics.alerts.answer import Answer, short
from analytics.alerts.forms import form

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.alerts.message import Message
    from analytics.alerts.sinks import WebhookSink

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
READ = 2000
LONGEST_WAIT = 900.0
ABOUT_THE_MESSAGE = {400, 413, 422}
"""Answers that say 'not this message': others may go through. Any other refusal is about the address."""


async def post(message: Message, sink: WebhookSink, now: datetime, seconds: float = TOTAL_SECONDS) -> Answer:
    """One attempt. Only a 2xx is acceptance; redirects are not followed, for they would carry the finding elsewhere."""
    body = json.dumps(form(message, sink), ensure_ascii=True, allow_nan=False).encode()
    limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(), force_close=True, limit=1)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=limits, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.post(
                sink.url, data=body, headers=headers(message, sink, now, body), allow_redirects=False
            ) as response,
        ):
            return await _read(response)
    except TimeoutError:
        return Answer(accepted=False, text="no answer in time", reached=False)
    except (aiohttp.ClientConnectionError, OSError) as error:
        return Answer(accepted=False, text=short(f"{type(error).__name__}: {error}"), reached=False)
    except aiohttp.ClientError as error:  # the text of these holds the address, which may be a secret
        return Answer(accepted=False, text=f"no HTTP answer: {type(error).__name__}", reached=False)


def headers(message: Message, sink: WebhookSink, now: datetime, body: bytes) -> dict[str, str]:
    """webhook-id is the same for every attempt; the stamp and the signature are of this one."""
    identifier = f"msg_{message.key}"
    lines = {"content-type": "application/json", "user-agent": "hsmtrail", "webhook-id": identifier}
    if sink.secret and sink.format != "pagerduty":
        signature = Webhook(sink.secret).sign(identifier, now, body.decode())
        lines |= {"webhook-timestamp": _seconds(now), "webhook-signature": signature}
    return lines


async def _read(response: aiohttp.ClientResponse) -> Answer:
    text = short(f"{response.status} {response.reason or ''}: {await _body(response)}".rstrip(": "))
    if 200 <= response.status < 300:
        return Answer(accepted=True, text=text)
    if 300 <= response.status < 400:
        return Answer(accepted=False, text=short(f"{text} (redirects are not followed)"))
    if response.status in ABOUT_THE_MESSAGE:
        return Answer(accepted=False, text=text)
    permanent = 400 <= response.status < 500 and response.status not in {408, 425, 429}
    note = " (it will hardly accept this later; look at its address and secret)" if permanent else ""
    return Answer(accepted=False, text=short(text[: 500 - len(note)] + note), reached=False, wait=_wait(response))


async def _body(response: aiohttp.ClientResponse) -> str:
    """The first of what the receiver says; the status alone decides, so that a slow or broken body changes nothing."""
    try:
        return (await response.content.read(READ)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""


def _wait(response: aiohttp.ClientResponse) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0.0


def _seconds(now: datetime) -> str:
    return str(int(now.replace(tzinfo=UTC).timestamp()))
