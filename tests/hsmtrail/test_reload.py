"""SIGHUP: receiver and service go on by what their files say now, and no connection is cut."""

import json
import signal
import socket

import pytest

from analytics.detector import load
from support.bench import CHAINS, write_detector
from support.installation import BASIC, eventually

TCP = """
data_dir = "data"
[[listener]]
name = "tcp"
protocol = "tcp"
address = "127.0.0.1:{port}"
{more}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def said(site, event, role="receive"):
    """The facts of each line of the log with this event."""
    lines = [json.loads(line) for line in site.log(role).splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def connect(site, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", site.port("tcp")), 20, (source, 0))


def listener(site):
    status = json.loads((site.folder / "data" / "spool" / "main" / "status.json").read_text())
    return status["listeners"][0]


def receiving(site, port, more=""):
    site.write(TCP.format(port=port, more=more))
    process = site.start("receive")
    eventually(lambda: said(site, "listening"))
    return process


def reload(site, process, text, event="reloaded"):
    before = len(said(site, event))
    site.write(text)
    process.send_signal(signal.SIGHUP)
    return eventually(lambda: said(site, event)[before:])[0]


def test_other_senders_are_let_in_and_nobody_else_is_cut_off(site):
    """Who may no longer send is closed, with what it sent kept; who still may goes on, on the same connection."""
    port = free_port()
    process = receiving(site, port)
    with connect(site) as one, connect(site, "127.0.0.2") as two:
        one.sendall(b"before one\n")
        two.sendall(b"before two\n")
        eventually(lambda: listener(site)["spooled"] == 2)
        reload(site, process, TCP.format(port=port, more='allow = ["127.0.0.2/32"]\nmax_connections_per_peer = 1'))
        assert one.recv(1) == b""
        two.sendall(b"after two\n")
        eventually(lambda: listener(site)["spooled"] == 3)
        for source in ("127.0.0.1", "127.0.0.2"):
            with connect(site, source) as refused:
                assert refused.recv(1) == b""
    eventually(lambda: listener(site)["connections_refused"] == {"not_allowed": 1, "too_many_connections_of_peer": 1})
    assert process.poll() is None


def test_a_broken_file_changes_nothing(site):
    """Its mistakes are in the log, and the settings in force are those of the last reload, not of the start."""
    port = free_port()
    process = receiving(site, port)
    reload(site, process, TCP.format(port=port, more='allow = ["127.0.0.1/32"]'), "reloaded")
    with connect(site) as sender:
        refused = reload(site, process, TCP.format(port=port, more="colour = 1"), "reload_refused")
        assert refused["mistakes"] == ["listener[1].colour  is no key of this table"]
        sender.sendall(b"line\n")
        eventually(lambda: listener(site)["spooled"] == 1)
    with connect(site, "127.0.0.9") as stranger:
        assert stranger.recv(1) == b""
    assert len(said(site, "reloaded")) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda text, port: text.replace(f":{port}", ":0"), "listener tcp: port"),
        (lambda text, port: text.replace('"tcp"\nprotocol', '"other"\nprotocol'), "listener other: it is new"),
        (lambda text, port: text + "[spool]\nnumber = 2\n", "number"),
        (lambda text, port: text + "[receiver]\npending_bytes = 1048576\n", "pending_bytes"),
    ],
)
def test_what_needs_a_new_start_is_said(site, change, what):
    """And everything else is followed."""
    port = free_port()
    process = receiving(site, port)
    done = reload(site, process, change(TCP.format(port=port, more=""), port))
    assert what in done["needs_a_restart"]
    with connect(site) as sender:
        sender.sendall(b"line\n")
        eventually(lambda: listener(site)["spooled"] == 1)


def test_serve_tells_both(site):
    """The service knows the new device, the receiver keeps its connection; neither process is another one."""
    serve = site.start()
    before = site.running("receiver", "service")
    line = b"<172>Nov 23 08:15:01 hsm-9 lunash[7]: HSM Admin Login: incorrect password or PED key\n"
    with connect(site) as sender:
        sender.sendall(line)
        eventually(lambda: site.query("SELECT count(*) AS n FROM records WHERE device = ''") == [{"n": 1}])
        site.write(BASIC + '[[device]]\nname = "hsm-9"\n')
        serve.send_signal(signal.SIGHUP)
        eventually(lambda: len(said(site, "reloaded", "serve")) == 2)
        eventually(lambda: len(said(site, "ready", "serve")) == 2)
        sender.sendall(line)
        eventually(lambda: site.query("SELECT count(*) AS n FROM records WHERE device = 'hsm-9'") == [{"n": 1}])
    after = site.running("receiver", "service")
    assert [after[part]["pid"] for part in ("receiver", "service")] == [
        before[part]["pid"] for part in ("receiver", "service")
    ]


def test_a_service_whose_files_are_broken_goes_on_as_it_was(site):
    """Detectors and patterns of the site are looked at before anything is stopped."""
    folder = site.folder / "patterns"
    folder.mkdir()
    site.write('pattern_folders = ["patterns"]\n' + BASIC)
    process = site.start("work")
    eventually(lambda: said(site, "ready", "work"))
    (folder / "broken.toml").write_text("nonsense = [")
    process.send_signal(signal.SIGHUP)
    refused = eventually(lambda: said(site, "reload_refused", "work"))
    assert "broken.toml" in str(refused[0]["mistakes"])
    assert process.poll() is None
    assert site.status()["service"]["running"]


def test_a_changed_detector_of_the_site_is_in_force_without_a_restart(site):
    """The same process judges by the new text; a broken one is refused with file and line, and the last good one goes on."""
    folder = site.folder / "own"
    folder.mkdir()
    write_detector(folder, id="OWN-01")
    site.write('detector_folders = ["own"]\n' + BASIC)
    process = site.start("work")
    eventually(lambda: said(site, "ready", "work"))
    versions = [load(folder / "something.sql").sha256]
    assert judging(site) == versions
    write_detector(folder, CHAINS + "-- changed\n", id="OWN-01")
    versions.append(load(folder / "something.sql").sha256)
    process.send_signal(signal.SIGHUP)
    eventually(lambda: len(said(site, "ready", "work")) == 2)
    assert judging(site) == versions
    assert said(site, "detectors_changed", "work")[0]["files"] == [str(folder / "something.sql")]
    write_detector(folder, "SELECT nonsense", id="OWN-01")
    process.send_signal(signal.SIGHUP)
    refused = eventually(lambda: said(site, "reload_refused", "work"))
    assert "something.sql:16:" in str(refused[0]["mistakes"])
    assert judging(site) == versions
    assert process.poll() is None


def judging(site):
    """Run the site's detector; the versions that have judged so far, in their order."""
    assert site.json("detectors", "run", "OWN-01")[0]["state"] == "ran"
    rows = site.query("SELECT version FROM runs WHERE detector = 'OWN-01' GROUP BY version ORDER BY min(started_at)")
    return [row["version"] for row in rows]
