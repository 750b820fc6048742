"""Twelve devices in five pairs and two singles, who uses and runs them, and what the site says of all that.

Pairs: Amsterdam and Dublin write in UTC, Berlin and New York in their own time, Paris has firmware 7.0.3 that names no
roles. Dublin stands behind a network appliance and has the provider's monitor switched off. hsm-tst-1 is for tests,
hsm-mad-1 goes out of use this week.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from support.installation import BASIC

MONDAY = datetime(2026, 2, 9)
"""The week begins here, in UTC; neither it nor the weeks before see a clock change."""

WEEK = timedelta(days=7)
JUMP_HOST, SECOND_JUMP_HOST, LOG_HOST, BACKUP_HOST = "192.0.2.50", "192.0.2.51", "192.0.2.40", "192.0.2.41"
COLLECTOR, RELAY, NVA, PROBE = "192.0.2.20", "192.0.2.30", "198.51.100.17", "192.0.2.60"
BACKUP_SERIAL = "700301"
PATCH = "lunasa_update-7.8.4-1.spkg"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def moment(text: str) -> datetime:
    """'tue 14:05' or 'tue 14:05:30' of this week, in UTC."""
    day, clock = text.split()
    hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3]
    return MONDAY + timedelta(days=DAYS.index(day), hours=hours, minutes=minutes, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Application:
    """An NTLS client and the partition that it uses."""

    name: str
    address: str
    container: int
    role: int = 5


@dataclass(frozen=True)
class Device:
    """One HSM; `form` is that of its headers, `proofs` whether its audit records carry MAC and raw block.

    `relayed`: also, or only, through the relay. `skew`: how many seconds its clock is ahead.
    """

    name: str
    address: str
    serial: str
    form: str
    transport: str = "udp"
    zone: str = "UTC"
    partner: str = ""
    profile: str = "production"
    roles: bool = True
    proofs: bool = True
    behind_nva: bool = False
    monitored: bool = True
    relayed: str = ""
    skew: float = 0.0
    applications: tuple[Application, ...] = ()

    def local(self, at: datetime) -> datetime:
        """The time on its clock, without a zone."""
        return at if self.zone == "UTC" else at + ZoneInfo(self.zone).utcoffset(at)

    def office(self, day: int, hour: int, minute: int = 0) -> datetime:
        """A time of its working day, in UTC."""
        at = MONDAY + timedelta(days=day, hours=hour, minutes=minute)
        return at - (self.local(at) - at)


def _applications(place: str, first: int, *, ephemeral: bool = False) -> tuple[Application, ...]:
    names = (("tls", 20, 5), ("sign", 21, 0), ("pki", 22, 0), *((("jobs", 23, 0),) if ephemeral else ()))
    return tuple(
        Application(f"app-{place}-{word}", f"198.51.100.{first + number}", container, role)
        for number, (word, container, role) in enumerate(names)
    )


def _pair(place: str, number: int, first: int, forms: tuple[str, str], **rest) -> tuple[Device, Device]:
    one, other = f"hsm-{place}-1", f"hsm-{place}-2"
    applications = _applications(place, first, ephemeral=place == "nyc")
    return tuple(
        Device(
            name,
            f"192.0.2.{10 + number + place_of}",
            f"{600100 + number + place_of}",
            forms[place_of],
            transport="tcp" if forms[place_of] == "iso" else "udp",
            partner=partner,
            applications=applications,
            **rest,
        )
        for place_of, (name, partner) in enumerate(((one, other), (other, one)))
    )


DEVICES = (
    *_pair("ams", 1, 97, ("bsd", "iso"), relayed="also"),
    *_pair("ber", 3, 101, ("bsd", "iso"), zone="Europe/Berlin", skew=1.2),
    *_pair("nyc", 5, 105, ("local", "bsd"), zone="America/New_York", proofs=False),
    *_pair("dub", 7, 110, ("5424", "5424"), behind_nva=True, monitored=False),
    *_pair("par", 9, 114, ("local", "bsd"), roles=False, skew=-1.8),
    Device(
        "hsm-tst-1",
        "192.0.2.21",
        "600121",
        "5424",
        "tcp",
        profile="test",
        relayed="only",
        applications=_applications("tst", 118)[:1],
    ),
    Device(
        "hsm-mad-1",
        "192.0.2.22",
        "600122",
        "iso",
        "tcp",
        profile="decommissioning",
        applications=_applications("mad", 122)[:1],
    ),
)
NAMED = {device.name: device for device in DEVICES}
GUARDED, EPHEMERAL = (("hsm-ams-1", 22), ("hsm-ams-2", 22)), (("hsm-nyc-1", 23), ("hsm-nyc-2", 23))

BASE = f"""{BASIC}
[store]
threads = 1
[[alert.webhook]]
name = "people"
url = "http://127.0.0.1:9/"
[[account]]
name = "opsadmin"
roles = ["admin", "so"]
owner = "HSM operations"
[[account]]
name = "opsdeputy"
roles = ["admin", "so"]
owner = "HSM operations"
[[account]]
name = "auditor"
roles = ["audit", "au"]
owner = "Audit"
[[account]]
name = "backup"
roles = ["operator"]
owner = "HSM operations"
[[account]]
name = "joiner"
devices = ["hsm-nyc-1"]
roles = ["operator"]
owner = "HSM operations"
[[account]]
name = "monitor"
roles = ["monitor"]
owner = "Service provider"
[[range]]
name = "jump hosts"
cidr = "192.0.2.48/28"
use = ["admin"]
[[range]]
name = "log and backup hosts"
cidr = "192.0.2.40/30"
use = ["admin"]
[[range]]
name = "probes"
cidr = "192.0.2.60/32"
use = ["probe"]
[[range]]
name = "relay"
cidr = "192.0.2.30/32"
use = ["relay"]
[[range]]
name = "network appliance"
cidr = "198.51.100.16/29"
use = ["nva"]
[[range]]
name = "applications"
cidr = "198.51.100.96/27"
use = ["client"]
"""
ALLOWED = f"""
[[allow]]
detector = "CONF-05"
match = {{ packages = "{PATCH}" }}
owner = "Change board"
reason = "CHG-1090: this package, after two weeks on the test device"
until = "2026-02-15"
[[allow]]
detector = "CONF-04"
match = {{ device = "hsm-dub-1", operations = "certificate_regenerate", accounts = "opsadmin" }}
owner = "Change board"
reason = "CHG-1105: the yearly server certificate"
until = "2026-02-15"
"""
"""A change window says when; what exactly is to be done in it is said here, so that nothing else of the kind is hidden."""


def configuration() -> str:
    """The whole hsmtrail.toml."""
    return BASE + "".join(map(_device, DEVICES)) + _clients() + "".join(map(_partitions, DEVICES)) + ALLOWED


def _device(device: Device) -> str:
    expects = ["lunash", "ntls", "sshd", "hsm_audit"]
    return f"""
