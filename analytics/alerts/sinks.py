"""Who is told, where and from which severity on. Passwords, secrets and addresses that are secrets never show."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

SEVERITIES = ("info", "low", "medium", "high", "critical")

Tls = Literal["starttls", "tls", "none"]
Format = Literal["json", "slack", "teams", "pagerduty"]


def reaches(severity: str, minimum: str) -> bool:
    """'high' reaches 'medium'; a word that is no severity counts as critical, for it must not be lost."""
    rank = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1
    return rank >= SEVERITIES.index(minimum)


@dataclass(frozen=True, slots=True)
class EmailSink:
    """A mail server and the people behind it. `starttls` and `tls` want a certificate that verifies."""

    name: str
    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    min_severity: str = "medium"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"


@dataclass(frozen=True, slots=True)
class WebhookSink:
    """An address that takes JSON. `secret` signs (Standard Webhooks, whsec_…); for pagerduty it is the routing key.

    The address of a chat is itself a secret: only its host shows.
    """

    name: str
    url: str = field(repr=False)
    format: Format = "json"
    secret: str = field(default="", repr=False)
    min_severity: str = "medium"
    host: str = field(init=False)

    def __post_init__(self) -> None:
        """ValueError with one sentence when the secret cannot sign, or the address is none."""
        host = _host(self.url)
        if not host:
            raise ValueError(f"webhook {self.name}: its url must be http:// or https:// and a host")
        object.__setattr__(self, "host", host)
        if self.format == "pagerduty" and not self.secret:
            raise ValueError(f"webhook {self.name}: pagerduty wants its routing key as the secret")
        if self.format != "pagerduty" and self.secret and not _signs(self.secret):
            raise ValueError(f"webhook {self.name}: its secret must be whsec_ and base64 of 24 to 64 bytes")


Sink = EmailSink | WebhookSink


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""


def _signs(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    return secret.startswith("whsec_") and 24 <= len(key) <= 64
