"""What happens this week by ticket: a patch night, a decommission, a certificate, a ceremony, a rotation, a joiner …"""

from __future__ import annotations

from datetime import datetime, timedelta

from support.ordinary.life import backup
from support.ordinary.site import BACKUP_SERIAL, JUMP_HOST, MONDAY, NVA, PATCH, WEEK, Window, moment
from support.ordinary.wire import PIN_INCORRECT, Pen, Session

PINS_WRONG = timedelta(seconds=40)
WINDOWS = (
    Window("hsm-ams-2", moment("wed 20:00"), moment("wed 22:30"), "CHG-1102", "patch"),
    Window("hsm-mad-1", moment("thu 09:00"), moment("thu 11:00"), "CHG-1103", "decommission"),
    Window("hsm-ams-1", moment("tue 10:00"), moment("tue 12:00"), "CHG-1104", "ceremony"),
    Window("hsm-dub-1", moment("wed 11:00"), moment("wed 12:00"), "CHG-1105", "change"),
    Window("hsm-ber-1", moment("thu 13:00"), moment("thu 14:00"), "CHG-1106", "change"),
    Window("hsm-nyc-1", moment("tue 15:00"), moment("tue 16:00"), "CHG-1107", "change"),
    Window("hsm-dub-2", moment("tue 11:00"), moment("tue 11:30"), "CHG-1108", "change"),
    Window("hsm-tst-1", moment("tue 13:00"), moment("tue 15:00"), "CHG-1109", "dr-test"),
    Window("hsm-tst-1", moment("wed 13:00"), moment("wed 13:30"), "CHG-1110", "provisioning"),
)
RETIRED_AT = moment("thu 10:31")


def change(pens: dict[str, Pen]) -> None:
    """All of them."""
    patch_night(pens["hsm-ams-2"], moment("wed 20:10"))
    decommission(pens["hsm-mad-1"], moment("thu 09:20"))
    ceremony(pens["hsm-ams-1"], pens["hsm-ams-2"], moment("tue 10:15"))
    certificate(pens["hsm-dub-1"], moment("wed 11:10"))
    rotation(pens["hsm-ber-1"], pens["hsm-ber-2"], moment("thu 13:10"))
    joiner(pens["hsm-nyc-1"], moment("tue 15:10"))
    address_check(pens["hsm-dub-2"], moment("tue 11:05"))
    recovery_test(pens["hsm-tst-1"], moment("tue 13:20"))
    new_partition(pens["hsm-tst-1"], moment("wed 13:05"))
    feed_maintenance(pens["hsm-par-1"])
    for day in ("mon", "tue", "wed", "thu", "fri"):
        replication(pens["hsm-ams-1"], pens["hsm-ams-2"], moment(f"{day} 14:30"), 20)


def so_login(session: Session) -> None:
    session.pen.record(session.run("hsm login"), "LUNA_LOGIN", 1, actor="SO container", role=1, entry=True)


def patch_night(pen: Pen, at: datetime) -> None:
    """Package, firmware, restart; the clients are back, and somebody looks at the version."""
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    session.run(f"package verify {PATCH}", wait=(60, 90))
    session.run(f"package update {PATCH}", wait=(120, 200))
    so_login(session)
    at = session.run("hsm firmware upgrade", wait=(200, 240))
    for number, event in enumerate(("LUNA_FW_UPGRADE_INIT", "LUNA_FW_UPGRADE_UPDATE", "LUNA_FW_UPGRADE_FINAL")):
        pen.record(at - timedelta(seconds=90 - 40 * number), event, 1, actor="SO container")
    at = session.run("sysconf appliance reboot", wait=(20, 30))
    restart(pen, at, at + timedelta(minutes=5))
    session = Session(pen, at + timedelta(minutes=15), "opsadmin", JUMP_HOST)
    session.run("hsm show")
    session.close()


def restart(pen: Pen, down: datetime, up: datetime) -> None:
    pen.write(down + timedelta(seconds=1), "sysstatd", "------------ Luna System State Server - Stopped.")
    pen.write(down + timedelta(seconds=2), "sshd", "Received signal 15; terminating.")
    pen.silent.append((down + timedelta(seconds=3), up))
    pen.write(up, "kernel", "k7pf0: [HSM] ALM2014: Auto-activation data invalid - HSM deactivated")
    pen.write(up + timedelta(seconds=3), "sshd", "Server listening on 0.0.0.0 port 22.")
    pen.write(up + timedelta(seconds=5), "sysstatd", "------------ Luna System State Server - Started.")
    pen.write(up + timedelta(seconds=8), "NTLS", "info : 0 : Starting up NTLS........")
    for number, one in enumerate(pen.device.applications):
        source = f"{one.address}/{31_000 + number}"
        pen.write(
            up + timedelta(seconds=60 + number),
            "NTLS",
            f'info : 0 : NTLS Client "{one.name}" connected and authenticated : {source}',
        )


