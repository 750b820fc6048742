"""Ordinary life of a device: polls, applications, nightly scripts, people who look, people who mistype."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.ordinary.site import (
    BACKUP_HOST,
    BACKUP_SERIAL,
    EPHEMERAL,
    JUMP_HOST,
    LOG_HOST,
    MONDAY,
    NVA,
    PROBE,
    SECOND_JUMP_HOST,
    WEEK,
    Application,
    Scale,
)
from support.ordinary.wire import PIN_INCORRECT, Pen, Session

USES = ("LUNA_SIGN_SINGLEPART", "LUNA_DECRYPT_SINGLEPART", "LUNA_ENCRYPT_SINGLEPART", "LUNA_VERIFY_SINGLEPART")
POLLED = ("status sensors", "hsm information show", "network show", "hsm show")
NOISE = (
    ("crond", "(root) CMD (/usr/lib64/sa/sa1 1 1)"),
    ("systemd", "Started Session 4711 of user root."),
    ("lsta", "info : 0 : Starting Luna SNMP Trap Agent"),
    ("sysstatd", "Luna System State Server - ISO Errors: 0!"),
    ("ntpd", "synchronized to 192.0.2.123, stratum 2"),
    ("ipmievd", "Reading sensors..."),
    ("telemetryd", "spool rotated, 3 objects kept"),
)
"""The last one is of a program that no pattern knows."""


def live(pen: Pen, scale: Scale) -> None:
    """A week of it."""
    polls(pen, scale)
    noise(pen, scale)
    for application in pen.device.applications:
        connections(pen, application, scale)
    for day in range(7):
        off_load(pen, MONDAY + timedelta(days=day, hours=2, minutes=30))
        backup(pen, MONDAY + timedelta(days=day, hours=1, minutes=10))
        heartbeat(pen, MONDAY + timedelta(days=day, hours=4, minutes=2))
    for day in (1, 3):
        morning_look(pen, pen.device.office(day, 9, 10))
    mistypes(pen)


def every(pen: Pen, minutes: float, begin: datetime = MONDAY, end: datetime = MONDAY + WEEK):
    """Moments that are so many minutes apart, more or less; the first is soon."""
    at = begin + pen.pause(1, min(60 * minutes, 2400))
    while at < end:
        yield at
        at += pen.pause(54 * minutes, 66 * minutes)


def polls(pen: Pen, scale: Scale) -> None:
    """The provider's robot on the serial console; where it is switched off, cron says every nine minutes that all lives."""
    if not pen.device.monitored:
        for at in every(pen, 9):
            pen.write(at, "crond", "(root) CMD (/usr/lib64/sa/sa1 1 1)", pen.new_pid())
        return
    at = MONDAY + pen.pause(5, 300)
    while at < MONDAY + WEEK:
        pid = pen.new_pid()
        pen.write(at, "lunash", "info : 0 : Lush user login : monitor : Console", pid)
        for number in range(scale.poll_commands):
            command = POLLED[-1] if number else pen.chance.choice(POLLED)
            pen.write(
                at + pen.pause(1 + number, 2 + number),
                "lunash",
                f"info : 0 : Command: {command}  : monitor : Console",
                pid,
            )
        at += pen.pause(596, 602)


def noise(pen: Pen, scale: Scale) -> None:
    for at in every(pen, scale.noise_minutes):
        program, text = pen.chance.choices(NOISE, (30, 20, 8, 10, 30, 10, 1))[0]
        pen.write(at, program, text)
    for at in every(pen, 360):
        pen.write(at, "ntpd", pen.chance.choice(("no servers reachable", "time reset +0.214 s", "time reset -0.380 s")))
        pen.write(at + pen.pause(60, 900), "ntpd", "synchronized to 192.0.2.123, stratum 2")
        pen.write(at + pen.pause(60, 900), "sshd", f"Did not receive identification string from {PROBE}", pen.new_pid())


def connections(pen: Pen, application: Application, scale: Scale) -> None:
    for at in every(pen, 60 / scale.connections):
        connection(pen, at, application, scale.uses)


def connection(pen: Pen, at: datetime, application: Application, uses: int) -> None:
    """In, log in, use keys, log out, gone; Dublin's clients come over the host trust link as well."""
    address = NVA if pen.device.behind_nva else application.address
    source, session = f"{address}/{pen.chance.randrange(30_000, 60_000)}", pen.chance.randrange(3, 60)
    pen.write(at, "NTLS", f"info : 0 : Incoming connection request... : {source}")
    if pen.device.behind_nva:
        trust_link(pen, at, source)
    at += pen.pause(0.1, 0.6)
    pen.write(at, "NTLS", f'info : 0 : NTLS Client "{application.name}" connected and authenticated : {source}')
    at = used(pen, at, application, session, uses)
    pen.write(
        at + pen.pause(0.1, 0.6),
        "NTLS",
        f'info : 0 : NTLS Client "{application.name}" Connection instance removed : {source}',
    )


