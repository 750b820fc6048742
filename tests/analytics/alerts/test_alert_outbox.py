"""The outbox with real receivers: nothing lost, nothing repeated, whatever is down."""

import asyncio
import dataclasses
import itertools
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.alerts.outbox import LONGEST_DELAY, Limits, Outbox, delay, enqueue, enqueue_pack, enqueue_test
from analytics.alerts.sinks import EmailSink, WebhookSink
from analytics.case_tables import fill
from store.database import Database
from store.findings import Finding
from support.alerting import NOON, SECRET, Clock, Hook, MailServer
from support.records import put_one

RAW = "2026-11-23T12:00:00Z hsm1 lunash: HSM Admin Login: incorrect password \u202e<b>"


def finding(number=7, **changes):
    values = {
        "id": number,
        "detector": "AUTH-01",
        "kind": "episodes",
        "title": "Wrong HSM Security Officer secret",
        "subject": "so on hsm1",
        "device": "hsm1",
        "severity": "high",
        "state": "open",
        "disposition": "",
        "owner": "",
        "first_seen": NOON,
        "last_seen": NOON,
        "opened_at": NOON,
        "updated_at": NOON,
        "closed_at": None,
        "alerted_severity": "",
        "superseded_by": None,
        "change_ticket": "",
        "record_count": 1,
        "columns": {"role": "so", "tries_left": 2},
        "detector_sha256": "ab" * 32,
        "parameters": {},
    }
    return Finding(**{field.name: {**values, **changes}[field.name] for field in dataclasses.fields(Finding)})


@pytest.fixture
def db(tmp_path):
    database = Database.open(tmp_path / "store.duckdb")
    yield database
    database.close()


@pytest.fixture
def clock():
    return Clock()


def mailbox(server, name="post", **changes):
    return EmailSink(name, "127.0.0.1", server.port, "hsm@example.org", ("a@example.org",), tls="none", **changes)


def put(db, sinks, clock, *findings, reason="opened"):
    with db.transaction() as cursor:
        return sum(enqueue(cursor, one, reason, sinks, clock(), runbook="1. Stop.") for one in findings or [finding()])


def ask(db, sql):
    with db.reader() as cursor:
        return cursor.execute(sql).fetchall()


def states(db):
    return dict(ask(db, "SELECT state, count(*) FROM outbox GROUP BY state"))


@given(row=st.integers(1, 2**62), attempts=st.integers(1, 10_000))
def test_delay(row, attempts):
    """Doubling from 2 s to 15 minutes, up to a fifth shorter, never longer, the same each time it is asked."""
    seconds = delay(row, attempts).total_seconds()
    longest = min(2.0 * 2 ** (attempts - 1), LONGEST_DELAY) if attempts < 30 else LONGEST_DELAY
    assert 0.79 * longest <= seconds <= longest
    assert delay(row, attempts) == delay(row, attempts)


def test_rows_spread():
    """Rows that failed together do not come back together."""
    assert len({delay(row, 5) for row in range(100)}) > 90


def test_enqueue_writes_for_those_who_want_it(db, clock):
    """One row for each sink whose least severity is reached, due at once."""
    sinks = [
        EmailSink("low", "h", 25, "a@example.org", ("b@example.org",), "low"),
        EmailSink("top", "h", 25, "a@example.org", ("b@example.org",), "critical"),
        WebhookSink("hook", "http://127.0.0.1/", min_severity="high"),
    ]
    assert put(db, sinks, clock) == 2
    rows = ask(db, "SELECT id, finding, sink, kind, severity, created_at, next_attempt_at, attempts FROM outbox")
    assert sorted(rows) == [
        (1, 7, "low", "finding", "high", NOON, NOON, 0),
        (2, 7, "hook", "finding", "high", NOON, NOON, 0),
    ]
    assert put(db, sinks, clock, finding(severity="info")) == 0


def test_enqueue_is_part_of_the_transaction(db, clock):
    """A finding that is rolled back sends nothing."""
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]

    def write_and_fail():
        with db.transaction() as cursor:
            assert enqueue(cursor, finding(), "opened", sinks, clock()) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert states(db) == {}


def test_enqueue_takes_the_newest_lines(db, clock):
    """Five lines at most, the newest, in the order of their time; a device that is not configured is left out."""
    with db.transaction() as cursor:
        for number in range(1, 9):
            record(cursor, number, raw=f"{RAW} {number} " + "x" * 5000)
            cursor.execute("INSERT INTO finding_records VALUES (7, ?), (8, ?)", [number, number])
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]
    put(db, sinks, clock, finding(record_count=8, columns=json.dumps({"tries_left": 2})))
    ((text,),) = ask(db, "SELECT message FROM outbox")
    message = json.loads(text)
    assert message["records"] == list(range(1, 9))
    assert [line["record_id"] for line in message["lines"]] == [8, 7, 6, 5, 4]
    assert all(len(line["raw"]) < 2100 for line in message["lines"])
    assert message["columns"] == {"tries_left": 2}
    assert message["device"] == ""
    with db.transaction() as cursor:
        fill(cursor, "devices", [{"name": "hsm1"}])
    put(db, sinks, clock)
    assert json.loads(ask(db, "SELECT message FROM outbox ORDER BY id DESC")[0][0])["device"] == "hsm1"


def record(cursor, number, raw):
    """A row of records; what is not named here is empty."""
    put_one(cursor, record_id=number, received_at=NOON, event_at=NOON - timedelta(seconds=number), raw=raw)


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


def put_pack(db, sinks, clock, path):
    with db.transaction() as cursor:
        words = {"name": "2026-W47", "title": "Week 47", "summary": ["2 findings open"], "sha256": "ab" * 32}
        return enqueue_pack(cursor, sinks, clock(), path=path, recipients=["r@example.org"], **words)


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


def rename(db, old, new):
    with db.transaction() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


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


def test_no_two_rows_share_an_id(db, clock):
    """Not even in a store that was rebuilt and counts from 1 again: keys are drawn, not counted."""
    sinks = [EmailSink("post", "h", 25, "a@example.org", ("b@example.org",))]
    put(db, sinks, clock, finding(1), finding(2))
    keys = [json.loads(text)["key"] for (text,) in ask(db, "SELECT message FROM outbox")]
    assert len(set(keys)) == 2


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
