"""Commands as their users type them, with and without a running service."""

import gzip
import json
import socket
import subprocess
import sys

import pytest

from hsmtrail.usable import usable
from support.bench import write_detector
from support.installation import BASIC, as_process, eventually
from support.typed import typed

LINES = (
    "<174>Nov 23 08:15:01 hsm-1 lunash[7]: info : 0 : Command: hsm show  : admin : Console\n"
    "<86>Nov 23 08:15:02 hsm-1 sshd[9]: Failed password for admin from 203.0.113.7 port 4711 ssh2\n"
    "\x1b[31mnothing that anybody knows\n"
)
DEVICE = '[[device]]\nname = "hsm-1"\nhosts = ["hsm-1"]\n'


@pytest.mark.parametrize("run", [as_process, typed])
def test_parse_needs_no_configuration(tmp_path, run):
    """One JSON object a line, in order, exit 0 whatever the lines are."""
    done = run("parse", "--received-at", "2026-11-23T08:16:00Z", input=LINES, cwd=tmp_path)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(records)) == (0, 3)
    assert records[0]["command"] == "hsm show"
    assert records[0]["event_at"] == "2026-11-23T08:15:01.000000Z"
    assert records[1]["operation"] == "login"
    assert records[2]["status"] in ("partial", "unparsed")
    assert all("" not in record.values() and None not in record.values() for record in records)


@pytest.mark.parametrize(
    ("framing", "text"), [("octet-counted", "5 hello3 you"), ("nul", "hello\0you\0"), ("lf", "hello\nyou")]
)
def test_parse_takes_every_framing(tmp_path, framing, text):
    """Each message is one object, also the last one without its end mark."""
    done = typed("parse", "--framing", framing, input=text, cwd=tmp_path)
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["hello", "you"]


@pytest.mark.parametrize("run", [as_process, typed])
def test_parse_says_what_is_not_there(tmp_path, run):
    """A file that is missing is a sentence and exit 2."""
    done = run("parse", "absent.log", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "hsmtrail: absent.log: No such file or directory\n")


def test_without_a_configuration_the_way_out_is_named(tmp_path):
    """`hsmtrail init` is said, and nothing is started."""
    done = as_process("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "hsmtrail init" in done.stderr


def test_check_accepts_what_init_writes(tmp_path):
    """A newcomer's first two commands."""
    assert typed("init", cwd=tmp_path).returncode == 0
    done = typed("check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing is wrong" in done.stdout


def test_check_tells_mistakes_of_all_kinds_at_once(site):
    """A port in use, a folder that is a file, a broken detector and a broken pattern stand in one answer."""
    (site.folder / "data").write_text("a file")
    (site.folder / "own").mkdir()
    (site.folder / "own" / "bad.sql").write_text("DROP TABLE records")
    (site.folder / "own" / "bad.toml").write_text("nothing = [")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.write(
            'detector_folders = ["own"]\npattern_folders = ["own"]\n'
            + BASIC
            + f'[[listener]]\nname = "taken"\nprotocol = "tcp"\naddress = "127.0.0.1:{port}"\n'
        )
        done = site.command("check", check=False)
    assert done.returncode == 2
    for wanted in ("is no folder", "bad.sql", "bad.toml", f"127.0.0.1:{port}: cannot be bound", "4 mistakes found"):
        assert wanted in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("absent/spool.key", "absent is no folder that this user can write"),
        ("open.key", "open.key: others than its owner may read the key"),
        ("short.key", "short.key: wants one key a line"),
    ],
)
def test_check_looks_at_the_key_of_the_spool(site, key, wanted):
    """The receiver would not start with it."""
    for name, mode, text in (("open.key", 0o644, "0" * 64), ("short.key", 0o600, "0123")):
        (site.folder / name).write_text(text)
        (site.folder / name).chmod(mode)
    site.write(BASIC + f'[spool]\nkey_file = "{key}"\n')
    done = site.command("check", check=False)
    assert done.returncode == 2
    assert wanted in done.stderr


