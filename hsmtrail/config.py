"""hsmtrail.toml to frozen settings: every mistake at once, each with its key and what is wanted."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from hsmtrail.config_checks import (
    Address,
    Cidr,
    Day,
    Duration,
    EmailAddress,
    Hours,
    MailServer,
    Name,
    Schedule,
    ZoneName,
    mistakes_between,
)
from hsmtrail.config_context import Account, Allow, Client, Partition, Range
from hsmtrail.config_evidence import Retention, Spool, Store
from hsmtrail.config_section import Section

__all__ = [
    "Account",
    "Alert",
    "Allow",
    "Client",
    "Configuration",
    "ConfigurationError",
    "DetectorOverride",
    "Device",
    "Email",
    "Listener",
    "Partition",
    "Range",
    "Receiver",
    "Report",
    "Retention",
    "Spool",
    "Store",
    "Web",
    "WebUser",
    "Webhook",
    "load",
]

Severity = Literal["info", "low", "medium", "high", "critical"]
Family = Literal[
    "hsm_audit",
    "lunash",
    "ntls",
    "htl",
    "sshd",
    "alarm",
    "oamp",
    "ipmi",
    "sysstat",
    "snmp",
    "ntp",
    "system",
    "other",
]


class ConfigurationError(Exception):
    """The configuration cannot be used; `mistakes` has one sentence for each, with its place."""

    def __init__(self, path: Path, mistakes: list[str]) -> None:
        self.path, self.mistakes = path, mistakes
        count = f"{len(mistakes)} mistake" + ("" if len(mistakes) == 1 else "s")
        super().__init__(f"{path}: {count}\n" + "\n".join(f"  {mistake}" for mistake in mistakes))


class Listener(Section):
    """One socket that receives syslog."""

    name: Name = Field(description="How records and figures call it; every name once.")
    protocol: Literal["udp", "tcp", "tls"] = Field(description="The transport.")
    address: Address = Field(description='"ADDRESS:PORT"; IPv6 as "[::]:514"; port 0 takes a free one.')
    allow: list[Cidr] = Field(default=[], description="Senders that are let in, as networks; empty lets everybody in.")
    framing: Literal["auto", "lf", "nul", "octet-counted"] = Field(
        default="auto", description="How messages are told apart on TCP and TLS; auto decides for each one."
    )
    max_message: int = Field(
        default=65536,
        ge=480,
        le=16 << 20,
        description="Longer messages are kept up to here, marked and counted; bytes.",
    )
    receive_buffer: int | None = Field(
        default=None,
        ge=1 << 12,
        le=1 << 30,
        description="Socket receive buffer in bytes; UDP takes 128 MiB if it may.",
    )
    workers: int = Field(
        default=1, ge=1, le=16, description="UDP: sockets and threads that share the port; each sender stays with one."
    )
    crowded_rate: int = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        description="UDP: datagrams a second that each sender may still bring while the buffer is nearly full.",
    )
    turn_bytes: int = Field(
        default=1 << 20,
        ge=1 << 12,
        le=1 << 28,
        description="TCP, TLS: what one sender may bring in a turn while others wait; bytes.",
    )
    max_connections: int = Field(default=4096, ge=1, le=100_000, description="TCP, TLS: connections at a time.")
    max_connections_per_peer: int = Field(default=2048, ge=1, le=100_000, description="Of these from one address.")
    max_unfinished: int = Field(
        default=64 << 20,
        ge=16 << 20,
        le=8 << 30,
        description="TCP, TLS: bytes of messages that are not whole yet; above it the largest one is kept as it is.",
    )
    idle_after: Duration = Field(default="1h", description="A connection that is silent for so long is closed.")
    certificate: str = Field(
        default="",
        description="TLS: our certificate and those up to the root; PEM file, relative to this one.",
    )
    key: str = Field(default="", description="TLS: its private key without a passphrase; PEM file.")
    client_ca: str = Field(
        default="", description="TLS: who signs the senders' certificates; PEM file. When set, each must show one."
    )
    revocation_list: str = Field(
        default="", description="TLS: certificates of senders that count no more; PEM file with the CRL of `client_ca`."
    )
    minimum_version: Literal["1.2", "1.3"] = Field(default="1.2", description="TLS: older versions are refused.")
    handshake_within: Duration = Field(default="10s", description="TLS: a handshake that takes longer has failed.")


class Receiver(Section):
    """The process that owns the sockets."""

    user: str = Field(
        default="",
        pattern=r"^[^\s:/]*$",
        description="Started as root, receiver and service become this user; the receiver once its ports are bound.",
    )
    group: str = Field(default="", pattern=r"^[^\s:/]*$", description="And this group; the user's own by itself.")
    drain_for: Duration = Field(
        default="2s", description="How long a stop waits at most for what is on its way in TLS connections."
    )
    pending_bytes: int = Field(
        default=12 << 20,
        ge=1 << 20,
        le=1 << 30,
        description="What may wait for the disk before senders are slowed.",
    )


class Device(Section):
    """One HSM, and what is expected of it."""

    name: Name = Field(description="What packs, findings and records call it.")
    hosts: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[], description="Its names in syslog headers and the addresses it sends from."
    )
    certificates: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        description="Its client certificates: fingerprint (sha256:…), common name or subject as records have it.",
    )
    serials: list[Annotated[str, Field(pattern=r"^\d+$")]] = Field(
        default=[], description="Serial numbers of its HSMs."
    )
    time_zone: ZoneName = Field(default="UTC", description="Of stamps that carry no zone.")
    profile: Literal["production", "test", "new", "decommissioning"] = Field(
        default="production", description="What the device is for."
    )
    behind_nva: bool = Field(default=False, description="Clients reach it through a network virtual appliance.")
    microsoft_monitor: bool = Field(default=True, description="Microsoft's monitor account polls it.")
    partner: str = Field(default="", description="The other member of its pair.")
    expects: list[Family] = Field(default=[], description="Families of lines that must be heard from it.")
    since: Day = Field(default="", description="In service since this day.")
    firmware_minimum: str = Field(default="", description="Older firmware is a finding.")
    backup_serials: list[str] = Field(default=[], description="Backup HSMs that may receive its keys.")
    working_hours: Hours = Field(default="", description='"mon-fri 07:00-19:00" in its zone.')
    holidays: list[Day] = Field(default=[], description="Days off, in its zone.")


class Email(Section):
    """A mailbox that gets alerts."""

    name: Name = Field(description="How deliveries call it.")
    smtp: MailServer = Field(description='"HOST:PORT" of the mail server.')
    sender: EmailAddress = Field(alias="from", description="The address mails come from.")
    to: list[EmailAddress] = Field(min_length=1, description="The addresses they go to.")
    min_severity: Severity = Field(default="medium", description="Findings below it are not sent.")
    username: str = Field(default="", description="For servers that ask for one.")
    password_env: str = Field(default="", description="Environment variable that holds the password.")
    password_file: str = Field(default="", description="Or a file that holds it.")
    tls: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How the connection is protected.")


class Webhook(Section):
    """An address that gets alerts as JSON."""

    name: Name = Field(description="How deliveries call it.")
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] = Field(description="http:// or https:// address.")
    format: Literal["json", "slack", "teams", "pagerduty"] = Field(default="json", description="Shape of the body.")
    secret_env: str = Field(default="", description="Environment variable with the secret (whsec_…) for signatures.")
    secret_file: str = Field(default="", description="Or a file that holds it.")
    min_severity: Severity = Field(default="medium", description="Findings below it are not sent.")


class Alert(Section):
    """Who is told."""

    email: list[Email] = Field(default=[], description="Mailboxes.")
    webhook: list[Webhook] = Field(default=[], description="Webhooks.")
    anchor: bool = Field(
        default=True, description="Once a day the heads of the chain of evidence go to all of them, pagerduty aside."
    )


class Report(Section):
    """The periodic review pack."""

    schedule: Schedule = Field(default="mon 06:00", description='"mon 06:00": when the pack of last week is made.')
    time_zone: ZoneName = Field(default="UTC", description="Of the schedule and of the weeks.")
    recipients: list[EmailAddress] = Field(default=[], description="Who gets the pack by mail (first [[alert.email]]).")
    organisation: str = Field(default="", max_length=200, description="Printed on the pack.")


class WebUser(Section):
    """Somebody who may ask over HTTP."""

    name: Name = Field(description="Written beside every query.")
    role: Literal["reader", "analyst", "admin"] = Field(default="reader", description="What the user may do.")
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the bearer token, hex."
    )


class Web(Section):
    """HTTP of the service."""

    address: Address = Field(
        default="127.0.0.1:8514", description="Where the service answers; loopback unless you mean it."
    )
    user: list[WebUser] = Field(default=[], description="Users beside the machine's own commands.")


class DetectorOverride(Section):
    """A site's own values for one detector."""

    enabled: bool = Field(default=True, description="false: it does not run, and packs say so.")
    severity: Severity | None = Field(default=None, description="Instead of the detector's own.")
    parameters: dict[str, Any] = Field(default={}, description="Instead of the defaults in its header.")


