"""What should not happen: the stories that detectors must find, or must not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from generator.appliances import BATCH, COLLECTOR, JUMP_HOST, STRANGER, UNAPPROVED_TARGET
from generator.hostile import ACCOUNTS, CLIENTS, STRANGERS
from generator.life import connection
from generator.recorder import Recorder, Shell, moment

if TYPE_CHECKING:
    from datetime import datetime

SILENCE = (moment(3, "13:00"), moment(3, "15:00"))
LOST_RECORDS = 137
NTLS_FAILURE = "0xc0000711"


def so_guess(recorder: Recorder) -> None:
    """Wednesday 21:47: two wrong Security Officer passwords, then nothing more; a third would erase the HSM."""
    shell = Shell(recorder, moment(2, "21:47"), "opsadmin", JUMP_HOST)
    for wait in ((10, 14), (80, 95)):
        shell.now += recorder.pause(*wait)
        recorder.so_login(shell.now, good=False)
        recorder.lunash(
            shell.now + timedelta(milliseconds=120),
            shell.pid,
            "HSM Admin Login: incorrect password or PED key",
            severity="warn",
        )
        shell.run("hsm login", code="0x00a00000", wait=(0.3, 0.8))
    shell.run("hsm show", wait=(3, 5))
    shell.close()


def old_password(recorder: Recorder) -> None:
    """Thursday 01:15: the batch job still has the old Crypto Officer password; five tries, then it is right."""
    for night in (2, 4, 5, 6):
        connection(recorder, moment(night, "01:15") + recorder.pause(0, 5), BATCH, 11)
    at, source, session = recorder.connect(moment(3, "01:15:02"), BATCH)
    for _ in range(5):
        at += timedelta(seconds=60)
        recorder.role_login(at, BATCH, session, good=False)
    at += timedelta(minutes=7)
    recorder.role_login(at, BATCH, session)
    recorder.disconnect(at + timedelta(minutes=9), BATCH, source, session)


def night_change(recorder: Recorder) -> None:
    """Thursday 23:12: a policy is changed, and nobody approved it."""
    shell = Shell(recorder, moment(3, "23:11:45"), "opsadmin", JUMP_HOST)
    shell.so_login()
    recorder.so_act(shell.run("hsm changePolicy -policy 15 -value 1", wait=(20, 25)), "LUNA_SET_HSM_POLICY")
    shell.run("hsm logout")
    shell.close()


def drifted_target(recorder: Recorder) -> None:
    """Friday 11:05: the collector is taken out of the log targets and a stranger put in; the relay delivers."""
    shell = Shell(recorder, moment(4, "11:05"), "opsadmin", JUMP_HOST)
    shell.run(f"syslog remotehost delete -host {COLLECTOR}")
    shell.run(f"syslog remotehost add -host {UNAPPROVED_TARGET} -protocol tcp -port 514")
    shell.run("syslog remotehost list")
    shell.close()


def refused_zeroize(recorder: Recorder) -> None:
    """Friday 16:20: somebody tries to erase the test HSM without being logged in to it; refused."""
    shell = Shell(recorder, moment(4, "16:20"), "opsadmin", JUMP_HOST)
    shell.run("hsm show")
    shell.run("hsm zeroize", code="65535")
    shell.close()


def password_guessing(recorder: Recorder) -> None:
    """Saturday 04:10: a stranger guesses SSH passwords, with user names that attack whoever reads the log."""
    at = moment(5, "04:10")
    for number in range(36):
        account = ACCOUNTS[number % len(ACCOUNTS)]
        pid = recorder.new_pid(at) + 3 * number
        port = 33000 + number * 7
        at = _guess(recorder, at, pid, account, port)
    for name in CLIENTS:
        at = _unknown_client(recorder, at + recorder.pause(20, 50), name)


def _guess(recorder: Recorder, at: datetime, pid: int, account: bytes, port: int) -> datetime:
    known = account == b"admin"
    if not known:
        recorder.sshd(at, pid, b"Invalid user " + account + f" from {STRANGER} port {port}".encode())
        at += recorder.pause(0.01, 0.1)
    rest = f"logname= uid=0 euid=0 tty=ssh ruser= rhost={STRANGER}"
    user = b" user=" + account if known else b""
    recorder.sshd(at, pid, f"pam_unix(sshd[{pid}]:auth): authentication failure; {rest}".encode() + user)
    at += recorder.pause(1, 2)
    who = account if known else b"invalid user " + account
    recorder.sshd(at, pid, b"Failed password for " + who + f" from {STRANGER} port {port} ssh2".encode())
    at += recorder.pause(0.1, 0.5)
    recorder.sshd(at, pid, f"Connection closed by {STRANGER} [preauth]")
    return at + recorder.pause(0.5, 2)


def _unknown_client(recorder: Recorder, at: datetime, name: str) -> datetime:
    source = f"{STRANGER}/{50000 + recorder.random.randrange(9000)}"
    recorder.ntls(at, f"info : 0 : Incoming connection request... : {source}")
    for text in (
        "Error message from SSLAccept is : error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
        "Error during SSL accept ( RC_SSL_ERROR )",
        f"info : {NTLS_FAILURE} : Fail to establish a secure channel with client : {source} : RC_SSL_FAILED_HANDSHAKE",
        f'info : 0 : NTLS Client "{name}" Connection instance removed : {source}',
    ):
        at += recorder.pause(0.02, 0.2)
        recorder.ntls(at, text)
    return at


def hostile_programs(recorder: Recorder) -> None:
    """Tuesday and Saturday: programs that no Luna has, with text meant for readers."""
    for day in (1, 5):
        at = moment(day, "15:20")
        for program, text in STRANGERS:
            at += recorder.pause(30, 200)
            recorder.system(at, program, text, facility="user", pid=recorder.new_pid(at))


def lose_records(recorder: Recorder) -> None:
    """Saturday 09:14: audit records that never arrived; only their numbers say so."""
    recorder.missing_before.append((moment(5, "09:14"), LOST_RECORDS))


def feed_maintenance(recorder: Recorder) -> None:
    """Sunday 11:00: the datacenter maintains one power feed at a time; expected, no ticket."""
    for unit, clock in ((1, "11:02:10"), (2, "12:31:40")):
        lost = moment(6, clock)
        recorder.system(lost, "ipmievd", f"Power supply {unit} AC outage", facility="local4")
        recorder.system(lost + timedelta(minutes=22), "ipmievd", f"Power supply {unit} AC restored", facility="local4")
