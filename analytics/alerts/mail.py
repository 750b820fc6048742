"""Hands a mail to an SMTP server and says what the server said."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import aiosmtplib

from analytics.alerts.answer import Answer, short
from analytics.alerts.letter import domain, write_letter

if TYPE_CHECKING:
    from email.message import EmailMessage

    from analytics.alerts.message import Message
    from analytics.alerts.sinks import EmailSink

CONNECT_SECONDS = 10.0
TOTAL_SECONDS = 30.0
GOODBYE_SECONDS = 2.0


async def send_mail(message: Message, sink: EmailSink, seconds: float = TOTAL_SECONDS) -> Answer:
    """One attempt, one connection. CannotBeMade when there is no mail to send; all else is an answer."""
    letter = await asyncio.to_thread(write_letter, message, sink)
    client = _client(sink, min(seconds, CONNECT_SECONDS))
    try:
        async with asyncio.timeout(seconds):
            await client.connect()
            client.timeout = seconds
            answer = await _hand_over(client, message, sink, letter)
    except aiosmtplib.SMTPRecipientsRefused as error:
        said = "; ".join(f"{one.recipient}: {one.code} {one.message}" for one in error.recipients)
        answer = Answer(accepted=False, text=short(f"every recipient refused: {said}"))
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        answer = Answer(accepted=False, text=short(f"{error.code} {error.message}"))
    except TimeoutError as error:
        answer = Answer(accepted=False, text=short(f"no answer in time: {error}".rstrip(": ")), reached=False)
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
        answer = Answer(accepted=False, text=short(f"{type(error).__name__}: {error}"), reached=False)
    await _goodbye(client)
    return answer


def _client(sink: EmailSink, seconds: float) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=sink.host,
        port=sink.port,
        local_hostname=domain(sink),
        timeout=seconds,
        use_tls=sink.tls == "tls",
        start_tls=sink.tls == "starttls",
        tls_context=None if sink.tls == "none" else ssl.create_default_context(),
        username=sink.username or None,
        password=sink.password or None,
    )


async def _hand_over(client: aiosmtplib.SMTP, message: Message, sink: EmailSink, letter: EmailMessage) -> Answer:
    refused, said = await client.send_message(letter, sender=sink.sender, recipients=recipients(message, sink))
    if not refused:
        return Answer(accepted=True, text=short(said))
    reasons = "; ".join(f"{address}: {response.code} {response.message}" for address, response in refused.items())
    return Answer(accepted=False, text=short(f"some recipients refused: {reasons}"), refused=tuple(refused))


def recipients(message: Message, sink: EmailSink) -> list[str]:
    """Who is still to be served."""
    return list(message.recipients or sink.recipients)


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    """What was accepted stays accepted, however the server takes its leave."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        if client.is_connected:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await client.quit()
    client.close()
