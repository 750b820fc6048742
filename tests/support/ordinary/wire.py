"""What a device writes, and how it looks on the wire: four forms of headers, and numbered audit records."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from support.raw_blocks import raw_block

if TYPE_CHECKING:
    from support.ordinary.site import Device

FACILITIES = {"kern": 0, "user": 1, "daemon": 3, "syslog": 5, "cron": 9, "authpriv": 10}
FACILITIES |= {f"local{number}": 16 + number for number in range(8)}
SEVERITIES = {"crit": 2, "err": 3, "warn": 4, "notice": 5, "info": 6}
PROGRAMS = {
    "lunash": ("local5", "info"),
    "NTLS": ("local5", "info"),
    "HTLD": ("local5", "info"),
    "lsta": ("local5", "info"),
    "cbs": ("local3", "info"),
    "sshd": ("authpriv", "info"),
    "sysstatd": ("user", "info"),
    "logger": ("syslog", "info"),
    "ntpd": ("daemon", "info"),
    "systemd": ("daemon", "info"),
    "ipmievd": ("local4", "notice"),
    "oamp": ("local6", "crit"),
    "kernel": ("kern", "info"),
    "crond": ("cron", "info"),
}
OTHERS = ("user", "notice")
"""Of programs that no Luna has."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
OK, PIN_INCORRECT = "RC_OK(0x00000000)", "LUNA_RET_UM_PIN_INCORRECT(0x00A00000)"


@dataclass(frozen=True, slots=True)
class Line:
    """One message on its way: from whom it seems to come, and over which path."""

    at: datetime
    device: str
    raw: bytes
    transport: str
    peer: str


@dataclass
class Pen:
    """Collects what one device writes; its random numbers are its own."""

    device: Device
    seed: str
    said: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    silent: list = field(default_factory=list)
    forgotten: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed} {self.device.name}")
        self.sequence = 400_000 + self.chance.randrange(100_000)
        self.mac = ""
        self.pids = {name: self.chance.randrange(900, 20_000) for name in PROGRAMS}

    def pause(self, shortest: float, longest: float) -> timedelta:
        return timedelta(seconds=self.chance.uniform(shortest, longest))

    def new_pid(self) -> int:
        return self.chance.randrange(20_000, 32_000)

    def write(self, at: datetime, program: str, text: str, pid: int | None = None, *, severity="", peer="") -> None:
        self.said.append((at, program, pid or self.pids.get(program, 4711), severity, text, peer))

    def audit(self, at: datetime, text: str) -> None:
        """An audit record of the HSM, without its number; `text` from the word session on."""
        self.said.append((at, "", 0, "", text, ""))

    def record(self, at: datetime, event: str, session: int, **rest) -> None:
        """As `audit`, of its parts: actor, result, container, role, handle, and whether a secret was entered."""
        self.audit(at, self._text(event, session, rest))

    def _text(self, event: str, session: int, said: dict) -> str:
        container = said.get("container")
        minor = self.pids["NTLS" if container is not None else "cbs"]
        parts = [f"session {session} Access 2147483651:{minor}", said.get("actor", ""), f"operation {event}"]
        parts += [f"returned {said.get('result', OK)}"]
        parts += [f"container={container}"] if container is not None else []
        parts += [f"roleID={said['role']}"] if "role" in said and self.device.roles else []
        parts += [f"handle={said['handle']}"] if "handle" in said else []
        parts += ["(using PIN (entry=LUNA_ENTRY_DATA_AREA))"] if said.get("entry") else []
        return " ".join(part for part in parts if part)

    def lines(self) -> list[Line]:
        """All that was said, in order and with its numbers; while it is silent it is out, and nothing happens."""
        found, holes = [], sorted(self.lost)
        for at, program, pid, severity, text, peer in sorted(self.said, key=lambda one: one[0]):
            if any(begin < at < end for begin, end in self.silent):
                continue
            while not program and holes and at >= holes[0][0]:
                self.sequence += holes.pop(0)[1]
            there = at + timedelta(seconds=self.device.skew)
            head = self._head(there, program or "cbs", pid or self.pids["cbs"], severity)
            raw = (head + (text if program else self._numbered(there, text))).encode()
            found.append(Line(at, self.device.name, raw, self.device.transport, peer or self.device.address))
        return found

    def _numbered(self, at: datetime, text: str) -> str:
        device, number = self.device, self.sequence
        self.sequence += 1
        text = f"S/N {device.serial} {text}"
        said = f"hsm_{device.serial}_{0x20 + at.day:08x}.log^{number},{device.local(at):%y/%m/%d %H:%M:%S},{text}"
        before, self.mac = self.mac, hashlib.sha256(said.encode()).hexdigest().upper()
        if not device.proofs:
            return said
        code, session = int(text.split("(0x")[1][:8], 16), int(text.split("session ")[1].split()[0])
        minor = int(text.split("Access 2147483651:")[1].split()[0])
        return f"{said},{before or '0' * 64},{raw_block(number, at.replace(microsecond=0), code, minor, session)}"

    def _head(self, at: datetime, program: str, pid: int, severity: str) -> str:
        device, local = self.device, self.device.local(at)
        facility, usual = PROGRAMS.get(program, OTHERS)
        severity = severity or usual
        pri = f"<{FACILITIES[facility] * 8 + SEVERITIES[severity]}>"
        tag = f"{program} [{pid}]:" if program in {"lunash", "NTLS"} else f"{program}[{pid}]:"
        if device.form == "5424":
            return f"{pri}1 {at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}Z {device.name} {program} {pid} - - "
        if device.form == "iso":
            return f"{pri}{_iso(at, local)} {device.name} {tag} "
        stamp = f"{MONTHS[local.month - 1]} {local.day:>2} {local:%H:%M:%S}"
        if device.form == "local":
            return f"{pri}{local.year} {stamp.replace('  ', ' 0')} {device.name}  {facility} {severity}  {tag} "
        return f"{pri}{stamp} {device.name} {tag} "


