"""Handing a mail to a real SMTP server: TLS, logins, refusals, and servers that behave badly."""

import asyncio
from dataclasses import replace

import pytest

from analytics.alerts.mail import send_mail
from analytics.alerts.sinks import EmailSink
from support.alerting import FINDING, MailServer, make_certificate

MAILBOXES = ("a@example.org", "b@example.org")


def sink(port, **changes):
    return replace(EmailSink("post", "localhost", port, "hsm@example.org", MAILBOXES, tls="none"), **changes)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Our machine trusts the test certificate, as it would a house's own authority."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.certificate)
    return certificate


def attempt(server, seconds=10.0, listening=(), **changes):
    async def once():
        async with server.listening(**dict(listening)):
            return await send_mail(FINDING, sink(server.port, **changes), seconds)

    return asyncio.run(once())


def test_accepted():
    """One mail, to all recipients in one go, and the server's words are kept."""
    server = MailServer()
    answer = attempt(server)
    assert (answer.accepted, answer.text) == (True, "kept")
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [list(MAILBOXES)]
    assert server.envelopes[0].mail_from == "hsm@example.org"
    assert server.names == ["example.org"]
    assert server.mails[0]["Message-ID"] == f"<{FINDING.key}@example.org>"


def test_starttls(trusted):
    """The connection is encrypted before anything is said."""
    server = MailServer()
    answer = attempt(server, listening={"starttls": trusted.server(), "require_starttls": True}, tls="starttls")
    assert answer.accepted
    assert len(server.mails) == 1


def test_tls(trusted):
    """TLS from the first byte."""
    server = MailServer()
    assert attempt(server, listening={"context": trusted.server()}, tls="tls").accepted


def test_login(trusted):
    """Name and password go over the encrypted connection."""
    server = MailServer()
    listening = {"starttls": trusted.server(), "authenticator": server.authenticate, "auth_required": True}
    assert attempt(server, listening=listening, tls="starttls", username="hsm", password="right").accepted
    assert server.logins == [("hsm", "right")]


def test_wrong_password(trusted):
    """A refused login is about the sink, and the answer does not hold the password."""
    server = MailServer()
    listening = {"starttls": trusted.server(), "authenticator": server.authenticate, "auth_required": True}
    answer = attempt(server, listening=listening, tls="starttls", username="hsm", password="wr0ng")
    assert (answer.accepted, answer.reached, server.mails) == (False, False, [])
    assert "535" in answer.text
    assert "wr0ng" not in answer.text


@pytest.mark.parametrize("mode", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for(certificate, mode):
    """No mail goes to a server that cannot prove who it is."""
    server = MailServer()
    listening = {"context": certificate.server()} if mode == "tls" else {"starttls": certificate.server()}
    answer = attempt(server, listening=listening, tls=mode)
    assert (answer.accepted, answer.reached, server.mails) == (False, False, [])
    assert "certificate" in answer.text.lower()


def test_a_certificate_of_another_name(certificate, monkeypatch):
    """A good certificate for another host is none for this one."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.certificate)
    server = MailServer()
    answer = attempt(server, listening={"context": certificate.server()}, tls="tls", host="127.0.0.2")
    assert not answer.accepted
    assert server.mails == []


def test_no_downgrade():
    """A server (or somebody in between) that does not offer STARTTLS gets no mail and no password."""
    server = MailServer()
    answer = attempt(server, tls="starttls", username="hsm", password="right")
    assert (answer.accepted, answer.reached) == (False, False)
    assert "STARTTLS" in answer.text
    assert (server.mails, server.logins) == ([], [])


def test_nobody_there():
    """A server that is down is an answer, not an error."""
    server = MailServer()
    attempt(server)
    answer = asyncio.run(send_mail(FINDING, sink(server.port)))
    assert (answer.accepted, answer.reached) == (False, False)
    assert "ConnectError" in answer.text


def test_a_server_that_never_answers():
    """The time is up after the limit, however long the server likes to think."""
    answer = attempt(MailServer(hangs_at_data=True), seconds=0.3)
    assert (answer.accepted, answer.reached) == (False, False)
    assert "no answer in time" in answer.text


def test_a_server_that_accepts_and_hangs_up():
    """Accepted is accepted: trouble while taking leave must not send the mail again."""
    server = MailServer(hangs_up_after_data=True)
    answer = attempt(server)
    assert answer.accepted
    assert len(server.mails) == 1


def test_refused_content():
    """What the server says against the mail is kept, short and harmless."""
    answer = attempt(MailServer(data_answer="552 too large \x1b[31m" + "x" * 400))
    assert (answer.accepted, answer.reached) == (False, True)
    assert answer.text.startswith("552 too large")
    assert "\x1b" not in answer.text
    assert len(answer.text) <= 500


def test_everybody_refused():
    """No mailbox is known: the answer names each."""
    answer = attempt(MailServer(refused=MAILBOXES))
    assert (answer.accepted, answer.refused) == (False, ())
    assert "every recipient refused: a@example.org: 550" in answer.text
    assert "\x1b" not in answer.text


def test_some_refused():
    """Who has it has it; who is left is named."""
    server = MailServer(refused=("b@example.org",))
    answer = attempt(server)
    assert (answer.accepted, answer.refused) == (False, ("b@example.org",))
    assert server.envelopes[0].rcpt_tos == ["a@example.org"]


def test_only_those_left():
    """The next attempt goes to them alone, under the same Message-ID."""
    server = MailServer()

    async def once():
        async with server.listening():
            return await send_mail(replace(FINDING, recipients=("b@example.org",)), sink(server.port))

    assert asyncio.run(once()).accepted
    assert server.envelopes[0].rcpt_tos == ["b@example.org"]
    assert server.mails[0]["To"] == "a@example.org, b@example.org"
