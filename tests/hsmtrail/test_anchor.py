"""The chain's heads outside: sent once a day, shown by `status`, and checked by `hsmtrail verify --anchor`."""

import dataclasses
import json
from datetime import timedelta

import pytest

from analytics.alerts.forms import form
from analytics.alerts.letter import write_letter
from analytics.alerts.message import AnchorMessage, ChainHead, as_text, from_text
from analytics.alerts.sinks import EmailSink, WebhookSink
from hsmtrail.anchor import send_anchor
from hsmtrail.client import local_desk
from hsmtrail.config import load
from hsmtrail.desk import utc_now
from support.alerting import KEY, NOON
from support.evidence import history

HEAD = ChainHead("main", 1 << 48 | 7, "ab" * 32)
ANCHOR = AnchorMessage("anchor", KEY, NOON, (HEAD,), "cd" * 32)
MAIL = EmailSink("duty", "mail.example.org", 25, "hsmtrail@example.org", ("duty@example.org",), tls="none")
SINKS = """
[[alert.email]]
name = "duty"
smtp = "127.0.0.1:9"
from = "hsmtrail@example.org"
to = ["duty@example.org"]
min_severity = "critical"
tls = "none"
[[alert.webhook]]
name = "pager"
url = "http://127.0.0.1:9/"
format = "pagerduty"
secret_file = "pager.secret"
"""


def test_it_comes_out_of_the_outbox_as_it_went_in():
    """Complete in itself."""
    assert from_text(as_text(ANCHOR)) == ANCHOR


def test_mail_and_webhook_show_it():
    """Spool, batch, digest, the manifest's head, and how to check them."""
    letter = write_letter(ANCHOR, MAIL)
    assert letter["Subject"] == "[hsmtrail] Evidence: heads of the chain on 2026-11-23"
    bodies = [part.get_content() for part in letter.walk() if part.get_content_maintype() == "text"]
    assert len(bodies) == 2
    webhooks = [WebhookSink("hook", "http://127.0.0.1/", kind) for kind in ("slack", "teams", "json")]
    shown = [*bodies, *(json.dumps(form(ANCHOR, sink)) for sink in webhooks)]
    for text in shown:
        assert all(word in text for word in (str(HEAD.batch), HEAD.sha256, ANCHOR.manifest, "main"))
    assert all("hsmtrail verify --anchor" in text for text in shown[:-1])
    assert form(ANCHOR, webhooks[2])["type"] == "evidence.anchor"


@pytest.fixture
def lived(site):
    (site.folder / "pager.secret").write_text("routing-key")
    site.write(site.text + SINKS)
    history(site)
    return site


def sent(site):
    return site.query("SELECT sink, kind, message->'heads' AS heads, message->>'manifest' AS manifest FROM outbox")


def test_it_is_sent_once_a_day(lived):
    """A day after the first batch, and a day after the last anchor; whatever a sink's least severity, pagerduty aside."""
    first = utc_now()
    with local_desk(load(lived.config)) as desk:
        for hours, count in ((1, 0), (25, 1), (26, 0), (48, 0), (50, 1)):
            later = dataclasses.replace(desk, now=lambda hours=hours: first + timedelta(hours=hours))
            assert send_anchor(later) == count, hours
    rows = sent(lived)
    assert [(row["sink"], row["kind"]) for row in rows] == [("duty", "anchor")] * 2
    lived.write(lived.text.replace("[[alert.email]]", "[alert]\nanchor = false\n[[alert.email]]"))
    with local_desk(load(lived.config)) as desk:
        assert send_anchor(dataclasses.replace(desk, now=lambda: first + timedelta(days=9))) == 0


def test_status_and_verify_show_the_same_heads(lived):
    """And verify says whether the chain goes through an anchor still."""
    status, found = lived.json("status")["evidence"], lived.json("verify")
    heads = {head["name"]: (head["batch"], head["sha256"]) for head in found["heads"]}
    assert {head["name"]: (head["batch"], head["sha256"]) for head in status["heads"]} == heads
    assert status["manifest"] == found["manifest"] != ""
    assert status["archive_bytes"] > 0
    shown = lived.command("status").stdout
    assert all(sha256 in shown for _, sha256 in heads.values())
    batch, sha256 = heads["main"]
    assert lived.command("verify", "--anchor", f"{batch}={sha256}").returncode == 0
    for wrong, words in (
        (f"{batch}={'0' * 64}", "another SHA-256 than its anchor"),
        (f"{batch + 9}={sha256}", "there is no batch"),
    ):
        done = lived.command("verify", "--anchor", wrong, "--format", "json", check=False)
        assert done.returncode == 1
        assert [words in fault["what"] for fault in json.loads(done.stdout)["faults"]] == [True]
    assert lived.command("verify", "--anchor", "1=x", check=False).returncode == 2


def test_status_foretells_the_room(lived):
    """Days at the rate of the last day, and an alarm when there is more than warn_bytes."""
    with local_desk(load(lived.config)) as desk, desk.db.transaction() as cursor:
        cursor.execute("UPDATE batches SET committed_at = committed_at - INTERVAL 12 HOURS")
    evidence = lived.json("status")["evidence"]
    used = sum(evidence[name] for name in ("spool_bytes", "archive_bytes", "store_bytes"))
    assert evidence["bytes_per_day"] == pytest.approx(2 * used, rel=0.3)
    assert evidence["days_left"] == pytest.approx(evidence["free_bytes"] / evidence["bytes_per_day"], rel=0.1)
    assert evidence["alarms"] == []
    lived.write(lived.text + "[spool]\nwarn_bytes = 1048576\n")
    (lived.folder / "data/spool/main/000000000001.arrow.torn").write_bytes(bytes(2 << 20))
    (alarm,) = lived.json("status")["evidence"]["alarms"]
    assert "more than spool.warn_bytes = 1,048,576" in alarm
    assert alarm in " ".join(lived.command("status").stdout.split())