def _iso(at: datetime, local: datetime) -> str:
    return local.replace(tzinfo=timezone(local - at)).isoformat(timespec="microseconds")


class Session:
    """A session of the Luna shell over SSH: its clock moves on with each command."""

    def __init__(self, pen: Pen, at: datetime, account: str, address: str, *, wrong: int = 0) -> None:
        """`wrong`: so many passwords are mistyped first."""
        self.pen, self.now, self.account, self.address = pen, at, account, address
        self.pid, self.sshd, port = pen.new_pid(), pen.new_pid(), pen.chance.randrange(30_000, 60_000)
        self.origin = f"{address}/{port}"
        for _ in range(wrong):
            self._sshd(
                f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user={account}"
            )
            self._sshd(f"Failed password for {account} from {address} port {port} ssh2", 1, 3)
        self._sshd(f"Accepted password for {account} from {address} port {port} ssh2", 2, 4)
        self._sshd(f"pam_unix(sshd:session): session opened for user {account} by (uid=0)")
        self._lunash(f"info : 0 : Lush user login : {account} : {self.origin}")

    def run(self, command: str, code: str = "0", *, wait: tuple[float, float] = (3, 20)) -> datetime:
        self.now += self.pen.pause(*wait)
        self._lunash(f"info : {code} : Command: {command}  : {self.account} : {self.origin}")
        return self.now

    def close(self) -> datetime:
        self.now += self.pen.pause(1, 5)
        self._lunash(f"info : 0 : Lush user logout : {self.account} : {self.origin}")
        self._sshd(f"Received disconnect from {self.address}: 11: disconnected by user")
        self._sshd(f"pam_unix(sshd:session): session closed for user {self.account}")
        return self.now

    def _lunash(self, text: str) -> None:
        self.pen.write(self.now, "lunash", text, self.pid)

    def _sshd(self, text: str, shortest: float = 0.05, longest: float = 0.3) -> None:
        self.now += self.pen.pause(shortest, longest)
        self.pen.write(self.now, "sshd", text, self.sshd)
