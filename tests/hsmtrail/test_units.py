"""The systemd units: well formed, a tight sandbox, and programs that can live in it."""

import configparser
import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hsmtrail.supervise import KEEP_MEMORY
from support.installation import BASIC, PROGRAM, eventually

FOLDER = Path(__file__).parents[2] / "docs" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())
SERVICES = [name for name in UNITS if name.endswith(".service")]
MOST_EXPOSURE = 20  # tenths; 1.9 and 1.4 when this was written
with_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1


@pytest.fixture
def units(tmp_path):
    """The units, with a program that is here."""
    for name in UNITS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/hsmtrail/bin/hsmtrail", sys.executable))
    return tmp_path


def unit_lines(role):
    return (FOLDER / f"hsmtrail-{role}.service").read_text(encoding="utf-8").splitlines()


def analyze(*words):
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False)


@with_systemd
def test_systemd_finds_nothing_wrong(units):
    """No unknown key, no missing program."""
    done = analyze("verify", "--man=no", *(units / name for name in UNITS))
    assert (done.returncode, done.stderr) == (0, "")


@with_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_the_sandbox_stays_tight(units, name):
    """By systemd's own count of what a service could reach."""
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", units / name)
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip("this systemd cannot judge files")
    assert done.returncode == 0, done.stdout[-300:]


def keys(name):
    """What [Service] says, the last of each key."""
    reader = configparser.ConfigParser(strict=False, interpolation=None)
    reader.optionxform = str
    reader.read(FOLDER / name, encoding="utf-8")
    return dict(reader["Service"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_starts_a_command_that_there_is(name):
    """Restarted always, but for a configuration that is wrong; reloaded by SIGHUP; nothing that the program undoes."""
    said = keys(name)
    words = said["ExecStart"].split()
    assert words[0] == "/opt/hsmtrail/bin/hsmtrail"
    assert name == f"hsmtrail-{words[1]}.service"
    done = subprocess.run([*PROGRAM, words[1], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert said["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (said["Restart"], said["RestartPreventExitStatus"], said["User"]) == ("always", "2", "hsmtrail")


def test_only_the_receiver_has_rights_and_only_two():
    """To bind low ports and to widen its buffer; the service has none."""
    assert keys("hsmtrail-receive.service")["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE CAP_NET_ADMIN"
    assert keys("hsmtrail-work.service")["CapabilityBoundingSet"] == ""
    assert keys("hsmtrail-work.service")["AmbientCapabilities"] == ""


def no_new_code():
    """What MemoryDenyWriteExecute= asks for, by the kernel's own switch (prctl(2), Linux 6.3)."""
    ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)


def kernel_can():
    asked = "import ctypes, sys; sys.exit(ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0)"
    return subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def environment_of(name):
    pairs = re.findall(r"^Environment=(\w+)=(.*)$", (FOLDER / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {**os.environ, **dict(pairs)}


@pytest.mark.skipif(not kernel_can(), reason="the kernel has no such switch")
def test_no_part_writes_code_that_it_runs(site):
    """MemoryDenyWriteExecute= is no lie: a line goes from socket to store under it."""
    site.write(BASIC)
    for name in SERVICES:
        role = name.removeprefix("hsmtrail-").removesuffix(".service")
        with (site.folder / f"{role}.log").open("ab") as log:
            words = [*PROGRAM, role, "--config", str(site.config)]
            started = subprocess.Popen(words, stderr=log, preexec_fn=no_new_code, env=environment_of(name))  # noqa: PLW1509
        site.processes.append(started)
    site.running("receiver", "service")
    with socket.create_connection(("127.0.0.1", site.port("tcp"))) as sender:
        sender.sendall(b"<13>Nov 23 08:15:01 hsm-1 sshd[7]: hello\n")
    eventually(lambda: site.query("SELECT count(*) AS n FROM records") == [{"n": 1}])


@pytest.mark.parametrize("role", sorted(KEEP_MEMORY))
def test_units_tell_the_allocators_what_serve_tells_them(role):
    """Started by systemd the two processes are as fast as started by `serve`."""
    words = [line.removeprefix("Environment=").split() for line in unit_lines(role) if line.startswith("Environment=")]
    said = dict(word.split("=", 1) for line in words for word in line)
    assert KEEP_MEMORY[role].items() <= said.items()
