"""Real receivers on loopback, a clock to turn by hand, and a store with findings."""

import asyncio
import email
import email.policy
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult

from analytics.alerts.message import FindingMessage, Line, PackMessage, TrialMessage

NOON = datetime(2026, 11, 23, 12, 0, 0, 250000)
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="

KEY = "0123456789abcdef0123456789abcdef"
FINDING = FindingMessage(
    type="finding",
    key=KEY,
    reason="opened",
    created_at=NOON,
    finding=7,
    detector="AUTH-01",
    title="Wrong HSM Security Officer secret",
    subject="so on hsm1",
    device="hsm1",
    severity="high",
    state="open",
    first_seen=NOON,
    last_seen=NOON,
    opened_at=NOON,
    change_ticket="",
    record_count=2,
    records=(281474976710657, 281474976710658),
    lines=(Line(281474976710657, NOON, "raw \u202e line"),),
    columns={"role": "so", "tries_left": 2},
    finds="",
    runbook="1. Stop.\n2. Ask.",
)
PACK = PackMessage("pack", KEY, NOON, "2026-W47", "Week 47", ("No finding.",), "packs/2026-W47.html", "ab" * 32)
TRIAL = TrialMessage("test", KEY, NOON)


class Clock:
    """Naive UTC that stands still until it is moved."""

    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now

    def forward(self, seconds):
        self.now += timedelta(seconds=seconds)


@dataclass
class MailServer:
    """Keeps mails; what it answers can be changed while it runs."""

    mails: list = field(default_factory=list)
    envelopes: list = field(default_factory=list)
    logins: list = field(default_factory=list)
    names: list = field(default_factory=list)
    data_answer: str = "250 kept"
    refused: tuple = ()
    hangs_at_data: bool = False
    hangs_up_after_data: bool = False
    on_data: object = None
    port: int = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        self.names.append(hostname)
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address in self.refused:
            return "550 no such mailbox\x1b[31m"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.hangs_at_data:
            await asyncio.Event().wait()
        answer = self.data_answer
        if answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.envelopes.append(envelope)
        if self.on_data:
            self.on_data()
        return answer

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802
        if self.hangs_up_after_data:
            server.transport.abort()
        return "221 bye"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    @asynccontextmanager
    async def listening(self, context=None, starttls=None, port=0, **options):
        """Until the block ends; `context` is TLS from the first byte, `starttls` when asked for."""
        loop = asyncio.get_running_loop()

        def session():
            return SMTP(self, hostname="localhost", loop=loop, tls_context=starttls, **options)

        server = await loop.create_server(session, "127.0.0.1", port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


@dataclass
class Hook:
    """Keeps calls; what it answers can be changed while it runs."""

    calls: list = field(default_factory=list)
    status: int = 204
    headers: dict = field(default_factory=dict)
    text: str = ""
    hangs: bool = False
    breaks_off: bool = False
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hooks/T0KEN"

    async def called(self, request):
        self.calls.append((await request.read(), dict(request.headers)))
        if self.hangs:
            await asyncio.Event().wait()
        if self.breaks_off:
            answer = web.StreamResponse(status=self.status, headers={"Content-Length": "100"})
            await answer.prepare(request)
            request.transport.abort()
            return answer
        return web.Response(status=self.status, headers=self.headers, text=self.text or None)

    @asynccontextmanager
    async def listening(self, port=0):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.called)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost, made by openssl."""

    certificate: str
    key: str

    def server(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(folder):
    pair = Certificate(str(folder / "certificate.pem"), str(folder / "key.pem"))
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, *names, "-out", pair.certificate, "-keyout", pair.key]
    subprocess.run(command, check=True, capture_output=True)
    return pair
