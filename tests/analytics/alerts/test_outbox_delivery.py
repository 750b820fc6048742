"""The outbox with real receivers: nothing lost, nothing repeated, whatever is down."""

import asyncio
import dataclasses
import itertools
from datetime import timedelta

import pytest

from analytics.alerts.outbox import LONGEST_DELAY, Outbox
from analytics.alerts.sinks import WebhookSink
from support.alerting import NOON, SECRET, Hook, MailServer
from support.outboxes import ask, finding, mailbox, put, put_pack, states


def test_delivered_once(db, clock):
    """Accepted by mail and webhook: marked, kept with the answers, and never sent again."""
    server, hook = MailServer(), Hook()

    async def scene():
        async with server.listening(), hook.listening():
            sinks = [mailbox(server), WebhookSink("hook", hook.url, secret=SECRET)]
            put(db, sinks, clock)
            outbox = Outbox(db, sinks, clock)
            first = await outbox.deliver_due()
            clock.forward(86400)
            return first, await outbox.deliver_due(), await Outbox(db, sinks, clock).deliver_due()

    assert asyncio.run(scene()) == (2, 0, 0)
    assert (len(server.mails), len(hook.calls)) == (1, 1)
    assert states(db) == {"delivered": 2}
    rows = ask(db, "SELECT sink, attempt, attempted_at, accepted, answer FROM deliveries ORDER BY sink")
    assert rows == [("hook", 1, NOON, True, "204 No Content"), ("post", 1, NOON, True, "kept")]


def test_down_then_up(db, clock):
    """While the mail server is down nothing is lost; when it is up everything comes, once."""
    server = MailServer()

    async def scene():
        async with server.listening():
            pass
        sinks = [mailbox(server)]
        put(db, sinks, clock, finding(1), finding(2), finding(3))
        outbox = Outbox(db, sinks, clock)
        for _ in range(6):
            assert await outbox.deliver_due() == 0
            clock.forward(60)
        assert states(db) == {"waiting": 3}
        assert ask(db, "SELECT count(*) FROM deliveries WHERE accepted")[0][0] == 0
        clock.forward(LONGEST_DELAY)
        async with server.listening(port=server.port):
            assert await outbox.deliver_due() == 3
            clock.forward(LONGEST_DELAY)
            assert await outbox.deliver_due() == 0

    asyncio.run(scene())
    assert [mail["X-Hsmtrail-Finding"] for mail in server.mails] == ["1", "2", "3"]
    assert states(db) == {"delivered": 3}
    assert ask(db, "SELECT DISTINCT last_error FROM outbox") == [("",)]


def test_a_sink_that_is_down_is_not_asked_for_every_row(db, clock):
    """One attempt finds out; all that waits for the sink waits as long, and status can say why."""
    server = MailServer()

    async def scene():
        async with server.listening():
            pass
        sinks = [mailbox(server)]
        put(db, sinks, clock, *(finding(number) for number in range(50)))
        await Outbox(db, sinks, clock).deliver_due()

    asyncio.run(scene())
    assert ask(db, "SELECT count(*) FROM deliveries") == [(1,)]
    ((untils, errors, tried),) = ask(
        db,
        "SELECT count(DISTINCT next_attempt_at), count(*) FILTER (last_error LIKE '%Connect%'), sum(attempts) FROM outbox",
    )
    assert (untils, errors, tried) == (1, 50, 1)


def test_backoff_follows_the_clock(db, clock):
    """Each failure doubles the wait, up to 15 minutes; before its time a row is left alone."""
    hook, waits = Hook(status=500), []

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url)]
            put(db, sinks, clock)
            outbox = Outbox(db, sinks, clock)
            for _ in range(12):
                await outbox.deliver_due()
                calls = len(hook.calls)
                ((until,),) = ask(db, "SELECT next_attempt_at FROM outbox")
                waits.append((until - clock()).total_seconds())
                clock.now = until - timedelta(microseconds=1)
                await outbox.deliver_due()
                assert len(hook.calls) == calls
                clock.now = until

    asyncio.run(scene())
    assert len(hook.calls) == 12
    assert waits[0] <= 2
    assert all(later > earlier for earlier, later in itertools.pairwise(waits[:9]))
    assert max(waits) <= LONGEST_DELAY
    assert ask(db, "SELECT attempts, last_error FROM outbox") == [(12, "500 Internal Server Error")]


