"""Configuration to the settings of each part: the only place that knows both sides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hsmtrail
from analytics.alerts.outbox import Outbox, enqueue
from analytics.alerts.sinks import EmailSink, Sink, WebhookSink
from analytics.detector import Detector, Detectors, Override, load_all
from analytics.duty import Duty
from hsmtrail import context
from hsmtrail.config_checks import seconds, split_server
from hsmtrail.failures import Misuse
from hsmtrail.site_patterns import SitePatterns, broken
from ingest.idle_import import end_idle_import
from ingest.loader import Loader
from ingest.sealer import Sealer
from ingest.spool import SpoolSettings
from parsers import patterns
from parsers.batch import Parser
from parsers.inventory import Device, Inventory, Partition
from reports.settings import DetectorNote, PackSettings, RoleLimit
from store.writer import stored_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from analytics.alerts.message import Reason
    from analytics.applying import Enqueue
    from hsmtrail.config import Configuration, Email, Webhook
    from store.database import Database
    from store.findings import Finding
    from store.writer import StoredBatches


def inventory(configuration: Configuration | None) -> Inventory:
    devices = configuration.device if configuration else []
    partitions = configuration.partition if configuration else []
    return Inventory(
        tuple(
            Device(item.name, (*item.hosts, *item.certificates), tuple(item.serials), item.time_zone)
            for item in devices
        ),
        tuple(Partition(item.device, item.container, item.serial, item.label, item.kind) for item in partitions),
    )


def parser(configuration: Configuration | None) -> Parser:
    """Misuse when a pattern file cannot be read; whether the examples hold is what `check` says."""
    try:
        return Parser(patterns.load(folders(configuration, "pattern_folders")), inventory(configuration))
    except patterns.PatternError as error:
        raise broken(error.mistakes) from None


def site_patterns(configuration: Configuration) -> SitePatterns:
    return SitePatterns(folders(configuration, "pattern_folders"), inventory(configuration))


def folders(configuration: Configuration | None, key: str) -> list[Path]:
    """The site's own folders, relative to the configuration file."""
    if configuration is None:
        return []
    beside = configuration.path.resolve().parent
    return [beside / folder for folder in getattr(configuration, key)]


def spool_settings(configuration: Configuration) -> SpoolSettings:
    spool = configuration.spool
    return SpoolSettings(
        commit_seconds=seconds(spool.commit_after),
        commit_bytes=spool.commit_bytes,
        seal_seconds=seconds(spool.seal_after),
        segment_bytes=spool.segment_bytes,
        key_file=configuration.key_path,
    )


def sinks(configuration: Configuration) -> list[Sink]:
    alert = configuration.alert
    try:
        return [
            *(_email(item, configuration) for item in alert.email),
            *(_webhook(item, configuration) for item in alert.webhook),
        ]
    except ValueError as error:
        raise Misuse(f"{configuration.path}: {error}") from None


def _email(item: Email, configuration: Configuration) -> EmailSink:
    host, port = split_server(item.smtp)
    password = _secret(configuration, item.password_env, item.password_file)
    return EmailSink(
        item.name, host, port, item.sender, tuple(item.to), item.min_severity, item.username, password, item.tls
    )


def _webhook(item: Webhook, configuration: Configuration) -> WebhookSink:
    secret = _secret(configuration, item.secret_env, item.secret_file)
    return WebhookSink(item.name, item.url, item.format, secret, item.min_severity)


def _secret(configuration: Configuration, variable: str, file: str) -> str:
    """From the environment or from a file; never from the configuration itself."""
    if variable:
        return os.environ.get(variable, "")
    return (configuration.path.resolve().parent / file).read_text(encoding="utf-8").strip() if file else ""


def outbox(db: Database, configuration: Configuration, now: Callable[[], datetime]) -> Outbox:
    return Outbox(db, sinks(configuration), now)


def loader(
    db: Database,
    configuration: Configuration,
    reading: SitePatterns,
    on_stored: Callable[[StoredBatches], None],
    on_failure: Callable[[], None],
) -> Loader:
    return Loader(db, configuration.below(), reading, on_stored, on_failure)


def sealer(db: Database, configuration: Configuration) -> Sealer:
    """Seals what the store has, and ends the segment of an import that no other followed."""
    data_dir, settings = configuration.below(), spool_settings(configuration)
    return Sealer(data_dir, lambda: stored_batches(db), lambda: end_idle_import(data_dir, settings))