def test_check_needs_one_round(site):
    """Mistakes of the file hide none of the detectors' values, of the patterns or of the ports."""
    (site.folder / "own").mkdir()
    write_detector(
        site.folder / "own", "DROP TABLE events", id="OWN-01", more="[parameters]\nleast = { default = 3, why = 'x' }"
    )
    (site.folder / "own" / "bad.toml").write_text("nothing = [")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.write(
            'detector_folders = ["own"]\npattern_folders = ["own"]\ncolour = 1\n'
            + BASIC.replace('protocol = "udp"', 'protocol = "carrier pigeon"')
            + f'[[listener]]\nname = "taken"\nprotocol = "tcp"\naddress = "127.0.0.1:{port}"\n'
            + "[detectors.AUTH-02.parameters]\nshade = 1\n[detectors.OWN-01.parameters]\nleast = 'few'\n[detectors.NO-01]\n"
        )
        done = site.command("check", check=False)
    assert done.returncode == 2
    for wanted in (
        "colour  is no key of this table",
        "listener[1].protocol = 'carrier pigeon'",
        "[detectors.AUTH-02.parameters] shade  no such parameter",
        "[detectors.OWN-01.parameters] least = 'few'  wants a value like 3",
        "[detectors.NO-01] there is no such detector",
        "bad.toml",
        f"127.0.0.1:{port}: cannot be bound",
    ):
        assert wanted in done.stderr, done.stderr
    assert "[detectors.OWN-01] there is no such detector" not in done.stderr


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("", {"data_dir"}),
        ("data_dir = 7\n", {"data_dir"}),
        ('data_dir = "d"\n[[listener]]\nname = "a"\n', {"listener"}),
        ('data_dir = "d"\n[[device]]\nname = "a"\nhosts = ["", "h", ""]\nserials = ["x"]\n', {"device"}),
        ('data_dir = "d"\n[[partition]]\ndevice = "a"\nlimits = { so = 3, co = "x" }\n', {"partition"}),
        ('data_dir = "d"\n[retention]\nhot = "soon"\n', {"retention"}),
        ('data_dir = "d"\ndevice = 7\ncolour = [1]\n', {"device", "colour"}),
        ('data_dir = "d"\n[[alert.email]]\nname = "m"\n', {"alert"}),
    ],
)
def test_what_is_right_is_used(site, text, broken):
    """Whatever is wrong is left out, and what it was part of is named."""
    site.write(text)
    configuration, named = usable(site.config)
    assert named == broken
    assert configuration.data_dir in ("d", "data")
    assert [host for device in configuration.device for host in device.hosts] in ([], ["h"])


def test_a_file_that_is_no_toml_is_of_no_use(site):
    """There is nothing to look at."""
    site.write("data_dir = [")
    assert usable(site.config) is None


def test_check_says_what_nobody_reads_yet(site):
    """A well-formed table or key that this version does not use is named, not swallowed."""
    site.write(
        BASIC
        + DEVICE
        + 'working_hours = "mon-fri 07:00-19:00"\n[[partition]]\ndevice = "hsm-1"\nguarded = true\nlimits = { co = 5 }\n'
        + '[[account]]\nname = "admin"\n[retention]\nhot = "30d"\n'
        + '[[allow]]\ndetector = "CONF-01"\nmatch = { device = "hsm-1" }\nowner = "a"\nreason = "b"\nuntil = "2026-12-24"\n'
    )
    said = site.command("check").stdout
    assert [line for line in said.splitlines() if "well formed" in line] == [
        "[retention] is well formed; this version deletes nothing"
    ]


@pytest.mark.parametrize("role", ["receive", "work", "serve"])
def test_wrong_configuration_starts_nothing(site, role):
    """Every mistake is told, exit 2, and no folder was made."""
    site.write("colour = 1\n")
    done = site.command(role, check=False)
    assert (done.returncode, "2 mistakes" in done.stderr) == (2, True)
    assert not (site.folder / "data").exists()


def test_serve_starts_nothing_when_a_detector_is_wrong(site):
    """Mistakes that only the service would notice are all told before the receiver listens."""
    site.write(BASIC + "[detectors.NO-01]\nenabled = false\n[detectors.AUTH-02.parameters]\ncolour = 1\n")
    done = site.command("serve", check=False)
    assert done.returncode == 2
    assert "[detectors.NO-01] there is no such detector" in done.stderr
    assert "colour  no such parameter" in done.stderr
    assert not (site.folder / "data").exists()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["detectors", "test", "NO-01"], "there is no detector NO-01"),
        (["baseline", "approve", "--reason", "x", "--device", "nobody"], "no such device in the configuration: nobody"),
        (
            ["changes", "add", "--device", "hsm-1", "--from", "2026-11-02", "--to", "2026-11-01", "--ticket", "T"],
            "hsmtrail: the change ends before it begins",
        ),
    ],
)
def test_a_name_that_is_none_is_said(site, words, wanted):
    """Not passed over as if there had been nothing to do."""
    site.write(BASIC + DEVICE)
    done = site.command(*words, check=False)
    assert (done.returncode, wanted in done.stderr) == (2, True), done.stderr


