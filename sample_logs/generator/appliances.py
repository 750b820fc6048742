"""The three appliances of the sample week, the networks around them, and who uses them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MONDAY = datetime(2026, 11, 16)
"""The sample week begins here; all times are UTC."""

Form = Literal["rfc3164", "rfc3339", "rfc5424"]

COLLECTOR = "192.0.2.20"
RELAY = "198.51.100.20"
UNAPPROVED_TARGET = "198.51.100.9"
JUMP_HOST = "192.0.2.50"
AUDIT_HOST = "192.0.2.40"
PROBE = "192.0.2.60"
STRANGER = "203.0.113.77"
BACKUP_SERIAL = "700301"

CRYPTO_OFFICER, CRYPTO_USER = 0, 5
"""Role ids of an application partition (firmware 7.7.0 and newer prints them)."""


@dataclass(frozen=True, slots=True)
class Application:
    """An NTLS client: its certificate's name, where it connects from, the partition and role it uses."""

    name: str
    address: str
    container: int
    role: int
    every_minutes: int


@dataclass(frozen=True, slots=True)
class Appliance:
    """One device, and the form its lines have on the wire."""

    name: str
    address: str
    serial: str
    form: Form
    transport: Literal["udp", "tcp"]
    first_sequence: int
    ntls_pid: int
    ntp_servers: tuple[str, ...]
    log_targets: tuple[str, ...]
    applications: tuple[Application, ...]
    old_firmware: bool = False


PAIR_APPLICATIONS = (
    Application("app-tls-1", "192.0.2.101", 20, CRYPTO_USER, 75),
    Application("app-tls-2", "192.0.2.102", 20, CRYPTO_USER, 85),
    Application("app-sign-1", "192.0.2.103", 21, CRYPTO_OFFICER, 100),
    Application("app-pki-1", "192.0.2.104", 22, CRYPTO_OFFICER, 180),
)
BATCH = Application("app-batch-1", "192.0.2.105", 23, CRYPTO_OFFICER, 0)
"""Connects to hsm-ams-1 once a night; not part of the ordinary rhythm."""

AMS_1 = Appliance(
    name="hsm-ams-1",
    address="192.0.2.11",
    serial="600101",
    form="rfc3164",
    transport="udp",
    first_sequence=1_284_001,
    ntls_pid=8508,
    ntp_servers=("192.0.2.123", "192.0.2.124"),
    log_targets=(COLLECTOR,),
    applications=PAIR_APPLICATIONS,
)
AMS_2 = Appliance(
    name="hsm-ams-2",
    address="192.0.2.12",
    serial="600102",
    form="rfc3339",
    transport="tcp",
    first_sequence=1_190_377,
    ntls_pid=7711,
    ntp_servers=("192.0.2.123", "192.0.2.124"),
    log_targets=(COLLECTOR,),
    applications=PAIR_APPLICATIONS,
)
FRA_1 = Appliance(
    name="hsm-fra-1",
    address="198.51.100.11",
    serial="600201",
    form="rfc5424",
    transport="tcp",
    first_sequence=88_120,
    ntls_pid=6120,
    ntp_servers=("198.51.100.123", "198.51.100.124"),
    log_targets=(COLLECTOR, RELAY),
    applications=(Application("app-test-1", "198.51.100.101", 20, CRYPTO_OFFICER, 60),),
    old_firmware=True,
)
APPLIANCES = (AMS_1, AMS_2, FRA_1)
