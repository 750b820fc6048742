"""`hsmtrail demo`: its sockets, its receivers, its verdict, and the whole run."""

from __future__ import annotations

import io
import json
import smtplib
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta

import pytest
from rich.console import Console
from standardwebhooks import Webhook

from hsmtrail import config, demo, samples
from hsmtrail.demo_receivers import Call, Mail, Receivers
from hsmtrail.demo_screen import Screen
from hsmtrail.demo_sending import BURST, PAUSE, Wires, framed
from hsmtrail.demo_verdict import Found, read_finding, verdict
from hsmtrail.desk import open_desk, utc_now
from hsmtrail.failures import Failure, Misuse
from support.typed import typed

SECRET = "whsec_c2VjcmV0LWZvci10aGUtdGVzdHM="
AT = datetime.fromisoformat("2026-11-18 21:48")
STORY = samples.Story(
    "so-guess",
    "two wrong passwords",
    ("hsm-ams-2",),
    ((AT - timedelta(minutes=1), AT + timedelta(minutes=4)),),
    (samples.Expected("AUTH-01", "so on hsm-ams-2", "critical"),),
)
GUESS = Found("AUTH-01", "so on hsm-ams-2", "hsm-ams-2", "critical", AT, AT)


def changed(found, **facts):
    return Found(**{name: facts.get(name, getattr(found, name)) for name in Found.__slots__})


def test_frames():
    """A message goes with a line feed, with its length, or as a datagram of its own."""
    assert [framed(b"abc", form) for form in ("lf", "octet-counted", "datagram")] == [b"abc\n", b"3 abc", b"abc"]


def test_wires_send_in_order_and_breathe():
    """Each device sends from its own address by its own transport; after a burst of datagrams comes a pause."""
    senders = [samples.Sender("one", "udp", "datagram"), samples.Sender("two", "tcp", "octet-counted")]
    lines = [samples.SampleLine("one", "udp", b"%d" % number, AT) for number in range(BURST)]
    lines.append(samples.SampleLine("two", "tcp", b"hello", AT))
    pauses = []
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, socket.create_server(("127.0.0.1", 0)) as server:
        datagrams.bind(("127.0.0.1", 0))
        ports = {"udp": datagrams.getsockname()[1], "tcp": server.getsockname()[1]}
        with Wires(senders, {"one": "127.0.0.11", "two": "127.0.0.12"}, ports, pauses.append) as wires:
            assert wires.send(lines) == BURST + 1
        assert [datagrams.recvfrom(100)[0] for _ in range(BURST)] == [line.raw for line in lines[:BURST]]
        connection, peer = server.accept()
        with connection:
            assert (connection.recv(100), peer[0]) == (b"5 hello", "127.0.0.12")
    assert pauses == [PAUSE]


def test_receivers_keep_what_comes():
    """Mails are kept with their subject, webhook calls with the verdict on their signature."""
    with Receivers(SECRET) as receivers:
        with smtplib.SMTP("127.0.0.1", receivers.mail_port) as client:
            client.sendmail("a@example.org", ["b@example.org"], "Subject: =?utf-8?q?first_=C3=A9?=\n\nbody")
        body, now = json.dumps({"finding": 1}), datetime.now(UTC)
        signed = {"webhook-id": "m1", "webhook-timestamp": str(int(now.timestamp()))}
        signature = Webhook(SECRET).sign("m1", now, body)
        for headers in ({**signed, "webhook-signature": signature}, {**signed, "webhook-signature": "v1,d3Jvbmc="}):
            request = urllib.request.Request(receivers.webhook_url, body.encode(), headers)
            with urllib.request.urlopen(request) as answer:
                assert answer.status == 204
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(receivers.webhook_url, b"no json", signed))
    assert receivers.mails == [Mail("a@example.org", ("b@example.org",), "first é")]
    assert receivers.calls == [Call("m1", True, {"finding": 1}), Call("m1", False, {"finding": 1})]


