"""Ordinary life: polls, applications, housekeeping. Nothing here may be worth an alert."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from generator.appliances import AUDIT_HOST, BACKUP_SERIAL, CRYPTO_USER, JUMP_HOST, MONDAY, PROBE
from generator.recorder import Recorder, Shell, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generator.appliances import Application

WEEK_END = MONDAY + timedelta(days=7)
POLL_COMMANDS = ("hsm show", "status sensors", "hsm information show", "network show")
FIRST_USES = ("LUNA_SIGN_SINGLEPART", "LUNA_DECRYPT_SINGLEPART", "LUNA_ENCRYPT_SINGLEPART", "LUNA_UNWRAP_KEY")


class Quiet:
    """Spans in which an appliance writes nothing of its ordinary life (a reboot, the silence)."""

    def __init__(self, *spans: tuple[datetime, datetime]) -> None:
        self.spans = spans

    def touches(self, begin: datetime, end: datetime) -> bool:
        return any(begin < quiet_end and end > quiet_begin for quiet_begin, quiet_end in self.spans)


def live(recorder: Recorder, quiet: Quiet) -> None:
    """A week of it."""
    _polls(recorder, quiet)
    for application in recorder.appliance.applications:
        _connections(recorder, application, quiet)
    for day in range(7):
        _housekeeping(recorder, day)
        _heartbeats(recorder, day, quiet)
    for day in (1, 3):
        _morning_look(recorder, day)


def _polls(recorder: Recorder, quiet: Quiet) -> None:
    """The service provider's robot on the serial console: at most ten minutes apart."""
    at = MONDAY + recorder.pause(5, 300)
    while at < WEEK_END - timedelta(seconds=30):
        if not quiet.touches(at, at + timedelta(seconds=20)):
            _poll(recorder, at)
        at += recorder.pause(596, 600)


def _poll(recorder: Recorder, at: datetime) -> None:
    pid = recorder.new_pid(at)
    recorder.lunash(at, pid, "info : 0 : Lush user login : monitor : Console")
    last = recorder.random.choice(POLL_COMMANDS[1:])
    for command in ("hsm show", last):
        at += recorder.pause(0.6, 2.5)
        recorder.lunash(at, pid, f"info : 0 : Command: {command}  : monitor : Console")


def _connections(recorder: Recorder, application: Application, quiet: Quiet) -> None:
    """Applications renew their connection at their own rhythm, a little apart each time."""
    every = application.every_minutes * 60
    at = MONDAY + recorder.pause(30, every)
    while at < WEEK_END - timedelta(minutes=30):
        minutes = recorder.random.randrange(4, 25)
        if not quiet.touches(at, at + timedelta(minutes=minutes)):
            connection(recorder, at, application, minutes)
        at += recorder.pause(every * 0.85, every * 1.15)


def connection(recorder: Recorder, at: datetime, application: Application, minutes: int) -> None:
    """Open, log in, use a key for the first time, log out, close."""
    ready, source, session = recorder.connect(at, application)
    container = application.container
    ready += recorder.pause(0.1, 0.9)
    recorder.role_login(ready, application, session)
    used = FIRST_USES[:3] if application.role == CRYPTO_USER else FIRST_USES
    for event in used[: recorder.random.randrange(1, len(used) + 1)]:
        ready += recorder.pause(0.2, 40)
        recorder.audit(ready, event, session, container=container)
    end = at + timedelta(minutes=minutes)
    recorder.audit(end, "LUNA_LOGOUT", session, container=container)
    recorder.disconnect(end + recorder.pause(0.1, 0.6), application, source, session)


def _housekeeping(recorder: Recorder, day: int) -> None:
    """02:30: the day's audit files are packed, fetched and cleared, as the manual advises; the clock is set."""
    shell = Shell(recorder, moment(day, "02:30") + recorder.pause(0.5, 4), "audit", AUDIT_HOST)
    recorder.audit(
        shell.now + recorder.pause(1, 2), "LUNA_LOGIN", 2, role=8, entry="LUNA_ENTRY_DATA_AREA", result="RC_OK"
    )
    shell.run("audit login", wait=(2, 4))
    recorder.auditor_act(shell.run("audit sync"), "LUNA_LOG_SET_TIME")
    shell.run("audit log tarlogs", wait=(20, 60))
    shell.run("my file list")
    shell.run("audit log clear -force", wait=(60, 90))
    shell.run("service restart cbs")
    recorder.auditor_act(shell.run("audit logout"), "LUNA_LOGOUT")
    shell.close()


def _heartbeats(recorder: Recorder, day: int, quiet: Quiet) -> None:
    """The daily uptime line, time chatter, and a port probe that never logs in."""
    up = recorder.restarted_at if recorder.restarted_at and moment(day, "04:02") > recorder.restarted_at else None
    since = moment(day, "04:02:01") - (up or MONDAY - timedelta(days=41, hours=6, minutes=17))
    clock = f"{since.days} days, {since.seconds // 3600:>2}:{since.seconds % 3600 // 60:02}"
    load = ", ".join(f"0.{recorder.random.randrange(4, 60):02}" for _ in range(3))
    recorder.system(
        moment(day, "04:02:01"),
        "logger",
        f"uptime: 04:02:01 up {clock}, 1 user, load average: {load}",
        facility="syslog",
    )
    for at in _through(day, recorder, hours=3):
        if not quiet.touches(at, at):
            server = recorder.random.choice(recorder.appliance.ntp_servers)
            recorder.system(at, "ntpd", f"synchronized to {server}, stratum 2", facility="daemon", pid=1201)
    for at in _through(day, recorder, hours=6):
        if not quiet.touches(at, at):
            recorder.sshd(at, recorder.new_pid(at), f"Did not receive identification string from {PROBE}")


def _through(day: int, recorder: Recorder, hours: int) -> Iterator[datetime]:
    for hour in range(0, 24, hours):
        yield moment(day, f"{hour:02}:00") + recorder.pause(60, 3000)


def _morning_look(recorder: Recorder, day: int) -> None:
    """An administrator looks around and changes nothing."""
    shell = Shell(recorder, moment(day, "09:10") + recorder.pause(0, 900), "opsadmin", JUMP_HOST)
    for command in ("hsm show", "partition list", "client list", "ntls ipcheck show", "syslog tail -logname messages"):
        shell.run(command, wait=(8, 60))
    shell.close()


def weekly_backup(recorder: Recorder) -> None:
    """Sunday: each partition to the declared backup HSM; the clones are in the audit log."""
    shell = Shell(recorder, moment(6, "03:15") + recorder.pause(0, 60), "opsadmin", JUMP_HOST)
    for container, label in ((20, "prod-tls"), (21, "prod-sign"), (22, "prod-pki"), (23, "prod-batch")):
        at = shell.run(f"partition backup -partition {label} -tokenPar {label} -serial {BACKUP_SERIAL} -force")
        for _ in range(recorder.random.randrange(6, 12)):
            at += recorder.pause(0.1, 1.5)
            recorder.audit(at, "LUNA_CLONE_AS_SOURCE", 4, container=container)
    shell.close()
