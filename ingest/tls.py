"""A TLS listener (RFC 5425): TCP with certificates. Handshakes run beside it, so that none keeps others waiting."""

from __future__ import annotations

import logging
import select
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from ingest.handshakes import Handshake, Handshakes, why
from ingest.sockets import ListenerError
from ingest.tcp import TcpListener
from ingest.tls_files import TlsError, TlsFiles, identity_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from ingest.counters import Connections
    from ingest.intake import Intake
    from ingest.sockets import ListenerSettings, TlsSettings
    from ingest.tcp import Connection

log = logging.getLogger("hsmtrail.receiver")

LARGEST_RECORD = 1 << 14
"""Bytes that one TLS record can hold (RFC 8446, 5.1): given such room OpenSSL keeps none of it back."""

QUIET = 0.05
"""Seconds without a byte after which nothing more is on its way, when the receiver stops."""


class TlsListener(TcpListener):
    def __init__(self, settings: ListenerSettings, intake: Intake, connections: Connections) -> None:
        try:
            self._files = TlsFiles(_tls(settings))
        except TlsError as error:
            raise ListenerError(f'listener "{settings.name}": {error}') from None
        super().__init__(settings, intake, connections)
        self._handshakes = Handshakes(self._greeted, self._failed)
        self._counting = threading.Lock()
        self._writing: set[int] = set()

    def work(self) -> list[tuple[str, Callable[[], None]]]:
        return [*super().work(), (f"handshakes {self.settings.name}", self._handshakes.run)]

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._handshakes.end()

    def close(self) -> None:
        super().close()
        self._handshakes.close()

    def _welcome(self, accepted: socket.socket, peer: str, port: int) -> None:
        deadline = time.monotonic() + self._files.settings.handshake_seconds
        try:
            wrapped = self._files.context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        except OSError as error:  # it was reset meanwhile
            self._not_greeted(peer, why(error))
            accepted.close()
        else:
            self._handshakes.begin(Handshake(wrapped, peer, port, deadline))

    def _greeted(self, handshake: Handshake) -> None:
        """In the thread of the handshakes: from now on the listener's own thread reads."""
        certificate = handshake.socket.getpeercert() or {}
        identity = identity_of(certificate, handshake.socket.getpeercert(binary_form=True) if certificate else None)
        self._admit(handshake.socket, handshake.peer, handshake.port, identity)

    def _failed(self, handshake: Handshake, reason: str) -> None:
        self._not_greeted(handshake.peer, reason)
        handshake.socket.close()

    def _not_greeted(self, peer: str, reason: str) -> None:
        with self._counting:
            self.connections.tls_failed += 1
        self.door.leave(peer)
        self._say("tls_handshake_failed", peer, reason=reason)

    def _receive(self, connection: Connection) -> tuple[int, bool]:
        """Whole TLS records, as many as there are and the buffer holds."""
        encrypted, filled = cast("ssl.SSLSocket", connection.socket), 0
        try:
            while len(self._buffer) - filled >= LARGEST_RECORD:
                got = encrypted.recv_into(self._buffer[filled:])
                if not got:
                    return filled, True
                filled += got
        except ssl.SSLWantReadError:
            self._wait_for(encrypted, writing=False)
        except ssl.SSLWantWriteError:  # an answer of the protocol's own has no room
            self._wait_for(encrypted, writing=True)
        except OSError as error:
            self._say("tls_broken", connection.source.peer, reason=getattr(error, "reason", None) or str(error))
            return filled, True
        return filled, False

    def _wait_for(self, encrypted: ssl.SSLSocket, *, writing: bool) -> None:
        file = encrypted.fileno()
        if writing != (file in self._writing):
            self._poll.modify(file, select.EPOLLOUT if writing else select.EPOLLIN)
            self._writing ^= {file}

    def _hang_up(self, ended: socket.socket) -> None:
        """With the close_notify that RFC 5425 4.4 wants; its answer is not waited for."""
        self._writing.discard(ended.fileno())
        with suppress(OSError, ValueError):
            cast("ssl.SSLSocket", ended).unwrap()
        ended.close()

    def _sweep(self, now: float) -> None:
        self._refresh(_tls(self.settings), look_only=not self._new_settings.is_set())
        super()._sweep(now)

    def _refresh(self, settings: TlsSettings, *, look_only: bool) -> None:
        """Open connections keep what they were greeted with."""
        facts = {"place": self.settings.name}
        try:
            if self._files.refresh(settings, look_only=look_only):
                log.info("certificates_read", extra={"facts": facts})
        except TlsError as error:
            facts |= {"reason": str(error), "still_in_use": "what was read before"}
            log.error("certificates_refused", extra={"facts": facts})  # noqa: TRY400  (the reason is the sentence)

    def _take_the_rest(self) -> None:
        """Until nothing came for a moment: where a record ends, only OpenSSL knows. Bounded by `drain_seconds`."""
        end = time.monotonic() + self.settings.drain_seconds
        heard = time.monotonic()
        while (now := time.monotonic()) < end and (self._handshakes.under_way or now - heard < QUIET):
            if self._turn(QUIET):
                heard = time.monotonic()
        self._handshakes.end()
        self._handshakes.ended.wait()


def _tls(settings: ListenerSettings) -> TlsSettings:
    if settings.tls is None:
        raise ListenerError(f'listener "{settings.name}": TLS wants a certificate and a key')
    return settings.tls