def test_a_port_in_use_is_one_sentence(site):
    """`serve` ends with 2 and says which address it could not have."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.write(BASIC + f'[[listener]]\nname = "taken"\nprotocol = "tcp"\naddress = "127.0.0.1:{port}"\n')
        serve = site.start()
        assert serve.wait(60) == 2
    assert f"127.0.0.1:{port}" in site.log()
    assert "Traceback" not in site.log()


def test_the_web_port_in_use_is_one_sentence(site):
    """The service says what it could not have, and where that is set."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site.write(BASIC.replace('[web]\naddress = "127.0.0.1:0"', f'[web]\naddress = "127.0.0.1:{port}"'))
        done = site.command("work", check=False)
    assert f"web.address 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("role", ["receive", "work"])
def test_a_folder_that_cannot_be_written_is_one_sentence(site, role):
    """The receiver and the service name the folder; where nobody may make one, root included."""
    site.write(BASIC.replace('data_dir = "data"', 'data_dir = "/proc/hsmtrail"'))
    done = site.command(role, check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr, done.stderr
    assert "/proc/hsmtrail" in done.stderr


def test_import_without_a_service(site):
    """Plain and packed files, counted; a second time they come again as lines of their own."""
    site.write(BASIC + DEVICE)
    (site.folder / "logs").mkdir()
    (site.folder / "logs" / "a.log").write_text(LINES)
    with gzip.open(site.folder / "logs" / "b.log.gz", "wb") as packed:
        packed.write(b"<174>Nov 23 09:00:00 hsm-1 lunash[7]: info : 0 : Command: hsm list  : admin : Console")
    result = json.loads(site.command("import", str(site.folder / "logs"), "--format", "json").stdout)
    assert (result["files"], result["lines"]) == (2, 4)
    assert result["new"] + result["copies"] == 4
    rows = site.query("SELECT transport, count(*) AS n FROM records GROUP BY ALL")
    assert rows == [{"transport": "import", "n": 4}]


def test_import_says_what_it_cannot_take(site):
    """Nothing is taken in when a path is not there; a damaged log is named and read up to the damage, the others whole."""
    good, bad = site.folder / "good.log", site.folder / "bad.log.gz"
    good.write_text(LINES)
    bad.write_bytes(gzip.compress(LINES.encode())[:-9])
    done = site.command("import", str(good), str(site.folder / "none"), check=False)
    assert done.returncode == 2
    assert "is not there" in done.stderr
    assert not (site.folder / "data" / "spool").exists()
    done = site.command("import", str(good), str(bad), check=False)
    assert done.returncode == 1
    assert "NOT READ: " + str(bad) in done.stderr
    assert "1 log could not be read whole" in done.stderr
    assert "6 lines" in done.stdout


def test_query_forms(site):
    """The same rows as a table, CSV, JSON, Arrow and Parquet; refused statements end with 2, wrong ones with 1."""
    import pyarrow as pa

    sql = "SELECT 1 AS one, '=x' AS text"
    assert site.query(sql) == [{"one": 1, "text": "=x"}]
    assert site.command("query", sql, "--format", "csv").stdout == "one,text\n1,'=x\n"
    assert "one" in site.command("query", sql).stdout
    arrow = site.command("query", sql, "--format", "arrow", text=False).stdout
    assert pa.ipc.open_stream(arrow).read_all().to_pylist() == [{"one": 1, "text": "=x"}]
    assert site.command("query", sql, "--format", "parquet", text=False).stdout[:4] == b"PAR1"
    assert site.command("query", "DELETE FROM records", check=False).returncode == 2
    assert site.command("query", "SELECT wrong FROM records", check=False).returncode == 1
    assert "cut at 2 rows" in site.command("query", "FROM range(5)", "--rows", "2").stderr
    assert site.command("query", "-", "--format", "json", input="SELECT 2 AS two").stdout.strip().startswith("[")


def test_status_without_anything_running(site):
    """It says so, for people and for programs."""
    status = site.json("status")
    assert (status["receiver"]["running"], status["service"]["running"]) == (False, False)
    assert "does not run" in site.command("status").stdout


def test_changes_and_baseline_by_command(site):
    """Recorded, listed, imported; a mistake in a file names its row."""
    site.write(BASIC + DEVICE)
    words = ["--device", "hsm-1", "--from", "2026-11-23", "--to", "2026-11-24", "--ticket", "CHG-7", "--kind", "patch"]
    assert "recorded CHG-7 for hsm-1" in site.command("changes", "add", *words).stdout
    listed = site.json("changes", "list")
    assert [(row["ticket"], row["kind"], row["from"]) for row in listed] == [
        ("CHG-7", "patch", "2026-11-23T00:00:00.000000Z")
    ]
    file = site.folder / "more.csv"
    file.write_text("device,from,to,ticket,kind,note\nhsm-1,2026-11-25,2026-11-26,CHG-8,change,more\n")
    assert "recorded 1 changes" in site.command("changes", "import", str(file)).stdout
    file.write_text("device,from,to,ticket\nhsm-1,2026-11-25,2026-11-26,\nhsm-1,later,2026-11-26,C\n")
    done = site.command("changes", "import", str(file), check=False)
    assert done.returncode == 2
    assert "row 1: ticket is missing" in done.stderr
    assert "row 2:" in done.stderr
    (site.folder / "x.json").write_text(
        '[{"device": "hsm-1", "from": "2026-11-27", "to": "2026-11-28", "ticket": "C-9"}]'
    )
    site.command("changes", "import", str(site.folder / "x.json"))
    assert len(site.json("changes", "list")) == 3
    assert "no setting" in site.command("baseline", "show").stdout
    assert "approved 0 settings" in site.command("baseline", "approve", "--reason", "empty").stdout


def test_detectors_list_show_test(tmp_path):
    """They can be read and proven without a configuration."""
    (tmp_path / "hsmtrail.toml").write_text(BASIC)
    listed = json.loads(typed("detectors", "list", "--format", "json", cwd=tmp_path).stdout)
    assert {
        "AUTH-01",
        "AUTH-02",
        "AUTH-03",
        "PRIV-01",
        "PRIV-03",
        "CONF-01",
        "CONF-03",
        "CONF-07",
        "LOGS-01",
        "LOGS-02",
    } <= {row["id"] for row in listed}
    assert all(len(row["sha256"]) == 64 for row in listed)
    assert "SELECT" in typed("detectors", "show", "AUTH-01", cwd=tmp_path).stdout
    assert typed("detectors", "show", "NO-1", cwd=tmp_path).returncode == 2
    assert typed("detectors", "run", cwd=tmp_path).returncode == 2
    done = typed("detectors", "test", "AUTH-01", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(row["passed"] for row in json.loads(done.stdout))


def test_the_receiver_stays_small(site):
    """Its process has loaded no database, no parser and no templates."""
    program = (
        "import sys, threading, os, signal\n"
        "from hsmtrail.config import load\n"
        "from pathlib import Path\n"
        "from hsmtrail.wiring_receiver import receiver_settings\n"
        f"receiver_settings(load(Path({str(site.config)!r})))\n"
        "import hsmtrail.receiver, hsmtrail.cli\n"
        "print(sorted({'duckdb', 'polars', 'jinja2', 'aiohttp', 'store', 'parsers', 'analytics', 'reports'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_finding_is_acknowledged_and_closed(site):
    """From a line to a decision, all by command, while the service runs."""
    site.write(BASIC + DEVICE)
    site.start()
    site.running("receiver", "service")
    with socket.create_connection(("127.0.0.1", site.port("tcp"))) as wire:
        wire.sendall(b"<172>Nov 23 08:15:01 hsm-1 lunash[7]: HSM Admin Login: incorrect password or PED key\n")
    found = eventually(lambda: site.json("findings", "list", "--detector", "AUTH-01"))[0]
    assert (found["severity"], found["state"], found["record_count"]) == ("high", "open", 1)
    assert "is acknowledged" in site.command("findings", "ack", str(found["id"]), "--note", "looking").stdout
    shown = site.json("findings", "show", str(found["id"]))
    assert shown["evidence"][0]["raw"].endswith("incorrect password or PED key")
    assert "HSM Admin Login" in site.command("findings", "show", str(found["id"])).stdout
    site.command("findings", "close", str(found["id"]), "--disposition", "false_alarm", "--note", "a typo")
    closed = site.json("findings", "list", "--state", "closed")
    assert [row["disposition"] for row in closed] == ["false_alarm"]
    tried = site.json("detectors", "try", "AUTH-01", "--since", "3650d")
    assert tried
    assert site.json("detectors", "run", "AUTH-01")[0]["state"] in ("ran", "filled", "skipped")
