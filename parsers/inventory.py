"""Which device a line comes from: the four things that can say it, and who wins."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from parsers.remembering import remembered

_FINGERPRINT = re.compile(r"(?:^|(?:^| )sha256:)([0-9A-Fa-f]{64}|(?:[0-9A-Fa-f]{2}:){19,31}[0-9A-Fa-f]{2})$")
_COMMON_NAME = re.compile(r"(?:^|[,/ ])CN ?= ?([^,/ ]+)")

WITNESSES = ("certificate", "serial", "address", "host name")
"""What can name the device, the strongest first."""


@dataclass(frozen=True, slots=True)
class Device:
    """One HSM appliance of the configuration; `hosts` holds its names, addresses and what its certificates show."""

    name: str
    hosts: tuple[str, ...] = ()
    serials: tuple[str, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition of a device; lines name it by container number, serial or label."""

    device: str
    container: str = ""
    serial: str = ""
    label: str = ""
    kind: Literal["application", "admin"] = "application"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All devices. An empty inventory knows nobody: every line's device is ''."""

    devices: tuple[Device, ...] = ()
    partitions: tuple[Partition, ...] = ()
    _hosts: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _serials: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _zones: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)
    _partitions: dict[tuple[str, str], Partition] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for device in self.devices:
            for host in (device.name, *device.hosts):
                self._hosts.setdefault(_plain(host), device.name)
            for serial in device.serials:
                self._serials.setdefault(serial, device.name)
            self._zones[device.name] = device.time_zone
        for name in ("container", "serial", "label"):  # a number that is one partition's and another's label
            for partition in self.partitions:
                self._partitions.setdefault((partition.device, getattr(partition, name)), partition)

    def by_host(self, host: str) -> str:
        """The device of a host name or address, '' when nobody's; a name matches without its domain too."""
        if not host:
            return ""
        plain = _plain(host)
        known = self._hosts.get(plain, "")
        if known or not plain or plain[0].isdigit():
            return known
        return self._hosts.get(plain.partition(".")[0], "")

    def by_serial(self, serial: str) -> str:
        return self._serials.get(serial, "")

    def by_certificate(self, identity: str) -> str:
        """The device that the fingerprint, the whole subject or its common name names, in this order."""
        if not identity:
            return ""
        found = _FINGERPRINT.search(identity)
        subject = identity[: found.start()] if found else identity
        fingerprint = found[1] if found else ""
        names = (fingerprint, subject, *_COMMON_NAME.findall(subject))
        return next(filter(None, map(self.by_host, names)), "")

    def partition(self, device: str, printed: str) -> Partition | None:
        """The partition of a device that a line names so; None for no name and for one that nobody configured."""
        return self._partitions.get((device, printed)) if printed else None

    def zone(self, device: str) -> str:
        return self._zones.get(device, "UTC")

    def zones(self) -> frozenset[str]:
        return frozenset(self._zones.values()) - {"UTC"}

    def device_of(self, certificate: str, serial: str, address: str, host: str) -> tuple[str, str]:
        """The device and what is wrong ('' when the witnesses agree), from what each witness says ('' says nothing)."""
        said = [(who, name) for who, name in zip(WITNESSES, (certificate, serial, address, host), strict=True) if name]
        if not said:
            return "", ""
        others = [f"{who} says {name}" for who, name in said[1:] if name != said[0][1]]
        if not others:
            return said[0][1], ""
        return said[0][1], f"device: {said[0][0]} says {said[0][1]}, " + ", ".join(others)


@remembered(4096)
def _plain(host: str) -> str:
    """As compared: lower case, fingerprints without colons, an IPv4 address out of its IPv6 form."""
    plain = host.strip().lower().removeprefix("::ffff:").removeprefix("sha256:")
    if len(plain) > 46 and set(plain) <= set("0123456789abcdef:"):
        return plain.replace(":", "")
    return plain