[[device]]
name = "{device.name}"
hosts = ["{device.name}", "{device.address}"]
serials = ["{device.serial}"]
time_zone = "{device.zone}"
profile = "{device.profile}"
behind_nva = {str(device.behind_nva).lower()}
microsoft_monitor = {str(device.monitored).lower()}
partner = "{device.partner}"
expects = {expects}
since = "2025-01-06"
firmware_minimum = "{"7.7.0" if device.roles else "7.0.3"}"
backup_serials = ["{BACKUP_SERIAL}"]
working_hours = "mon-fri 07:00-19:00"
"""


def _clients() -> str:
    where: dict[Application, list[Device]] = {}
    for device in DEVICES:
        for one in device.applications:
            where.setdefault(one, []).append(device)
    return "".join(
        f"""
[[client]]
name = "{one.name}"
addresses = ["{NVA if there[0].behind_nva else one.address}"]
devices = {[device.name for device in there]}
partitions = ["{one.container}"]
"""
        for one, there in where.items()
    )


def _partitions(device: Device) -> str:
    return "".join(
        f"""
[[partition]]
device = "{device.name}"
container = "{one.container}"
label = "{one.name.removeprefix("app-")}"
guarded = {str((device.name, one.container) in GUARDED).lower()}
ephemeral = {str((device.name, one.container) in EPHEMERAL).lower()}
"""
        for one in device.applications
    )


@dataclass(frozen=True, slots=True)
class Window:
    """An approved change."""

    device: str
    begins: datetime
    ends: datetime
    ticket: str
    kind: str


@dataclass
class Scale:
    """How much is said: the least of a week, or 300,000 lines."""

    connections: float = 1 / 12
    poll_commands: int = 0
    noise_minutes: float = 360.0
    uses: int = 2


SMALL, LARGE = Scale(), Scale(connections=3.7, poll_commands=2, noise_minutes=9.0, uses=4)
