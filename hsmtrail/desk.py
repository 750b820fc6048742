"""What an errand may use: the open store, the detectors, the settings, a clock, and who asks."""

from __future__ import annotations

import dataclasses
import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hsmtrail import context, version_lock, wiring
from hsmtrail.failures import Failure
from hsmtrail.privileges import keep_private
from store.database import Database, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.duty import Duty
    from hsmtrail.config import Configuration
    from hsmtrail.site_patterns import SitePatterns
    from reports.settings import PackSettings


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """Handed to every errand; `user` is written beside what it changes."""

    configuration: Configuration
    db: Database
    duty: Duty
    patterns: SitePatterns
    now: Callable[[], datetime]
    wake: Callable[[], None]
    lag_seconds: Callable[[], float]
    service_pid: int | None
    user: str
    detector_mistakes: tuple[str, ...] = ()

    def on_behalf_of(self, user: str) -> Desk:
        return dataclasses.replace(self, user=user)

    def pack_settings(self) -> PackSettings:
        settings = wiring.pack_settings(self.configuration, list(self.duty.detectors), self.patterns)
        stands = version_lock.standing_here(self.configuration, self.duty.detectors)
        notes = tuple(dataclasses.replace(note, approval=stands.get(note.id, "")) for note in settings.detectors)
        return dataclasses.replace(settings, detectors=notes)


def utc_now() -> datetime:
    """The one clock of the service: naive UTC, as everywhere between parts."""
    return datetime.now(UTC).replace(tzinfo=None)


def open_store(configuration: Configuration, wait_seconds: float = 0.0) -> Database:
    """The store, with what is configured in it; Failure in one sentence when it cannot be had."""
    folder = configuration.below()
    keep_private()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        db = Database.open(
            configuration.store_path,
            wait_seconds=wait_seconds,
            memory_limit=configuration.store.memory_limit,
            threads=configuration.store.threads,
        )
    except StoreError as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise Failure(f"{folder}: cannot be used: {error.strerror}. Give this user the right to write there.") from None
    context.write(db, configuration)
    return db


def open_desk(configuration: Configuration) -> Desk:
    """For a command that found no running service."""
    from ingest.loader import lag_seconds

    db = open_store(configuration)
    try:
        duty = wiring.duty(db, configuration, utc_now)
    except Failure:
        db.close()
        raise
    return Desk(
        configuration=configuration,
        db=db,
        duty=duty,
        patterns=wiring.site_patterns(configuration),
        now=utc_now,
        wake=lambda: None,
        lag_seconds=lambda: lag_seconds(db, configuration.below(), utc_now()),
        service_pid=None,
        user=getpass.getuser(),
    )
