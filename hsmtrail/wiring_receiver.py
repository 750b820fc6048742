"""Configuration to the receiver's settings; kept apart so that the receiver imports nothing else of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmtrail.config_checks import seconds, split_address
from ingest.receiving import ListenerSettings, ReceiverSettings
from ingest.spool import SpoolSettings

if TYPE_CHECKING:
    from hsmtrail.config import Configuration, Listener


def receiver_settings(configuration: Configuration) -> ReceiverSettings:
    spool = configuration.spool
    return ReceiverSettings(
        data_dir=configuration.below(),
        name=spool.name,
        number=spool.number,
        listeners=tuple(map(_listener, configuration.listener)),
        spool=SpoolSettings(
            commit_seconds=seconds(spool.commit_after),
            commit_bytes=spool.commit_bytes,
            seal_seconds=seconds(spool.seal_after),
            segment_bytes=spool.segment_bytes,
        ),
    )


def _listener(item: Listener) -> ListenerSettings:
    host, port = split_address(item.address)
    return ListenerSettings(
        name=item.name,
        protocol=item.protocol,
        host=host,
        port=port,
        framing=item.framing,
        max_message=item.max_message,
        receive_buffer=item.receive_buffer,
        max_connections=item.max_connections,
        max_connections_per_peer=item.max_connections_per_peer,
        idle_seconds=seconds(item.idle_after),
        allow=tuple(item.allow),
    )
