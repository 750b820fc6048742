"""A pack and a test by way of the outbox, and the one repeat that cannot be avoided."""

import asyncio
import json

import pytest

from analytics.alerts.outbox import Outbox, enqueue_test
from analytics.alerts.sinks import WebhookSink
from support.alerting import Hook, MailServer
from support.outboxes import ask, mailbox, put, put_pack, rename, states


def test_a_pack_by_mail_and_webhook(db, clock, tmp_path):
    """The pack goes to its own recipients as a file; a webhook learns that it is ready."""
    server, hook, path = MailServer(), Hook(), tmp_path / "2026-W47.html"
    path.write_text("<p>pack</p>", encoding="utf-8")

    async def scene():
        async with server.listening(), hook.listening():
            sinks = [mailbox(server), WebhookSink("hook", hook.url)]
            assert put_pack(db, sinks, clock, path) == 2
            assert await Outbox(db, sinks, clock).deliver_due() == 2

    asyncio.run(scene())
    assert server.envelopes[0].rcpt_tos == ["r@example.org"]
    assert json.loads(hook.calls[0][0])["type"] == "pack.ready"
    assert ask(db, "SELECT DISTINCT kind, finding FROM outbox") == [("pack", None)]


def test_a_test_reaches_every_sink(db, clock):
    """Whatever its least severity."""
    hook = Hook()

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url, min_severity="critical")]
            with db.transaction() as cursor:
                assert enqueue_test(cursor, sinks, clock()) == 1
            assert await Outbox(db, sinks, clock).deliver_due() == 1

    asyncio.run(scene())
    assert json.loads(hook.calls[0][0])["type"] == "test"


def test_accepted_but_not_written_down(db, clock):
    """When the store cannot take the mark, the mail is not sent again for that: the mark is made later."""
    server = MailServer(on_data=lambda: rename(db, "deliveries", "gone"))

    async def scene():
        async with server.listening():
            sinks = [mailbox(server)]
            put(db, sinks, clock)
            outbox = Outbox(db, sinks, clock)
            with pytest.raises(Exception, match="deliveries"):
                await outbox.deliver_due()
            assert states(db) == {"waiting": 1}
            rename(db, "gone", "deliveries")
            assert await outbox.deliver_due() == 1

    asyncio.run(scene())
    assert len(server.mails) == 1
    assert states(db) == {"delivered": 1}


def test_the_one_repeat_is_known_as_one(db, clock):
    """Ended between acceptance and mark, the next process sends again: under the same Message-ID."""
    server = MailServer(on_data=lambda: rename(db, "deliveries", "gone"))

    async def scene():
        async with server.listening():
            sinks = [mailbox(server)]
            put(db, sinks, clock)
            with pytest.raises(Exception, match="deliveries"):
                await Outbox(db, sinks, clock).deliver_due()
            rename(db, "gone", "deliveries")
            server.on_data = None
            assert await Outbox(db, sinks, clock).deliver_due() == 1

    asyncio.run(scene())
    assert len(server.mails) == 2
    assert len({mail["Message-ID"] for mail in server.mails}) == 1
    assert server.mails[0].as_string() != ""