def used(pen: Pen, at: datetime, application: Application, session: int, uses: int) -> datetime:
    """The audit records of one session; in an ephemeral partition a key comes and goes."""
    here = {"container": application.container}
    events = [("LUNA_OPEN_SESSION", {}), ("LUNA_LOGIN", {"role": application.role, "entry": True})]
    events += [(pen.chance.choice(USES), {}) for _ in range(uses)]
    if (pen.device.name, application.container) in EPHEMERAL:
        events += [("LUNA_GENERATE_KEY", {"handle": 77}), ("LUNA_DESTROY_OBJECT", {"handle": 77})]
    for event, more in (*events, ("LUNA_LOGOUT", {}), ("LUNA_CLOSE_SESSION", {})):
        at += pen.pause(0.2, 12)
        pen.record(at, event, session, **here, **more)
    return at


def trust_link(pen: Pen, at: datetime, source: str) -> None:
    for text in (
        f"Connection accepted from: {source}",
        f"Identify result from: {source}, result: Success",
        f"Handshake result from: {source}, result: Success",
        "Starting connection processing",
        f'HTLD Client "{source.partition("/")[0]}" connected and authenticated : {source}.',
        "One-time token validated successfully",
    ):
        at += pen.pause(0.01, 0.05)
        pen.write(at, "HTLD", f"info : 0 : {text}")


def off_load(pen: Pen, at: datetime) -> None:
    """As the manual advises: pack, fetch, clear, in one session; and the clock is set while the time servers are there."""
    pen.write(at - timedelta(minutes=5), "ntpd", "synchronized to 192.0.2.123, stratum 2")
    session = Session(pen, at + pen.pause(1, 300), "auditor", LOG_HOST)
    session.run("audit login")
    pen.record(session.now, "LUNA_LOGIN", 2, role=8, entry=True)
    pen.record(session.run("audit sync"), "LUNA_LOG_SET_TIME", 2, role=8)
    pen.record(
        session.run(f"audit log verify -file hsm_{pen.device.serial}_{0x1F + at.day:08x}.log"),
        "LUNA_LOG_VERIFY",
        2,
        role=8,
    )
    session.run("audit log tarlogs", wait=(20, 60))
    session.run("my file list")
    session.run("audit log clear -force", wait=(60, 90))
    session.run("service restart cbs")
    pen.record(session.run("audit logout"), "LUNA_LOGOUT", 2, role=8)
    session.close()


def backup(pen: Pen, at: datetime) -> None:
    """Every partition to the declared backup HSM, but those that are forgotten."""
    session = Session(pen, at + pen.pause(1, 200), "backup", BACKUP_HOST)
    for application in pen.device.applications:
        if application.container not in pen.forgotten:
            label = application.name.removeprefix("app-")
            at = session.run(f"partition backup -partition {label} -tokenPar {label} -serial {BACKUP_SERIAL} -force")
            for _ in range(3):
                at += pen.pause(0.1, 0.9)
                pen.record(at, "LUNA_CLONE_AS_SOURCE", 4, container=application.container)
    session.close()


def heartbeat(pen: Pen, at: datetime) -> None:
    days = 40 + (at - MONDAY).days
    local = pen.device.local(at)
    pen.write(at, "logger", f"uptime: {local:%H:%M:%S} up {days} days, 3:04, 1 user, load average: 0.10, 0.08, 0.05")


def morning_look(pen: Pen, at: datetime) -> None:
    """Somebody looks around and changes nothing; a name is mistyped, and refused."""
    session = Session(pen, at + pen.pause(1, 1500), pen.chance.choice(("opsadmin", "opsdeputy")), JUMP_HOST)
    for command in ("hsm show", "partition list", "client list", "ntls ipcheck show", "syslog tail -logname messages"):
        session.run(command)
    session.run("partition show -partition nosuch", code="65535")
    session.close()


def mistypes(pen: Pen) -> None:
    """Two wrong SSH passwords and two of a Crypto Officer's ten, before the right ones."""
    session = Session(pen, pen.device.office(2, 8, 20) + pen.pause(1, 900), "opsdeputy", SECOND_JUMP_HOST, wrong=2)
    session.run("hsm show")
    session.close()
    one = pen.device.applications[0]
    at = pen.device.office(2, 13, 5) + pen.pause(1, 600)
    for _ in range(2):
        at += pen.pause(5, 20)
        pen.record(at, "LUNA_LOGIN", 61, container=one.container, role=0, entry=True, result=PIN_INCORRECT)
    pen.record(at + pen.pause(5, 20), "LUNA_LOGIN", 61, container=one.container, role=0, entry=True)
