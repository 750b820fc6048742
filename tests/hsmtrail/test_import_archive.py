"""The HSM's own files, imported where syslog lost half of the records: copies, gaps that close, and how complete it is."""

import gzip
import json
import socket
import tarfile

import pytest

from support.audit_archive import DEVICE, FIRST, SERIAL, file_name, half, in_file, records, tarlogs
from support.installation import BASIC, eventually

RECORDS, RUN = 800, 100


@pytest.fixture
def halved(site):
    """A store that syslog brought half of the records to (one a second, every second hundred), and the whole archive."""
    site.write(BASIC + DEVICE)
    archive, sent = half(site.folder, RECORDS, 1, 300, RUN)
    (site.folder / "syslog").write_bytes(sent)
    return site, archive, sent


def gaps(site, state="open"):
    found = [one for one in site.json("findings", "list", "--state", state) if one["detector"] == "LOGS-02"]
    return sorted((one["columns"]["first_missing"], one["columns"]["last_missing"]) for one in found)


def test_an_import_fills_what_syslog_lost(halved):
    """What syslog brought are copies, the rest is new; the findings about missing numbers go by themselves."""
    site, archive, sent = halved
    site.start()
    site.running("receiver", "service")
    with socket.create_connection(("127.0.0.1", site.port("tcp"))) as connection:
        connection.sendall(sent)
    lines = sent.count(b"\n")
    eventually(lambda: site.status().get("service", {}).get("records") == lines)
    site.json("detectors", "run", "LOGS-02")
    assert gaps(site) == [(FIRST + RUN, FIRST + 3 * RUN + RUN - 1)]
    result = site.json("import", str(archive))
    assert (result["files"], result["logs"], result["lines"]) == (1, 3, RECORDS)
    assert (result["new"], result["copies"], result["unparsed"]) == (RECORDS - lines, lines, 0)
    assert (result["failed"], result["left_out"]) == ([], [])
    (said,) = result["audit"]
    assert (said["device"], said["serial"]) == ("hsm-1", str(SERIAL))
    assert (said["first"], said["last"]) == (FIRST, FIRST + RECORDS - 1)
    assert (said["present"], said["missing"], said["holes"], said["ranges"]) == (RECORDS, 0, 0, [])
    assert (said["first_at"], said["last_at"]) == ("2026-11-23T08:15:01.000000Z", "2026-11-23T08:28:20.000000Z")
    site.json("detectors", "run", "LOGS-02")
    assert gaps(site) == []
    gone = [one for one in site.json("findings", "list", "--state", "superseded") if one["detector"] == "LOGS-02"]
    assert [one["columns"]["missing"] for one in gone] == [2 * RUN]
    assert site.query("SELECT count(*) AS n, count(DISTINCT audit_sequence) AS numbers FROM audit_records") == [
        {"n": RECORDS, "numbers": RECORDS}
    ]


def test_what_is_still_missing_is_said(site):
    """Numbers that neither syslog nor the files have; for people and for programs."""
    site.write(BASIC + DEVICE)
    lines = [in_file(one) for one in records(100)]
    content = b"".join(lines[:40] + lines[41:50] + lines[60:])
    archive = tarlogs(site.folder / "a.tgz", {file_name(1): content})
    (said,) = site.json("import", str(archive))["audit"]
    assert (said["present"], said["missing"], said["holes"]) == (89, 11, 2)
    assert said["ranges"] == [f"{FIRST + 40}", f"{FIRST + 50}-{FIRST + 59}"]
    text = site.command("import", str(archive)).stdout
    assert "89 copies" in text
    assert str(FIRST + 40) in text


def test_older_records_without_their_serial(site):
    """The file's name says whose they are, whatever it is packed in; the prefix of syslog says the same."""
    site.write(BASIC + DEVICE)
    old = list(records(20, serial=""))
    packed = gzip.compress(b"".join(in_file(one) for one in old))
    archive = tarlogs(site.folder / "a.tgz", {file_name(1) + ".gz": packed})
    plain = site.folder / file_name(1)
    plain.write_bytes(b"".join(in_file(one) for one in old[:10]))
    result = site.json("import", str(archive), str(plain))
    assert (result["new"], result["copies"]) == (20, 10)
    assert site.query("SELECT DISTINCT device, hsm_serial FROM records") == [
        {"device": "hsm-1", "hsm_serial": str(SERIAL)}
    ]


def test_appliance_logs_within_one_archive(site):
    """`syslog tarlogs`: several logs, rotated ones packed, beside what is no log. The rest goes on past what is damaged."""
    site.write(BASIC + DEVICE)
    line = "2026 Nov 23 08:15:{:02} hsm-1  local5 info  lunash [7]: info : 0 : Command: hsm show  : admin : Console\n"
    folder = site.folder / "logs"
    folder.mkdir()
    (folder / "lunalogs").write_text(line.format(1) + line.format(2))
    (folder / "lunalogs.1.gz").write_bytes(gzip.compress(line.format(3).encode()))
    (folder / "messages.1.gz").write_bytes(gzip.compress(line.format(4).encode())[:-5])
    (folder / "wtmp").write_bytes(bytes(3000))
    (folder / "link").symlink_to("/etc/passwd")
    with tarfile.open(site.folder / "logs.tgz", "w:gz") as archive:
        archive.add(folder, "logs")
    done = site.command("import", str(site.folder / "logs.tgz"), "--format", "json", check=False)
    result = json.loads(done.stdout)
    assert done.returncode == 1
    assert result["new"] == site.query("SELECT count(*) AS n FROM lunash_commands")[0]["n"] == result["lines"]
    assert sorted(one["file"].rpartition("/")[2] for one in result["left_out"]) == ["link", "wtmp"]
    assert [one["file"].rpartition("/")[2] for one in result["failed"]] == ["messages.1.gz"]
    assert "Traceback" not in done.stderr
    peers = {one["peer"].rpartition("!")[2] for one in site.query("SELECT DISTINCT peer FROM records")}
    assert peers >= {"logs/lunalogs", "logs/lunalogs.1.gz"}


def test_names_of_members_do_nothing_to_a_terminal(site):
    """They are a stranger's text."""
    name = "a\x1b[2J\u202egol.txt"
    with tarfile.open(site.folder / "a.tar", "w") as archive:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    done = site.command("import", str(site.folder / "a.tar"))
    assert "left out: " in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
