"""The receiver as a process: sockets to spool, until SIGTERM or SIGINT. It opens no store and parses nothing."""

from __future__ import annotations

import logging
import resource
import signal
import sys
from typing import TYPE_CHECKING

import pyarrow as pa

from hsmtrail import privileges
from hsmtrail.privileges import PrivilegeError
from ingest.receiving import Receiver, ReceiverError, ReceiverSettings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ReceiverError", "ReceiverSettings", "run"]

log = logging.getLogger("hsmtrail.receiver")


def run(settings: ReceiverSettings, read_again: Callable[[], ReceiverSettings | None] = lambda: None) -> int:
    """0 after a clean stop, 1 when a part of it failed (start it again), 2 when it cannot be started.

    On SIGHUP it goes on by the settings that `read_again` gives; None: by those it has, which a reload may have given.
    """
    stopping: list[int] = []
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopping.append(got))
    signal.signal(signal.SIGHUP, lambda got, _frame: (stopping if sys.stderr.isatty() else asked).append(got))
    privileges.keep_private()
    _allow_many_connections()
    pa.set_memory_pool(pa.system_memory_pool())  # gives memory back: a third less than the default at its peak
    receiver = Receiver(settings)
    try:
        _start(receiver, settings)
    except (ReceiverError, PrivilegeError) as error:
        sys.stderr.write(f"hsmtrail: {error}\n")
        return 2
    for listener in receiver.status()["listeners"]:
        log.info("listening", extra={"facts": {key: listener[key] for key in ("name", "protocol", "address")}})
    while not stopping and not receiver.failed.wait(0.1):
        if asked:
            asked.clear()
            if (new := read_again()) is not None:
                _follow(receiver, new)
    receiver.stop()
    log.info("stopped", extra={"facts": {"last_batch": receiver.status()["last_batch"]}})
    return 1 if receiver.failed.is_set() else 0


def _start(receiver: Receiver, settings: ReceiverSettings) -> None:
    """Ports, keys and a larger buffer may need root; nothing that comes after them does."""
    account = privileges.whom_to_become(settings.user, settings.group)
    receiver.open()
    if account is not None:
        try:
            privileges.give(settings.data_dir, account)
            privileges.become(account)
        except OSError as error:
            receiver.close()
            raise PrivilegeError(f'receiver.user = "{account.user}": cannot become it: {error.strerror}') from None
    receiver.begin()


def _follow(receiver: Receiver, settings: ReceiverSettings) -> None:
    later = receiver.follow(settings)
    log.info("reloaded", extra={"facts": {"needs_a_restart": later} if later else {}})


def _allow_many_connections() -> None:
    """Descriptors up to the hard limit: the soft one is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
