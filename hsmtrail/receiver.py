"""The receiver as a process: sockets to spool, until SIGTERM or SIGINT. It opens no store and parses nothing."""

from __future__ import annotations

import logging
import resource
import signal
import sys

import pyarrow as pa

from ingest.receiving import Receiver, ReceiverError, ReceiverSettings

__all__ = ["ReceiverError", "ReceiverSettings", "run"]

log = logging.getLogger("hsmtrail.receiver")


def run(settings: ReceiverSettings) -> int:
    """0 after a clean stop, 1 when a part of it failed (start it again), 2 when it cannot be started."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopping.append(got))
    _allow_many_connections()
    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back: a third less than the default at its peak
    receiver = Receiver(settings)
    try:
        receiver.start()
    except ReceiverError as error:
        sys.stderr.write(f"hsmtrail: {error}\n")
        return 2
    for listener in receiver.status()["listeners"]:
        log.info("listening", extra={"facts": {key: listener[key] for key in ("name", "protocol", "address")}})
    while not stopping and not receiver.failed.wait(0.1):
        pass
    receiver.stop()
    log.info("stopped", extra={"facts": {"last_batch": receiver.status()["last_batch"]}})
    return 1 if receiver.failed.is_set() else 0


def _allow_many_connections() -> None:
    """Descriptors up to the hard limit: the soft one is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