def test_a_receiver_may_ask_for_patience(db, clock):
    """Retry-After longer than our own wait is kept to."""
    hook = Hook(status=429, headers={"Retry-After": "300"})

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url)]
            put(db, sinks, clock)
            await Outbox(db, sinks, clock).deliver_due()

    asyncio.run(scene())
    assert ask(db, "SELECT next_attempt_at FROM outbox") == [(NOON + timedelta(seconds=300),)]


def test_refused_for_good_still_waits(db, clock):
    """410 Gone is tried again as well: the operator may mend the address; the row says what is wrong."""
    hook = Hook(status=410)

    async def scene():
        async with hook.listening():
            sinks = [WebhookSink("hook", hook.url)]
            put(db, sinks, clock)
            outbox = Outbox(db, sinks, clock)
            await outbox.deliver_due()
            ((state, error),) = ask(db, "SELECT state, last_error FROM outbox")
            assert state == "waiting"
            assert "hardly accept" in error
            hook.status = 200
            clock.forward(LONGEST_DELAY)
            assert await outbox.deliver_due() == 1

    asyncio.run(scene())


def test_the_worst_first(db, clock):
    """Critical before high before medium, the oldest first among equals: what waits long does not hide what is urgent."""
    server = MailServer()

    async def scene():
        async with server.listening():
            sinks = [mailbox(server, min_severity="info")]
            kinds = ["info", "medium", "critical", "low", "high", "critical"]
            put(db, sinks, clock, *(finding(number, severity=kind) for number, kind in enumerate(kinds)))
            await Outbox(db, sinks, clock).deliver_due()

    asyncio.run(scene())
    assert [int(mail["X-Hsmtrail-Finding"]) for mail in server.mails] == [2, 5, 4, 1, 3, 0]


def test_a_row_that_is_refused_holds_up_no_other(db, clock):
    """A message that the receiver does not take waits; the next one goes."""
    server = MailServer(data_answer="552 too large")

    def then_accept():
        server.data_answer = "250 kept"

    async def scene():
        async with server.listening():
            server.on_data = then_accept
            sinks = [mailbox(server)]
            put(db, sinks, clock, finding(1), finding(2))
            assert await Outbox(db, sinks, clock).deliver_due() == 1

    asyncio.run(scene())
    assert ask(db, "SELECT finding, state FROM outbox ORDER BY id") == [(1, "waiting"), (2, "delivered")]


def test_only_the_refused_are_tried_again(db, clock):
    """Of two recipients the one who has it gets no second mail."""
    server = MailServer(refused=("b@example.org",))

    async def scene():
        async with server.listening():
            sinks = [dataclasses.replace(mailbox(server), recipients=("a@example.org", "b@example.org"))]
            put(db, sinks, clock)
            outbox = Outbox(db, sinks, clock)
            assert await outbox.deliver_due() == 0
            server.refused = ()
            clock.forward(60)
            assert await outbox.deliver_due() == 1

    asyncio.run(scene())
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["a@example.org"], ["b@example.org"]]
    assert len({mail["Message-ID"] for mail in server.mails}) == 1


@pytest.mark.parametrize("broken", ["no sink", "no message", "no pack"])
def test_what_can_never_be_sent_is_dead(db, clock, tmp_path, broken):
    """A sink that is not configured any more, a row that is no message, a pack that is gone: dead, with the reason."""
    server = MailServer()

    async def scene():
        async with server.listening():
            sinks = [mailbox(server)]
            if broken == "no pack":
                put_pack(db, sinks, clock, tmp_path / "gone.html")
            else:
                put(db, sinks, clock)
            if broken == "no message":
                with db.transaction() as cursor:
                    cursor.execute("UPDATE outbox SET message = '{}'")
            await Outbox(db, [] if broken == "no sink" else sinks, clock).deliver_due()

    asyncio.run(scene())
    ((state, error, attempts),) = ask(db, "SELECT state, last_error, attempts FROM outbox")
    words = {"no sink": "has the name post any more", "no message": "cannot be read", "no pack": "gone.html"}
    assert (state, attempts, server.mails) == ("dead", 1, [])
    assert words[broken] in error
    assert ask(db, "SELECT accepted, answer FROM deliveries") == [(False, error)]
