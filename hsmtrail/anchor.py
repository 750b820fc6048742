"""Once a day the heads of the chain go to the alert sinks: an anchor outside, which nobody here can take back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from analytics.alerts.enqueue import enqueue_anchor
from analytics.alerts.message import ChainHead
from hsmtrail import wiring
from ingest.archive_manifest import head_of_manifest

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from hsmtrail.desk import Desk

EVERY = timedelta(days=1)
HEADS = """
SELECT arg_max(segment, batch), max(batch), arg_max(sha256, batch)
FROM batches GROUP BY batch >> 48 ORDER BY batch >> 48
"""


def chain_heads(cursor: duckdb.DuckDBPyConnection) -> tuple[ChainHead, ...]:
    """Of every spool as far as it is stored; batches with the receiver's number."""
    rows = cursor.execute(HEADS).fetchall()
    return tuple(ChainHead(segment.split("/")[1], batch, sha256) for segment, batch, sha256 in rows)


def send_anchor(desk: Desk) -> int:
    """Put it into the outbox when a day has passed since the last one, or since the first batch; to how many sinks."""
    configuration, now = desk.configuration, desk.now()
    sinks = wiring.sinks(configuration) if configuration.alert.anchor else []
    with desk.db.transaction() as cursor:
        if not sinks or not _is_due(cursor, now):
            return 0
        return enqueue_anchor(cursor, sinks, now, chain_heads(cursor), head_of_manifest(configuration.below()))


def _is_due(cursor: duckdb.DuckDBPyConnection, now: datetime) -> bool:
    ((since,),) = cursor.execute(
        "SELECT coalesce((SELECT max(created_at) FROM outbox WHERE kind = 'anchor'),"
        " (SELECT min(stored_at) FROM batches))"
    ).fetchall()
    return since is not None and now - since >= EVERY