def test_story_that_was_told():
    """The finding of the right detector, subject and severity in the story's time tells it."""
    result = verdict([STORY], [GUESS])
    assert (result.good, result.told[0].found, result.told[0].missing) == (True, (GUESS,), ())


@pytest.mark.parametrize(
    "facts",
    [
        {"detector": "AUTH-02"},
        {"subject": "po on hsm-ams-2"},
        {"severity": "high"},
        {"first_seen": AT + timedelta(days=1), "last_seen": AT + timedelta(days=1)},
        {"last_seen": AT + timedelta(days=1)},
        {"device": "hsm-ams-1", "subject": "so on hsm-ams-1"},
    ],
)
def test_story_that_was_missed(facts):
    """Another detector, subject, severity, time or device does not tell the story."""
    result = verdict([STORY], [changed(GUESS, **facts)])
    assert (result.good, result.told[0].missing) == (False, STORY.finds)


@pytest.mark.parametrize(("severity", "explained"), [("low", True), ("medium", False), ("critical", False)])
def test_only_low_findings_need_no_story(severity, explained):
    """A finding above low that no story explains is a mistake."""
    stray = changed(GUESS, device="hsm-fra-1", subject="hsm-fra-1", severity=severity)
    assert verdict([STORY], [GUESS, stray]).good is explained


@pytest.mark.parametrize("facts", [{"detector": "CONF-01"}, {"severity": "medium"}, {"subject": "co on hsm-ams-2"}])
def test_story_explains_only_what_it_names(facts):
    """Another finding above low in a story's time, on its device, is a mistake too."""
    stray = changed(GUESS, **facts)
    result = verdict([STORY], [GUESS, stray])
    assert (result.good, result.unexplained, result.detectors) == (False, (stray,), {"AUTH-01"})


def test_finding_is_read_from_json():
    """A finding is read as `findings list --format json` writes it."""
    row = {"detector": "LOGS-08", "subject": "all", "severity": "low"}
    times = {"first_seen": "2026-11-18T21:48:00.000000Z", "last_seen": "2026-11-18T21:48:00.000000Z"}
    assert read_finding({**row, **times}) == Found("LOGS-08", "all", "", "low", AT, AT)


def test_screen_shows_hostile_text_harmlessly():
    """Text of findings and mails reaches the terminal without its control characters."""
    output = io.StringIO()
    screen = Screen(Console(file=output, width=200))
    screen.verdict(verdict([STORY], [changed(GUESS, device="hsm\x1b", subject="hsm\x1b[2J\u202e")]))
    screen.deliveries([Mail("a", ("b",), "\x1b]0;owned\x07")], [])
    text = output.getvalue()
    assert "MISSING AUTH-01 critical" in text
    assert "NOT EXPLAINED" in text
    assert not any(character in text for character in "\x1b\x07\u202e")


def test_folder_with_a_configuration_is_left_alone(tmp_path):
    """The demo never works in a folder that somebody uses."""
    (tmp_path / "hsmtrail.toml").write_text("")
    with pytest.raises(Misuse, match="choose another folder"):
        demo.run(tmp_path, keep=False)
    assert (tmp_path / "hsmtrail.toml").read_text() == ""


def test_folder_that_cannot_be_made(tmp_path):
    """A folder that cannot be made is the user's mistake, said in a sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Misuse, match="cannot be made"):
        demo.run(tmp_path / "file" / "demo", keep=False)


@pytest.fixture
def configuration(tmp_path):
    """An installation that has said three things and more."""
    (tmp_path / "hsmtrail.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo.log").write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    return config.load(tmp_path / "hsmtrail.toml")


def test_waiting_ends(configuration):
    """What does not come in time is a failure that repeats the service's last words."""
    with pytest.raises(Failure, match=r"nothing came within 0 s: two \| three \| four"):
        demo._once(lambda: None, 0, "nothing came", configuration)


def test_service_that_does_not_start_is_told(configuration):
    """A service that ends at once is not waited for."""
    configuration.below("demo.log").unlink()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        with pytest.raises(Failure, match="ended at once: it said nothing"):
            demo._ready(configuration, process)


