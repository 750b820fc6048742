"""The outbox as it runs by itself."""

import asyncio

from analytics.alerts.outbox import Limits, Outbox
from analytics.alerts.sinks import EmailSink, WebhookSink
from support.alerting import Hook, MailServer
from support.outboxes import ask, finding, mailbox, put, rename, states


async def until(question):
    """Wait for other tasks to bring the answer; the test's own time limit ends it otherwise."""
    while not question():  # noqa: ASYNC110  (what is asked is a store and a server)
        await asyncio.sleep(0.01)


def test_run_wakes_delivers_and_stops(db, clock):
    """Woken, the loop sends; a sink that hangs holds up no other; at the stop it ends."""
    server, hook = MailServer(), Hook(hangs=True)
    stop, wake = asyncio.Event(), asyncio.Event()

    async def scene():
        async with server.listening(), hook.listening():
            sinks = [mailbox(server), WebhookSink("hook", hook.url)]
            limits = Limits(webhook_seconds=1.0)
            running = asyncio.create_task(Outbox(db, sinks, clock, limits).run(stop, wake))
            put(db, sinks, clock, finding(1))
            wake.set()
            await until(lambda: len(server.mails) == 1 and len(hook.calls) == 1)
            put(db, sinks, clock, finding(2))
            wake.set()
            await until(lambda: len(server.mails) == 2)
            assert len(hook.calls) == 1
            stop.set()
            await asyncio.wait_for(running, 10)

    asyncio.run(scene())
    assert dict(ask(db, "SELECT sink, string_agg(state) FROM outbox GROUP BY sink"))["hook"] == "waiting,waiting"


def test_run_tries_again_by_itself(db, clock):
    """What becomes due by the clock is sent without anybody's wake."""
    hook = Hook(status=503)
    stop, wake = asyncio.Event(), asyncio.Event()

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url)]
            put(db, sinks, clock)
            running = asyncio.create_task(Outbox(db, sinks, clock, Limits(look_every=0.05)).run(stop, wake))
            await until(lambda: ask(db, "SELECT attempts FROM outbox") == [(1,)])
            hook.status = 200
            clock.forward(2)
            await until(lambda: states(db) == {"delivered": 1})
            stop.set()
            await asyncio.wait_for(running, 10)

    asyncio.run(scene())
    assert len(hook.calls) == 2


def test_run_survives_the_store(db, clock, caplog):
    """A store that fails for a while, when read or when written, ends no loop and repeats no alert."""
    hook = Hook()
    stop, wake = asyncio.Event(), asyncio.Event()

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url)]
            rename(db, "outbox", "away")
            running = asyncio.create_task(Outbox(db, sinks, clock, Limits(after_trouble=0.05)).run(stop, wake))
            await until(lambda: "outbox_not_read" in caplog.text)
            rename(db, "deliveries", "gone")
            rename(db, "away", "outbox")
            put(db, sinks, clock)
            await until(lambda: "lane_failed" in caplog.text)
            rename(db, "gone", "deliveries")
            await until(lambda: states(db) == {"delivered": 1})
            stop.set()
            await asyncio.wait_for(running, 10)

    asyncio.run(scene())
    assert len(hook.calls) == 1


def test_our_own_mistake_loses_nothing(db, clock, caplog):
    """An error that nobody thought of is kept as an attempt and tried again."""
    sinks = [EmailSink("post", "a\nb", 25, "hsm@example.org", ("a@example.org",))]
    put(db, sinks, clock)
    asyncio.run(Outbox(db, sinks, clock).deliver_due())
    ((state, attempts, error),) = ask(db, "SELECT state, attempts, last_error FROM outbox")
    assert (state, attempts) == ("waiting", 1)
    assert error.startswith("our own mistake")
    assert "attempt_failed" in caplog.text
