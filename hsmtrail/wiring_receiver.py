"""Configuration to the receiver's settings; kept apart so that the receiver imports nothing else of ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hsmtrail.config import ConfigurationError, load
from hsmtrail.config_checks import seconds, split_address
from ingest.receiving import ListenerSettings, ReceiverSettings
from ingest.sockets import TlsSettings
from ingest.spool import SpoolSettings

if TYPE_CHECKING:
    from pathlib import Path

    from hsmtrail.config import Configuration, Listener

log = logging.getLogger("hsmtrail.receiver")


def settings_again(path: Path) -> ReceiverSettings | None:
    """What the file says now; None when it has mistakes, which are logged then."""
    try:
        return receiver_settings(load(path))
    except ConfigurationError as error:
        log.error("reload_refused", extra={"facts": {"mistakes": error.mistakes}})  # noqa: TRY400  (no traceback)
        return None


def receiver_settings(configuration: Configuration) -> ReceiverSettings:
    spool, own = configuration.spool, configuration.receiver
    return ReceiverSettings(
        data_dir=configuration.below(),
        name=spool.name,
        number=spool.number,
        listeners=tuple(listener_settings(configuration, item) for item in configuration.listener),
        pending_bytes=own.pending_bytes,
        user=own.user,
        group=own.group,
        spool=SpoolSettings(
            commit_seconds=seconds(spool.commit_after),
            commit_bytes=spool.commit_bytes,
            seal_seconds=seconds(spool.seal_after),
            segment_bytes=spool.segment_bytes,
            key_file=configuration.key_path,
        ),
    )


def listener_settings(configuration: Configuration, item: Listener) -> ListenerSettings:
    host, port = split_address(item.address)
    return ListenerSettings(
        name=item.name,
        protocol=item.protocol,
        host=host,
        port=port,
        framing=item.framing,
        max_message=item.max_message,
        receive_buffer=item.receive_buffer,
        workers=item.workers,
        max_connections=item.max_connections,
        max_connections_per_peer=item.max_connections_per_peer,
        max_unfinished=item.max_unfinished,
        idle_seconds=seconds(item.idle_after),
        drain_seconds=seconds(configuration.receiver.drain_for),
        turn_bytes=item.turn_bytes,
        crowded_rate=item.crowded_rate,
        allow=tuple(item.allow),
        tls=_tls(item, configuration.path.resolve().parent) if item.protocol == "tls" else None,
    )


def _tls(item: Listener, beside: Path) -> TlsSettings:
    return TlsSettings(
        certificate=beside / item.certificate,
        key=beside / item.key,
        client_ca=beside / item.client_ca if item.client_ca else None,
        revocation_list=beside / item.revocation_list if item.revocation_list else None,
        minimum_version=item.minimum_version,
        handshake_seconds=seconds(item.handshake_within),
    )