def overrides(configuration: Configuration | None) -> dict[str, Override]:
    return {
        identifier: Override(item.enabled, item.severity or "", item.parameters)
        for identifier, item in (configuration.detectors if configuration else {}).items()
    }


def all_detectors(configuration: Configuration | None, last_good: Mapping[str, str] | None = None) -> Detectors:
    return load_all(folders(configuration, "detector_folders"), overrides(configuration), last_good)


def sound_detectors(configuration: Configuration) -> Detectors:
    """All of them; Misuse when one of the files is wrong."""
    detectors = all_detectors(configuration)
    if detectors.mistakes:
        raise Misuse("\n".join(["detectors:", *(f"  {mistake}" for mistake in detectors.mistakes)]))
    return detectors


def detector_mistakes(configuration: Configuration | None) -> list[str]:
    """In the files and in what the configuration says of them."""
    found = load_all(folders(configuration, "detector_folders"), overrides(configuration), thorough=True)
    return list(map(str, found.mistakes))


def pattern_mistakes(configuration: Configuration | None) -> list[str]:
    """Files that cannot be read, and examples that do not give what they promise."""
    given = folders(configuration, "pattern_folders")
    absent = [f"pattern_folders: {folder} is no folder" for folder in given if not folder.is_dir()]
    try:
        return absent + patterns.load(given).check()
    except patterns.PatternError as error:
        return absent + str(error).splitlines()


def duty(  # noqa: PLR0913  (where, by which clock, what it judges, and whom it tells)
    db: Database,
    configuration: Configuration,
    now: Callable[[], datetime],
    complete_until: Callable[[], datetime] | None = None,
    *,
    detectors: Detectors | None = None,
    on_told: Callable[[], object] = lambda: None,
) -> Duty:
    """These detectors, or all: then Misuse when one of the files is wrong. Told about by the configured sinks."""
    detectors = detectors or sound_detectors(configuration)
    return Duty(
        db,
        detectors,
        now,
        enqueue=_teller(sinks(configuration), detectors, now),
        on_told=on_told,
        complete_until=complete_until,
        not_measured=context.not_measured(configuration, detectors),
    )


def _teller(told: list[Sink], detectors: Detectors, now: Callable[[], datetime]) -> Enqueue:
    def tell(cursor: duckdb.DuckDBPyConnection, finding: Finding, reason: Reason, /) -> int:
        detector = detectors.get(finding.detector)
        finds, runbook = (detector.finds, detector.runbook) if detector else ("", "")
        return enqueue(cursor, finding, reason, told, now(), finds=finds, runbook=runbook)

    return tell


def pack_settings(configuration: Configuration, detectors: Iterable[Detector], reading: SitePatterns) -> PackSettings:
    """What a pack is told besides the store."""
    return PackSettings(
        organisation=configuration.report.organisation,
        hsmtrail_version=hsmtrail.__version__,
        patterns_version=reading.current().patterns.version,
        detectors=tuple(map(_note, detectors)),
        limits=tuple(_limits(configuration, detectors)),
        grace_minutes=_grace_minutes(detectors),
    )


def _grace_minutes(detectors: Iterable[Detector]) -> int:
    """What PRIV-03 forgives on both sides of a change window, so that packs and findings agree."""
    given = (one.parameters.get("grace_minutes") for one in detectors if one.id == "PRIV-03")
    return int(next(given, None) or 0)


def _note(detector: Detector) -> DetectorNote:
    written = detector.written
    return DetectorNote(
        id=detector.id,
        title=detector.title,
        severity=detector.fixed_severity or detector.severity,
        finds=detector.finds,
        blind_spots=str(written["blind_spots"]).strip(),
        runbook=detector.runbook,
        sha256=detector.sha256,
        enabled=detector.enabled,
    )


def _limits(configuration: Configuration, detectors: Iterable[Detector]) -> Iterator[RoleLimit]:
    """What the detectors judge by, and on top of it what the configuration says of single partitions."""
    for detector in detectors:
        for role, limit in dict(detector.parameters.get("limits") or {}).items():
            yield RoleLimit("", "", role, limit)
    for partition in configuration.partition:
        for role, limit in partition.limits.items():
            yield RoleLimit(partition.device, partition.container, role, limit)
