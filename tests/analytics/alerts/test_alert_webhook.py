"""Webhooks: the signature, what counts as acceptance, and the forms of each receiver."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from analytics.alerts.forms import dedup_key, form
from analytics.alerts.message import Line
from analytics.alerts.sinks import WebhookSink
from analytics.alerts.webhook import post
from support.alerting import FINDING, NOON, PACK, SECRET, TRIAL, Hook, make_certificate

HOSTILE = "<!channel> <http://evil.example.net|click> [click](https://evil.example.net) *b* \u202e\x1b[31m\r\n"


def attempt(hook, message=FINDING, now=NOON, seconds=5.0, **changes):
    async def once():
        async with hook.listening():
            return await post(message, WebhookSink("w", hook.url, **changes), now, seconds)

    return asyncio.run(once())


def test_signed():
    """The signature holds for the bytes that arrive, and for no others."""
    hook, now = Hook(), datetime.now(UTC).replace(tzinfo=None)
    assert attempt(hook, now=now, secret=SECRET).accepted
    body, headers = hook.calls[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "finding.opened"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"high", b"info"), headers)


def test_each_attempt_has_the_same_id_and_its_own_time():
    """A receiver drops a repeat by its webhook-id; the stamp is fresh, or receivers would call it a replay."""
    hook = Hook(status=503)
    attempt(hook, secret=SECRET)
    attempt(hook, secret=SECRET, now=NOON.replace(hour=13))
    (_, first), (_, second) = hook.calls
    assert first["webhook-id"] == second["webhook-id"] == f"msg_{FINDING.key}"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600


def test_unsigned_without_a_secret():
    """No secret, no signature; the id is there all the same."""
    hook = Hook()
    assert attempt(hook).accepted
    headers = hook.calls[0][1]
    assert "webhook-signature" not in headers
    assert headers["webhook-id"] == f"msg_{FINDING.key}"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_accepted(status):
    """Any 2xx is acceptance."""
    assert attempt(Hook(status=status)).accepted


@pytest.mark.parametrize(
    ("status", "reached", "words"),
    [
        (302, True, "redirects are not followed"),
        (400, True, "400"),
        (401, False, "hardly accept"),
        (404, False, "hardly accept"),
        (408, False, "408"),
        (410, False, "hardly accept"),
        (422, True, "422"),
        (429, False, "429"),
        (500, False, "500"),
    ],
)
def test_refused(status, reached, words):
    """Everything else is tried again; the answer says what the receiver said, and whether the address is at fault."""
    hook = Hook(status=status, text="no", headers={"Location": "/other"} if status == 302 else {})
    answer = attempt(hook)
    assert (answer.accepted, answer.reached) == (False, reached)
    assert words in answer.text
    assert ("hardly" in answer.text) == ("hardly" in words)
    assert len(hook.calls) == 1


@pytest.mark.parametrize(("header", "wanted"), [("120", 120), ("999999", 900), ("soon", 0), ("9" * 50, 0), ("-5", 0)])
def test_retry_after(header, wanted):
    """A receiver may ask for patience, up to 15 minutes."""
    assert attempt(Hook(status=429, headers={"Retry-After": header})).wait == wanted


def test_a_receiver_that_never_answers():
    """The time is up after the limit."""
    answer = attempt(Hook(hangs=True), seconds=0.3)
    assert (answer.accepted, answer.reached, answer.text) == (False, False, "no answer in time")


def test_nobody_there():
    """A receiver that is down is an answer, and the secret address is not in it."""
    hook = Hook()
    attempt(hook)
    answer = asyncio.run(post(FINDING, WebhookSink("w", hook.url), NOON))
    assert (answer.accepted, answer.reached) == (False, False)
    assert "T0KEN" not in answer.text


@pytest.mark.parametrize("status", [200, 500])
def test_a_broken_body_changes_nothing(status):
    """The status decides; what breaks off after it does not."""
    assert attempt(Hook(status=status, breaks_off=True)).accepted is (status == 200)


def test_what_is_no_http():
    """Bytes that are no HTTP are an answer without the address."""

    async def once():
        async def talk(reader, writer):
            writer.write(b"220 this is SMTP\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await post(FINDING, WebhookSink("w", f"http://127.0.0.1:{port}/T0KEN"), NOON)

    answer = asyncio.run(once())
    assert (answer.accepted, answer.reached) == (False, False)
    assert "T0KEN" not in answer.text


def test_an_address_that_is_none():
    """Found out when it is used, and said."""
    answer = asyncio.run(post(FINDING, WebhookSink("w", "http://[::1/T0KEN".replace("[::1", "a b")), NOON))
    assert (answer.accepted, answer.reached) == (False, False)
    assert "T0KEN" not in answer.text


def test_a_long_hostile_answer():
    """At most 500 characters are kept, none of them unseen."""
    answer = attempt(Hook(status=500, text="\x1b[31m\u202e" + "x" * 100_000))
    assert len(answer.text) <= 500
    assert "\\u001b[31m\\u202e" in answer.text


def test_https_wants_a_certificate_that_verifies(tmp_path):
    """A receiver that cannot prove who it is gets nothing."""

    async def once():
        async def talk(reader, writer):
            raise AssertionError("nothing may arrive")

        context = make_certificate(tmp_path).server()
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await post(FINDING, WebhookSink("w", f"https://localhost:{port}/"), NOON)

    answer = asyncio.run(once())
    assert (answer.accepted, answer.reached) == (False, False)
    assert "certificate" in answer.text.lower()


def test_our_own_form():
    """Contract: type, timestamp, data; the finding as the command line gives it, and what a person needs beside it."""
    document = form(FINDING, WebhookSink("w", "http://127.0.0.1/"))
    assert (document["type"], document["timestamp"]) == ("finding.opened", "2026-11-23T12:00:00.250000Z")
    assert document["data"] == {
        "id": 7,
        "detector": "AUTH-01",
        "title": "Wrong HSM Security Officer secret",
        "subject": "so on hsm1",
        "device": "hsm1",
        "severity": "high",
        "state": "open",
        "first_seen": "2026-11-23T12:00:00.250000Z",
        "last_seen": "2026-11-23T12:00:00.250000Z",
        "records": [281474976710657, 281474976710658],
        "record_count": 2,
        "columns": {"role": "so", "tries_left": 2},
        "tries_left": 2,
        "consequence": document["data"]["consequence"],
        "runbook": "1. Stop.\n2. Ask.",
        "lines": [{"record_id": 281474976710657, "event_at": "2026-11-23T12:00:00.250000Z", "raw": "raw \u202e line"}],
    }
    assert "zeroizes" in document["data"]["consequence"]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (replace(FINDING, reason="raised"), "finding.raised"),
        (replace(FINDING, reason="reopened"), "finding.reopened"),
        (PACK, "pack.ready"),
        (TRIAL, "test"),
    ],
)
def test_types(message, kind):
    """A receiver tells by the type what it got."""
    assert form(message, WebhookSink("w", "http://127.0.0.1/"))["type"] == kind


@pytest.mark.parametrize("message", [FINDING, PACK, TRIAL])
@pytest.mark.parametrize("name", ["slack", "teams", "pagerduty"])
def test_every_form_is_json(message, name):
    """Each message has a form for each receiver, with its headline in it."""
    text = json.dumps(form(message, WebhookSink("w", "http://127.0.0.1/", name, SECRET)), allow_nan=False)
    assert {"finding": "AUTH-01 Wrong", "pack": "Week 47", "test": "alerts from here arrive"}[message.type] in text


HOSTILE_FINDING = replace(
    FINDING, subject=HOSTILE, columns={HOSTILE: HOSTILE, "tries_left": 1, "role": "so"}, lines=(Line(1, NOON, HOSTILE),)
)


def test_slack_cannot_be_made_to_mention_or_link():
    """Log text stands in plain_text only; the one text that Slack reads as its markup has none."""
    document = form(HOSTILE_FINDING, WebhookSink("w", "http://127.0.0.1/", "slack"))
    assert document["text"] == "HIGH: AUTH-01 Wrong HSM Security Officer secret on hsm1 (2 records)"
    texts = [block["text"] for block in document["blocks"]]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert all(len(text["text"]) <= 3000 for text in texts)
    shown = "".join(text["text"] for text in texts)
    assert "TRIES LEFT: 1" in shown
    assert "http://" not in shown
    assert "\u202e" not in shown


def test_slack_escapes_a_title():
    """A site's own detector may have any title."""
    assert (
        "&lt;!channel&gt;" in form(replace(FINDING, title="<!channel>"), WebhookSink("w", "http://h/", "slack"))["text"]
    )


