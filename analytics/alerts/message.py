"""What a message says, complete in itself: it can be sent hours later, and again with the same words."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003  (pydantic reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

Reason = Literal["opened", "raised", "reopened"]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""Drawn once, when the message is written: Message-ID and webhook-id hold it, so that a repeat can be known as one."""

MOST_RECORDS = 100
MOST_LINES = 5
MOST_ITEMS = 50
LONGEST_TEXT = 2000
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One record as evidence; `raw` is cut at 2,000 characters."""

    record_id: int
    event_at: datetime
    raw: str


@dataclass(frozen=True, slots=True)
class FindingMessage:
    """A finding as it was when it opened, became worse or came back. `device` is '' unless it is a configured name."""

    type: Literal["finding"]
    key: Key
    reason: Reason
    created_at: datetime
    finding: int
    detector: str
    title: str
    subject: str
    device: str
    severity: str
    state: str
    first_seen: datetime
    last_seen: datetime
    opened_at: datetime
    change_ticket: str
    record_count: int
    records: tuple[int, ...]
    lines: tuple[Line, ...]
    columns: dict[str, Any]
    finds: str
    runbook: str
    recipients: tuple[str, ...] = ()
    """Of a mail: who is still to be served; empty is everybody."""


@dataclass(frozen=True, slots=True)
class PackMessage:
    """A review pack is ready. `path` is the HTML file that a mail carries, `summary` its verdict and figures."""

    type: Literal["pack"]
    key: Key
    created_at: datetime
    name: str
    title: str
    summary: tuple[str, ...]
    path: str
    sha256: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest batch of one spool that is stored, and its digest, which depends on all batches before it."""

    spool: str
    batch: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AnchorMessage:
    """Where the chain of evidence stands, said to the outside: whoever rewrites it later cannot unsay this."""

    type: Literal["anchor"]
    key: Key
    created_at: datetime
    heads: tuple[ChainHead, ...]
    manifest: str
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrialMessage:
    """Somebody wants to know whether alerts arrive."""

    type: Literal["test"]
    key: Key
    created_at: datetime
    recipients: tuple[str, ...] = ()


Message = FindingMessage | PackMessage | AnchorMessage | TrialMessage
_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def as_text(message: Message) -> str:
    """The message as JSON text, for the outbox."""
    return _ADAPTER.dump_json(message).decode()


def from_text(text: str) -> Message:
    """The message that `as_text` wrote; ValueError when it is none."""
    return _ADAPTER.validate_json(text)


def bounded(value: object, depth: int = 0) -> Any:  # noqa: ANN401  (JSON is what it is)
    """JSON of any size, cut so that a message stays a message."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)  # JSON knows neither infinity nor NaN
        case None | bool() | int() | float():
            return value
        case dict() if depth < DEEPEST:
            return {str(key)[:100]: bounded(item, depth + 1) for key, item in list(value.items())[:MOST_ITEMS]}
        case list() if depth < DEEPEST:
            return [bounded(item, depth + 1) for item in value[:MOST_ITEMS]]
        case _:
            return cut(value if isinstance(value, str) else json.dumps(value, default=str))


def cut(text: str, limit: int = LONGEST_TEXT) -> str:
    return text if len(text) <= limit else f"{text[:limit]} … {len(text) - limit} more"


CONSEQUENCES = {
    "so": "At 0 the HSM zeroizes itself: every partition and every key on it is lost. Waiting gives no try back.",
    "po": "At 0 the partition is zeroized: every key in it is lost. Waiting gives no try back.",
    "co": "At 0 the Crypto Officer and the Crypto User are locked; without HSM policy 15 the partition must be"
    " initialised again and restored.",
    "lco": "At 0 the role is locked until a higher role resets it.",
    "cu": "At 0 the role is locked until a higher role resets it.",
    "au": "At 0 the Auditor is locked for ten minutes.",
}
UNKNOWN_ROLE = "The role is not known: read it as the Security Officer, whose HSM zeroizes itself at 0."


@dataclass(frozen=True, slots=True)
class Countdown:
    """How many wrong secrets are left, and what the HSM does then."""

    tries_left: int
    then: str


def countdown(columns: Mapping[str, Any], subject: str) -> Countdown | None:
    """From the detector's columns `tries_left`, `consequence`, `role` and `ended`; None when nothing is counted."""
    left = columns.get("tries_left")
    if isinstance(left, bool) or not isinstance(left, int):
        return None
    stated = columns.get("consequence")
    if isinstance(stated, str) and stated:
        return Countdown(left, f"{stated[0].upper()}{stated[1:].rstrip('.')}.")
    if columns.get("ended") is True:
        return Countdown(left, "The role has logged in since: the HSM counts from the start again.")
    role = str(columns.get("role") or subject.partition(" ")[0])
    return Countdown(left, CONSEQUENCES.get(role, UNKNOWN_ROLE))
