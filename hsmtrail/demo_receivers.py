"""A mail server and a webhook on loopback: where `hsmtrail demo` gets its own alerts."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from aiosmtpd.smtp import SMTP
from standardwebhooks import Webhook, WebhookVerificationError

if TYPE_CHECKING:
    from types import TracebackType

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 4 << 20


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it came."""

    sender: str
    recipients: tuple[str, ...]
    subject: str


@dataclass(frozen=True, slots=True)
class Call:
    """One webhook call; `verified` says whether its signature is right (Standard Webhooks)."""

    identifier: str
    verified: bool
    document: dict[str, Any]


class Receivers:
    """Both servers in a thread of their own, on free ports, from `with` to its end."""

    def __init__(self, secret: str) -> None:
        self.mails: list[Mail] = []
        self.calls: list[Call] = []
        self.mail_port = 0
        self.webhook_port = 0
        self._webhook = Webhook(secret)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo receivers", daemon=True)

    @property
    def webhook_url(self) -> str:
        return f"http://{LOOPBACK}:{self.webhook_port}/alerts"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        def session() -> SMTP:
            return SMTP(self, hostname="localhost", ident="hsmtrail demo", loop=self._loop)

        self._mail_server = await self._loop.create_server(session, LOOPBACK, 0)
        self.mail_port = self._mail_server.sockets[0].getsockname()[1]
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_post("/alerts", self._called)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self.webhook_port = self._runner.addresses[0][1]

    async def _finish(self) -> None:
        self._mail_server.close()
        await self._runner.cleanup()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: ANN401, ARG002, N802  (aiosmtpd calls it so)
        content: bytes = envelope.content
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), str(message["Subject"])))
        return "250 kept"

    async def _called(self, request: web.Request) -> web.Response:
        body = await request.read()
        verified = self._signed(body, dict(request.headers))
        try:
            document = json.loads(body)
        except ValueError:
            return web.Response(status=400)
        self.calls.append(Call(request.headers.get("webhook-id", ""), verified, document))
        return web.Response(status=204)

    def _signed(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            self._webhook.verify(body, headers, json_parse=False)
        except WebhookVerificationError:
            return False
        return True