def decommission(pen: Pen, at: datetime) -> None:
    """A last backup, three wrong passwords as the provider asks, and silence for ever."""
    backup(pen, at)
    session = Session(pen, at + timedelta(minutes=45), "opsadmin", JUMP_HOST)
    for _ in range(2):
        wrong_so_password(session)
    session.now += PINS_WRONG
    pen.record(
        session.now,
        "LUNA_LOGIN",
        1,
        actor="SO container",
        role=1,
        entry=True,
        result="LUNA_RET_SO_LOGIN_FAILURE_THRESHOLD(0x0030000F)",
    )
    pen.write(
        session.now,
        "lunash",
        "HSM Admin Login: HSM Zeroized due to three consecutive bad login attempts.",
        session.pid,
        severity="warn",
    )
    session.run("hsm login", code="0x0030000F", wait=(0.2, 0.4))
    pen.record(session.now, "LUNA_ZEROIZE", 1)
    session.run("hsm show")
    session.close()
    pen.silent.append((RETIRED_AT, MONDAY + WEEK))


def wrong_so_password(session: Session) -> None:
    session.now += PINS_WRONG
    session.pen.record(session.now, "LUNA_LOGIN", 1, actor="SO container", role=1, entry=True, result=PIN_INCORRECT)
    session.pen.write(
        session.now, "lunash", "HSM Admin Login: incorrect password or PED key", session.pid, severity="warn"
    )
    session.run("hsm login", code="0x00a00000", wait=(0.2, 0.4))


def ceremony(pen: Pen, partner: Pen, at: datetime) -> None:
    """Keys of a guarded partition, made as announced; they are at the partner within minutes."""
    for number in range(3):
        at += pen.pause(60, 200)
        pen.record(at, "LUNA_GENERATE_KEY_PAIR", 70, container=22, handle=200 + number)
        replication(pen, partner, at + timedelta(seconds=20), 22, make=False)


def replication(pen: Pen, partner: Pen, at: datetime, container: int, *, make: bool = True) -> None:
    """A new key goes to the other member of the pair."""
    if make:
        pen.record(at, "LUNA_GENERATE_KEY_PAIR", 71, container=container, handle=300)
    pen.record(at + timedelta(seconds=2), "LUNA_CLONE_AS_SOURCE", 71, container=container)
    partner.record(at + timedelta(seconds=3), "LUNA_CLONE_AS_TARGET", 71, container=container)


def certificate(pen: Pen, at: datetime) -> None:
    """The server's certificate is renewed; one client fails until it has it."""
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    session.run("sysconf regencert -force")
    session.run("service restart ntls")
    at = session.close() + timedelta(seconds=20)
    for _ in range(7):
        at += pen.pause(20, 40)
        failed_handshake(pen, at, NVA)


def failed_handshake(pen: Pen, at: datetime, address: str) -> None:
    source = f"{address}/{pen.chance.randrange(30_000, 60_000)}"
    pen.write(at, "NTLS", f"info : 0 : Incoming connection request... : {source}")
    for text in (
        "Error message from SSLAccept is : error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
        "Error during SSL accept ( RC_SSL_ERROR )",
        f"info : 0xc0000711 : Fail to establish a secure channel with client : {source} : RC_SSL_FAILED_HANDSHAKE",
        f'info : 0 : NTLS Client "Unknown host name" Connection instance removed : {source}',
    ):
        at += pen.pause(0.01, 0.1)
        pen.write(at, "NTLS", text)


def rotation(pen: Pen, partner: Pen, at: datetime) -> None:
    """Three keys are made, copied to the partner, and the three old ones destroyed."""
    for number in range(3):
        replication(pen, partner, at + timedelta(minutes=number), 21)
    for number in range(3):
        pen.record(
            at + timedelta(minutes=10, seconds=number), "LUNA_DESTROY_OBJECT", 71, container=21, handle=100 + number
        )


def joiner(pen: Pen, at: datetime) -> None:
    """A new operator, whose first act is a password of her own."""
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    session.run("user add -username joiner")
    session.run("user role add -username joiner -role operator")
    session.close()
    session = Session(pen, at + timedelta(minutes=12), "joiner", JUMP_HOST)
    session.run("my password set")
    session.run("hsm show")
    session.close()


def address_check(pen: Pen, at: datetime) -> None:
    """Behind a network appliance the check of addresses is off, on purpose."""
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    session.run("ntls ipcheck disable")
    session.run("ntls ipcheck show")
    session.close()


def recovery_test(pen: Pen, at: datetime) -> None:
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    at = session.run(f"partition restore -partition tst-tls -tokenPar tst-tls -serial {BACKUP_SERIAL} -replace -force")
    for _ in range(4):
        at += pen.pause(0.2, 1)
        pen.record(at, "LUNA_CLONE_AS_TARGET", 4, container=20)
    session.close()


def new_partition(pen: Pen, at: datetime) -> None:
    session = Session(pen, at, "opsadmin", JUMP_HOST)
    so_login(session)
    pen.record(
        session.run("partition create -partition tst-new"),
        "LUNA_CREATE_CONTAINER",
        1,
        actor="SO container",
        container=30,
    )
    session.run("hsm logout")
    session.close()


def feed_maintenance(pen: Pen) -> None:
    """One power feed after the other is maintained, and comes back."""
    for unit, clock in ((1, "wed 03:02"), (2, "wed 04:31")):
        lost = moment(clock)
        pen.write(lost, "ipmievd", f"Power supply {unit} AC outage")
        pen.write(lost + timedelta(minutes=22), "ipmievd", f"Power supply {unit} AC restored")
