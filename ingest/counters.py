"""What was counted, cumulative for the spool's life. A unit is a message; received = spooled + refused, always."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Counted:
    """One listener's figures. A cut message is spooled; `kernel_dropped` ones never reached us."""

    spooled: int = 0
    cut: int = 0
    kernel_dropped: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def received(self) -> int:
        return self.spooled + sum(self.refused.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "received": self.received,
            "kernel_dropped": self.kernel_dropped,
            "refused": dict(self.refused),
            "cut": self.cut,
            "spooled": self.spooled,
        }


@dataclass(slots=True)
class Connections:
    """Of one listener; counted apart from messages. Those whose TLS handshake failed are among the accepted ones.

    `refusals`: not let in; `closings`: let in, and ended by us; by reason.
    """

    accepted: int = 0
    tls_failed: int = 0
    without_message: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    closings: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Connections:
        """As a listener's status has them."""
        counted = document.get("connections", {})
        refusals = _by_reason(document.get("connections_refused", {}))
        unnamed = int(counted.get("refused", 0)) - refusals.total()
        if unnamed > 0:
            refusals["unnamed"] = unnamed
        known = {name: int(counted.get(name, 0)) for name in ("accepted", "tls_failed", "without_message")}
        return cls(**known, refusals=refusals, closings=_by_reason(document.get("connections_closed", {})))

    def as_json(self) -> dict[str, Any]:
        return {
            "connections": {
                "accepted": self.accepted,
                "refused": self.refusals.total(),
                "tls_failed": self.tls_failed,
                "without_message": self.without_message,
            },
            "connections_refused": dict(self.refusals),
            "connections_closed": dict(self.closings),
        }


def _by_reason(document: Mapping[str, Any]) -> Counter[str]:
    return Counter({str(reason): int(number) for reason, number in document.items()})


def counted_from(document: Mapping[str, Any]) -> Counted:
    return Counted(
        spooled=int(document.get("spooled", 0)),
        cut=int(document.get("cut", 0)),
        kernel_dropped=int(document.get("kernel_dropped", 0)),
        refused={str(reason): int(number) for reason, number in document.get("refused", {}).items()},
    )


def furthest(one: Counted, other: Counted) -> Counted:
    """Counters only grow, so of two accounts of the same listener the larger figures are the later ones."""
    reasons = {**one.refused, **other.refused}
    return Counted(
        spooled=max(one.spooled, other.spooled),
        cut=max(one.cut, other.cut),
        kernel_dropped=max(one.kernel_dropped, other.kernel_dropped),
        refused={reason: max(one.refused.get(reason, 0), other.refused.get(reason, 0)) for reason in reasons},
    )


def written(counters: Mapping[str, Counted]) -> str:
    """As a batch's metadata carries them."""
    return json.dumps({name: counted.as_json() for name, counted in counters.items()}, separators=(",", ":"))


def read(text: str) -> dict[str, Counted]:
    return {name: counted_from(document) for name, document in json.loads(text).items()}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one group of lines adds to its listener."""

    listener: str
    spooled: int
    cut: int


class Ledger:
    """All counters of one receiver; its methods may be called from any thread."""

    def __init__(self, counters: Mapping[str, Counted]) -> None:
        self._lock = threading.Lock()
        self._counters = dict(counters)

    def refuse(self, listener: str, reason: str, messages: int = 1) -> None:
        with self._lock:
            old = self._of(listener)
            refused = {**old.refused, reason: old.refused.get(reason, 0) + messages}
            self._counters[listener] = replace(old, refused=refused)

    def dropped(self, listener: str, messages: int) -> None:
        """Set what the kernel has dropped so far."""
        with self._lock:
            self._counters[listener] = replace(self._of(listener), kernel_dropped=messages)

    def with_taken(self, taken: Iterable[Taken]) -> dict[str, Counted]:
        """The counters as they will stand when these are spooled."""
        with self._lock:
            counters = dict(self._counters)
        return _added(counters, taken)

    def take(self, taken: Iterable[Taken]) -> None:
        """These are spooled."""
        with self._lock:
            _added(self._counters, taken)

    def now(self) -> dict[str, Counted]:
        with self._lock:
            return dict(self._counters)

    def _of(self, listener: str) -> Counted:
        return self._counters.get(listener, Counted())


def _added(counters: dict[str, Counted], taken: Iterable[Taken]) -> dict[str, Counted]:
    for item in taken:
        old = counters.get(item.listener, Counted())
        counters[item.listener] = replace(old, spooled=old.spooled + item.spooled, cut=old.cut + item.cut)
    return counters
