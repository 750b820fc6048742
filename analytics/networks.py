"""The two ends of a network, written so that text order is the order of addresses."""

from __future__ import annotations

import ipaddress

MAPPED = 0xFFFF << 32
"""Where IPv4 lies within IPv6 (RFC 4291 2.5.5.2)."""


def ends(cidr: str) -> tuple[str, str]:
    """First and last address of '192.0.2.0/24', as the store's macro address_key writes one. ValueError for none."""
    network = ipaddress.ip_network(cidr)
    base = MAPPED if network.version == 4 else 0
    first, last = int(network.network_address), int(network.broadcast_address)
    return f"{base + first:032x}", f"{base + last:032x}"