@pytest.mark.parametrize("loss", [{"kernel_dropped": 1}, {"refused": {"too long": 1}}, {"cut": 1}])
def test_a_lost_line_is_a_failure(loss):
    """Nothing may be dropped, refused or cut on the way."""
    listener = {"kernel_dropped": 0, "refused": {}, "cut": 0, "received": 5}
    with pytest.raises(Failure, match="1 lines were lost"):
        demo.nothing_lost([listener, {**listener, **loss}])
    demo.nothing_lost([listener, listener])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of a demo that kept everything, and what was printed."""
    folder, printed = tmp_path_factory.mktemp("demo") / "d", io.StringIO()
    with redirect_stdout(printed):
        assert demo.run(folder, keep=True, today=date(2026, 11, 24)) == 0, printed.getvalue()
    return folder, printed.getvalue()


def test_whole_line_kept(kept):
    """Every story is told, nothing else is alarmed, alerts arrive; configuration, data and pack stay with --keep."""
    folder, printed = kept
    assert "2026-W47" in printed
    assert "0 lost" in printed
    assert "MISSING" not in printed
    assert "15 detectors found what the stories hold; nothing else is above low." in printed
    settings = tomllib.loads((folder / "hsmtrail.toml").read_text(encoding="utf-8"))
    assert [device["name"] for device in settings["device"]] == list(demo.SOURCES)
    assert (folder / "data" / "store.duckdb").is_file()
    assert list((folder / "data" / "packs").glob("**/*.html"))


LATE = """\
<86>Nov 21 04:11:30 hsm-ams-1 sshd[25999]: Failed password for invalid user root from 203.0.113.77 port 33990 ssh2
<174>Nov 18 12:00:00 hsm-ams-2 lunash [99]: info : 0 : Command: ntls ipcheck disable  : opsadmin : 192.0.2.50/40000
"""


def tried(settings, wanted=()):
    """How each episode of each detector differs from what was found; of all detectors, or of the wanted."""
    desk = open_desk(settings)
    try:
        return {
            one.id: [row.difference for row in desk.duty.try_out(one.id, datetime(2026, 11, 1), utc_now())]
            for one in desk.duty.detectors
            if not wanted or one.id in wanted
        }
    finally:
        desk.db.close()


def test_trying_what_ran_shows_no_difference(kept):
    """Of no detector, of either kind: neither right after the service, nor when late lines were judged."""
    settings = config.load(kept[0] / "hsmtrail.toml")
    rows = tried(settings)
    assert {word for row in rows.values() for word in row} == {"same"}
    assert rows["AUTH-03"] == ["same"]
    assert "same" in rows["CONF-07"]
    (kept[0] / "late.log").write_text(LATE, encoding="utf-8")
    options = ("--config", str(kept[0] / "hsmtrail.toml"))
    changed = ("AUTH-03", "PRIV-03", "CONF-02", "CONF-07", "LOGS-01")
    assert typed("import", str(kept[0] / "late.log"), *options).returncode == 0
    assert typed("detectors", "run", *changed, *options).returncode == 0
    rows = tried(settings, changed)
    assert {word for row in rows.values() for word in row} == {"same"}
    assert rows["CONF-02"] == ["same"]
    last = typed("detectors", "try", "AUTH-03", "--since", "2026-11-01", *options).stdout.splitlines()[-1]
    assert last == "no difference: it finds what it found"


def test_whole_line_cleaned_up(tmp_path, monkeypatch, capsys):
    """Without --keep only the pack is left, in a new folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert demo.run(None, keep=False) == 0, capsys.readouterr().out
    left = sorted(path.name for path in (tmp_path / "demo-2").iterdir())
    assert len(left) == 3
    assert [name for name in left if name.endswith(".html")]
    assert str(next((tmp_path / "demo-2").glob("*.html"))) in capsys.readouterr().out
