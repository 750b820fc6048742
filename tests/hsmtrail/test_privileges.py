"""Root gives up everything once the ports are bound; who cannot become the user is told before."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hsmtrail.privileges import PrivilegeError, account_of, give, whom_to_become
from support.installation import Site, eventually

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what it has")
TEXT = """
data_dir = "data"
[receiver]
user = "nobody"
[[listener]]
name = "tcp"
protocol = "tcp"
address = "127.0.0.1:{port}"
[[listener]]
name = "udp"
protocol = "udp"
address = "127.0.0.1:{port}"
[web]
address = "127.0.0.1:0"
"""


@pytest.fixture
def open_site():
    """In a folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="hsmtrail-"))
    folder.chmod(0o755)
    here = Site(folder)
    yield here
    here.stop()
    shutil.rmtree(folder)


def low_port():
    """One below 1024 that is free for both protocols."""
    for port in range(700, 1024):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port below 1024 is free")


def standing(pid):
    """Who a process is: real, effective, saved and file user and group, more groups, and what it may do."""
    text = Path(f"/proc/{pid}/status").read_text()
    return {line.partition(":")[0]: line.partition(":")[2].split() for line in text.splitlines()}


def assert_is_nobody(pid):
    has = standing(pid)
    assert has["Uid"] == [str(NOBODY.pw_uid)] * 4
    assert has["Gid"] == [str(NOBODY.pw_gid)] * 4
    assert "0" not in has["Groups"]
    assert [int(has[kind][0], 16) for kind in ("CapEff", "CapPrm", "CapInh")] == [0, 0, 0]


@as_root
def test_root_binds_and_then_is_nobody(open_site):
    """Ports below 1024 on both protocols; the spool is nobody's; a second start finds it good."""
    port = low_port()
    open_site.write(TEXT.format(port=port))
    for life in (1, 2):
        process = open_site.start("receive")
        eventually(lambda life=life: open_site.log("receive").count('"listening"') == 2 * life)
        assert_is_nobody(process.pid)
        with socket.create_connection(("127.0.0.1", port)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.sendall(b"over tcp\n")
            udp.sendto(b"over udp", ("127.0.0.1", port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    spool = open_site.folder / "data" / "spool" / "main"
    assert {path.stat().st_uid for path in [open_site.folder / "data", spool.parent, spool, *spool.iterdir()]} == {
        NOBODY.pw_uid
    }
    status = json.loads((spool / "status.json").read_text())
    assert [item["spooled"] for item in status["listeners"]] == [2, 2]


PARENT = """
import subprocess, sys
from hsmtrail.supervise import PROGRAM, die_with_parent
subprocess.Popen([*PROGRAM, "receive", "--config", sys.argv[1]], preexec_fn=die_with_parent).wait()
"""


@as_root
def test_a_receiver_that_is_nobody_still_ends_with_serve(open_site):
    """Also when that is killed: the kernel is told again, after it forgot with the change of user."""
    open_site.write(TEXT.format(port=0))
    with (open_site.folder / "receive.log").open("wb") as log:
        parent = subprocess.Popen([sys.executable, "-c", PARENT, open_site.config], stderr=log)
        eventually(lambda: open_site.log("receive").count('"listening"') == 2)
        pid = json.loads((open_site.folder / "data" / "spool" / "main" / "status.json").read_text())["pid"]
        assert_is_nobody(pid)
        parent.kill()
        parent.wait()
    eventually(lambda: '"stopped"' in open_site.log("receive"), 40)


@as_root
def test_the_service_is_nobody_before_it_opens_anything(open_site):
    """What of the data was root's is given; a Python that the user cannot read is no place to run from."""
    if not readable(os.__file__):
        pytest.skip("this Python is not for everybody")
    open_site.write(TEXT.format(port=0))
    (open_site.folder / "data").mkdir()
    process = open_site.start("work")
    eventually(lambda: '"ready"' in open_site.log("work"))
    assert_is_nobody(process.pid)
    assert {path.stat().st_uid for path in (open_site.folder / "data").rglob("*")} == {NOBODY.pw_uid}


def readable(path):
    """By everybody, with all folders above it."""
    path = Path(path).resolve()
    return path.stat().st_mode & 0o004 and all(above.stat().st_mode & 0o001 for above in path.parents)


@pytest.mark.parametrize(
    ("user", "group", "sentence"),
    [
        ("no-such-user", "", 'receiver.user = "no-such-user": this machine has no such user'),
        ("nobody", "no-such-group", 'receiver.group = "no-such-group": this machine has no such group'),
    ],
)
def test_users_that_are_none(user, group, sentence):
    """One sentence."""
    with pytest.raises(PrivilegeError, match=sentence):
        whom_to_become(user, group)


def test_who_is_not_root_can_only_stay(monkeypatch):
    """As the user that is wanted, or not at all."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)
    assert whom_to_become("nobody") is None
    assert whom_to_become("") is None
    with pytest.raises(PrivilegeError, match="only root can become another user"):
        whom_to_become("root")


@as_root
def test_only_what_is_in_the_folder_and_roots_own_is_given(tmp_path):
    """Neither the end of a link, nor a file with another name elsewhere, nor somebody else's file."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir()
    (folder / "inside").mkdir(parents=True)
    for path in (elsewhere / "secret", elsewhere / "linked", folder / "inside" / "own", folder / "theirs"):
        path.write_text("")
    os.chown(folder / "theirs", 1, 1)
    (folder / "link").symlink_to(elsewhere / "secret")
    (folder / "folder").symlink_to(elsewhere)
    os.link(elsewhere / "linked", folder / "hard")
    give(folder, account_of("nobody"))
    owners = {path.name: path.lstat().st_uid for path in [*folder.rglob("*"), *elsewhere.iterdir(), elsewhere]}
    nobody = NOBODY.pw_uid
    assert owners == {
        "inside": nobody,
        "own": nobody,
        "theirs": 1,
        "link": 0,
        "folder": 0,
        "hard": 0,
        "secret": 0,
        "linked": 0,
        "elsewhere": 0,
    }


@as_root
def test_check_says_what_the_user_cannot_reach(open_site):
    """The configuration, certificates; and that root stays root when nobody is named."""
    open_site.write(TEXT.format(port=0))
    open_site.config.chmod(0o600)
    done = open_site.command("check", check=False)
    assert done.returncode == 2
    assert 'hsmtrail.toml: cannot be read by receiver.user = "nobody"' in done.stderr
    open_site.config.chmod(0o644)
    assert "hsmtrail.toml: cannot be read" not in open_site.command("check", check=False).stderr
    assert readable(os.__file__) or f"{os.__file__}: cannot be read" in done.stderr
    open_site.folder.chmod(0o700)
    assert "cannot be entered by" in open_site.command("check", check=False).stderr
    open_site.folder.chmod(0o755)
    open_site.write(TEXT.format(port=0).replace('user = "nobody"', ""))
    assert "receiver.user is not set" in open_site.command("check", check=False).stdout


@as_root
def test_a_user_that_is_none_starts_nothing(open_site):
    """Exit status 2 for each command, with one sentence."""
    open_site.write(TEXT.format(port=0).replace("nobody", "no-such-user"))
    for role in ("receive", "work"):
        done = open_site.command(role, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith('hsmtrail: receiver.user = "no-such-user"')
        assert len(done.stderr.splitlines()) == 1
