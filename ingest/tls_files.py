"""Certificates and keys in files: read, watched for changes, and replaced for new connections only when all is good."""

from __future__ import annotations

import os
import ssl
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.sockets import TlsSettings

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "domainComponent": "DC",
    "userId": "UID",
}
"""Names of RFC 4514; others keep OpenSSL's."""

LONGEST_SUBJECT = 1000
Seen = tuple[tuple[int, int, int] | None, ...]


class TlsError(Exception):
    """One sentence: which file, what is wrong with it."""


class TlsFiles:
    """`context` is for the next connection; `refresh` makes a new one when a file has changed."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self._seen = _seen(settings)
        self.context = context_of(settings)

    def refresh(self, settings: TlsSettings | None = None, *, look_only: bool = True) -> bool:
        """Whether there is a new context. TlsError: the files are not good, and the old context stays.

        Called again it is quiet until a file changes once more, unless it shall do more than look.
        """
        wanted = settings or self.settings
        seen = _seen(wanted)
        if look_only and seen == self._seen and wanted == self.settings:
            return False
        self._seen, self.settings = seen, wanted
        self.context = context_of(wanted)
        return True


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """TlsError names the file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[settings.minimum_version]
    context.num_tickets = (
        0  # senders never read: a ticket left unread turns their close into a reset (RFC 1122 4.2.2.13)
    )
    context.options |= ssl.OP_NO_RENEGOTIATION
    _use(context, settings)
    if settings.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _use(context: ssl.SSLContext, settings: TlsSettings) -> None:
    def password() -> str:
        raise TlsError(f"{settings.key}: the key has a passphrase; hsmtrail reads keys without one")

    for path in filter(None, (settings.certificate, settings.key, settings.client_ca, settings.revocation_list)):
        _readable(path)
    try:
        context.load_cert_chain(settings.certificate, settings.key, password)
    except ssl.SSLError as error:
        raise TlsError(f"{settings.certificate} with {settings.key}: {_why_no_pair(error)}") from None
    for path in filter(None, (settings.client_ca, settings.revocation_list)):
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise TlsError(f"{path}: holds nothing in PEM form that can be used") from None
    if settings.revocation_list is not None:
        if not context.cert_store_stats()["crl"]:
            raise TlsError(f"{settings.revocation_list}: holds no revocation list in PEM form")
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}") from None


def _why_no_pair(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    return f"no certificate and key in PEM form ({(error.reason or str(error)).replace('_', ' ').lower()})"


def _seen(settings: TlsSettings) -> Seen:
    """Time, size and place of each file: any change shows."""
    files = (settings.certificate, settings.key, settings.client_ca, settings.revocation_list)
    return tuple(_stat(path) if path else None for path in files)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (follows the links that renewal tools turn)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def identity_of(certificate: dict[str, Any], octets: bytes | None) -> str:
    """'CN=hsm-1,O=Example sha256:<64 hex digits>'; '' without a certificate.

    Only the last word can be a fingerprint, and only a comma can begin an attribute: in values they are escaped.
    """
    if octets is None:
        return ""
    parts = (part for name in certificate.get("subject", ()) for part in name)
    subject = ",".join(f"{SHORT.get(name, name)}={_escaped(value)}" for name, value in parts)
    return f"{subject[:LONGEST_SUBJECT]} sha256:{sha256(octets).hexdigest()}".lstrip()


def _escaped(value: str) -> str:
    r"""As RFC 4514 has it, `\` and two digits for what could be taken for something else or cannot be seen."""
    return "".join(c if c.isalnum() or c in " .-_@*()'" else "".join(f"\\{o:02x}" for o in c.encode()) for c in value)