class Configuration(Section):
    """The whole file."""

    data_dir: str = Field(
        min_length=1, description="spool/, store.duckdb and packs/ lie below it; relative to this file."
    )
    listener: list[Listener] = Field(default=[], description="Sockets.")
    receiver: Receiver = Receiver()
    device: list[Device] = Field(default=[], description="HSMs.")
    store: Store = Store()
    spool: Spool = Spool()
    alert: Alert = Alert()
    report: Report = Report()
    web: Web = Web()
    account: list[Account] = Field(default=[], description="The roster.")
    range: list[Range] = Field(default=[], description="Networks.")
    client: list[Client] = Field(default=[], description="NTLS clients.")
    partition: list[Partition] = Field(default=[], description="Partitions.")
    allow: list[Allow] = Field(default=[], description="Allowed findings.")
    retention: Retention = Retention()
    detectors: dict[str, DetectorOverride] = Field(default={}, description="By id, such as [detectors.AUTH-01].")
    detector_folders: list[str] = Field(default=[], description="Folders with the site's own detectors.")
    pattern_folders: list[str] = Field(default=[], description="Folders with the site's own patterns.")
    path: Path = Field(default=Path("hsmtrail.toml"), exclude=True)

    def below(self, *parts: str) -> Path:
        """A path in data_dir; relative data_dirs lie beside the configuration file."""
        return (self.path.resolve().parent / self.data_dir).joinpath(*parts)

    @property
    def key_path(self) -> Path:
        return self.path.resolve().parent / self.spool.key_file if self.spool.key_file else self.below("spool.key")

    @property
    def store_path(self) -> Path:
        return self.path.resolve().parent / self.store.url if self.store.url else self.below("store.duckdb")


def load(path: Path) -> Configuration:
    """Read and check one file; ConfigurationError names every mistake in it."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(path, ["is not there; `hsmtrail init` writes one"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(path, [f"cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(path, [f"is not TOML: {error}"]) from None
    mistakes = mistakes_between(document, path.resolve().parent)
    try:
        configuration = Configuration.model_validate({**document, "path": path})
    except ValidationError as error:
        raise ConfigurationError(path, [*map(_sentence, error.errors()), *mistakes]) from None
    if mistakes:
        raise ConfigurationError(path, mistakes)
    return configuration


def _sentence(item: Any) -> str:  # noqa: ANN401  (pydantic's ErrorDetails is a TypedDict with open ctx)
    place, wanted = _place(item["loc"]), item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{place}  is no key of this table"
    if item["type"] == "missing":
        return f"{place}  is missing"
    shown = repr(item["input"])[:80]
    return f"{place} = {shown}  {wanted[0].lower()}{wanted[1:]}"


def _place(location: tuple[int | str, ...]) -> str:
    """('listener', 1, 'address') is written listener[2].address: the second [[listener]]."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else ("." if text else "") + part
    return text or "the file"
