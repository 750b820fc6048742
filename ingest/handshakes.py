"""TLS handshakes of many connections at once, in a thread of their own, each with its deadline."""

from __future__ import annotations

import errno
import select
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT = 0.1
LATE = "it was not done in time"
REASONS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the sender showed no certificate, and client_ca asks for one",
    "HTTP_REQUEST": "the sender speaks HTTP",
    "HTTPS_PROXY_REQUEST": "the sender speaks HTTP",
    "WRONG_VERSION_NUMBER": "the sender speaks no TLS",
    "UNEXPECTED_MESSAGE": "the sender speaks no TLS that makes sense",
    "UNSUPPORTED_PROTOCOL": "the sender offers only versions below minimum_version",
    "VERSION_TOO_LOW": "the sender offers only versions below minimum_version",
    "NO_SHARED_CIPHER": "the sender offers no cipher that both know",
    "TLSV1_ALERT_UNKNOWN_CA": "the sender does not know who signed our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the sender does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the sender does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the sender finds our certificate expired",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the sender does not accept our version of TLS",
}
"""OpenSSL's words, in ours; what is not here is said in OpenSSL's."""


@dataclass(frozen=True, slots=True)
class Handshake:
    socket: ssl.SSLSocket
    peer: str
    port: int
    deadline: float


class Handshakes:
    """`on_done` and `on_failed` are called in its thread; a connection is theirs then."""

    def __init__(self, on_done: Callable[[Handshake], None], on_failed: Callable[[Handshake, str], None]) -> None:
        self._on_done, self._on_failed = on_done, on_failed
        self._poll = select.epoll()
        self._under_way: dict[int, Handshake] = {}
        self._ending = threading.Event()
        self.ended = threading.Event()

    @property
    def under_way(self) -> int:
        return len(self._under_way)

    def begin(self, handshake: Handshake) -> None:
        """From the thread that accepts."""
        self._under_way[handshake.socket.fileno()] = handshake
        self._poll.register(handshake.socket, select.EPOLLIN)

    def run(self) -> None:
        """Until `end`; what is under way then has failed."""
        try:
            self._run()
        finally:
            self.ended.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            for file, _ in self._poll.poll(WAIT):
                self._go_on(self._under_way[file])
            self._end_late(time.monotonic())
        for handshake in list(self._under_way.values()):
            self._fail(handshake, "the receiver stops")
        self._poll.close()

    def end(self) -> None:
        self._ending.set()

    def close(self) -> None:
        """Of a listener that did not come to its end."""
        self._poll.close()
        for handshake in self._under_way.values():
            handshake.socket.close()

    def _go_on(self, handshake: Handshake) -> None:
        try:
            handshake.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._poll.modify(handshake.socket, select.EPOLLIN)
        except ssl.SSLWantWriteError:
            self._poll.modify(handshake.socket, select.EPOLLOUT)
        except (OSError, ValueError) as error:
            self._fail(handshake, why(error))
        else:
            self._leave(handshake)
            self._on_done(handshake)

    def _end_late(self, now: float) -> None:
        for handshake in list(self._under_way.values()):
            if now > handshake.deadline:
                self._fail(handshake, LATE)

    def _fail(self, handshake: Handshake, reason: str) -> None:
        self._leave(handshake)
        self._on_failed(handshake, reason)

    def _leave(self, handshake: Handshake) -> None:
        self._poll.unregister(handshake.socket)
        del self._under_way[handshake.socket.fileno()]


def why(error: Exception) -> str:
    """Why a handshake failed, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the sender's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ConnectionError) or getattr(error, "errno", 0) == errno.ENOTCONN:
        return "the sender hung up"
    if isinstance(error, ssl.SSLError) and error.reason:
        return REASONS.get(error.reason, error.reason.replace("_", " ").lower())
    return getattr(error, "strerror", None) or str(error)
