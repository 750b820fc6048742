"""Protocols that are no syslog, by their first bytes: what a wrong port in somebody's configuration brings."""

from __future__ import annotations

BEGINNINGS = {
    b"\x16\x03": "TLS",  # a handshake record of any version since SSL 3 (RFC 8446, 5.1)
    b"GET ": "HTTP",
    b"POST ": "HTTP",
    b"HEAD ": "HTTP",
    b"PUT ": "HTTP",
    b"OPTIONS ": "HTTP",
    b"CONNECT ": "HTTP",
    b"PRI * HTTP/2": "HTTP",
    b"SSH-": "SSH",
}


def protocol_of(octets: bytes) -> str:
    """'' when they may be syslog."""
    return next((name for beginning, name in BEGINNINGS.items() if octets.startswith(beginning)), "")