def test_teams_knows_no_markdown_in_log_text():
    """Only the headline is a TextBlock, its Markdown escaped; all else is a RichTextBlock; in all below 28 kB."""
    big = replace(
        HOSTILE_FINDING,
        title="[x](y)",
        lines=(Line(1, NOON, "x" * 2000),) * 5,
        columns={f"c{i}": "y" * 2000 for i in range(50)},
    )
    document = form(big, WebhookSink("w", "http://127.0.0.1/", "teams"))
    body = document["attachments"][0]["content"]["body"]
    assert [block["type"] for block in body] == ["TextBlock"] + ["RichTextBlock"] * (len(body) - 1)
    assert "\\[x\\]\\(y\\)" in body[0]["text"]
    assert len(json.dumps(document)) < 28_000


def test_pagerduty():
    """One incident a finding: raised and reopened messages meet the first one's."""
    sink = WebhookSink("w", "http://127.0.0.1/", "pagerduty", "R0UTE")
    document = form(FINDING, sink)
    assert (document["routing_key"], document["event_action"]) == ("R0UTE", "trigger")
    payload = document["payload"]
    assert (payload["severity"], payload["source"], payload["component"]) == ("error", "hsm1", "AUTH-01")
    assert payload["custom_details"]["tries_left"] == 2
    raised = replace(FINDING, reason="raised", severity="critical", key="f" * 32, last_seen=NOON.replace(hour=13))
    assert form(raised, sink)["dedup_key"] == document["dedup_key"]
    assert form(raised, sink)["payload"]["severity"] == "critical"
    others = [replace(FINDING, finding=8), replace(FINDING, opened_at=NOON.replace(hour=1)), PACK, TRIAL]
    assert len({dedup_key(message) for message in [FINDING, *others]}) == 4  # pack and test share the sample's key


def test_pagerduty_is_not_signed():
    """Its secret is a routing key, not a signing key."""
    hook = Hook(status=202)
    assert attempt(hook, format="pagerduty", secret="R0UTE").accepted
    assert "webhook-signature" not in hook.calls[0][1]
