"""Who may connect: the networks that are let in, and how many connections there may be, in all and of one address."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.sockets import ListenerSettings

NOT_ALLOWED = "not_allowed"


class Allowed:
    """The networks that may send; all when none is named."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found.version == network.version and found in network for network in self._networks)


class Door:
    """Counts who is inside; its methods may be called from any thread."""

    def __init__(self, settings: ListenerSettings) -> None:
        self._lock = threading.Lock()
        self._of_peer: Counter[str] = Counter()
        self.inside = 0
        self.follow(settings)

    def follow(self, settings: ListenerSettings) -> None:
        """From now on by these limits; whoever is inside stays."""
        self._most, self._most_of_peer = settings.max_connections, settings.max_connections_per_peer
        self._allowed = Allowed(settings.allow)

    def admits(self, peer: str) -> bool:
        return peer in self._allowed

    def enter(self, peer: str) -> str:
        """'' when it is inside now, else why it is not."""
        if not self.admits(peer):
            return NOT_ALLOWED
        with self._lock:
            if self.inside >= self._most:
                return "too_many_connections"
            if self._of_peer[peer] >= self._most_of_peer:
                return "too_many_connections_of_peer"
            self._of_peer[peer] += 1
            self.inside += 1
            return ""

    def leave(self, peer: str) -> None:
        with self._lock:
            self.inside -= 1
            self._of_peer[peer] -= 1
            if not self._of_peer[peer]:
                del self._of_peer[peer]
