"""From a finding to the outbox, in the transaction that wrote the finding: both are there, or neither."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from analytics.alerts.message import (
    MOST_LINES,
    MOST_RECORDS,
    AnchorMessage,
    FindingMessage,
    Line,
    Message,
    PackMessage,
    Reason,
    TrialMessage,
    as_text,
    bounded,
    cut,
)
from analytics.alerts.sinks import EmailSink, reaches
from store import outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from analytics.alerts.message import ChainHead
    from analytics.alerts.sinks import Sink
    from store.findings import Finding


def enqueue(  # noqa: PLR0913  (a finding, why, who, when, and the two texts of its detector)
    cursor: duckdb.DuckDBPyConnection,
    finding: Finding,
    reason: Reason,
    sinks: Sequence[Sink],
    now: datetime,
    *,
    finds: str = "",
    runbook: str = "",
) -> int:
    """One row for each sink that wants this severity; gives their number.

    Call it after the finding's rows in finding_records are written: the message carries up to five of their lines.
    """
    wanted = [sink for sink in sinks if reaches(finding.severity, sink.min_severity)]
    if not wanted:
        return 0
    records = _records(cursor, finding.id)
    lines, device = _lines(cursor, records), _configured(cursor, finding.device)
    for sink in wanted:
        message = FindingMessage(
            type="finding",
            key=_key(),
            reason=reason,
            created_at=now,
            finding=finding.id,
            detector=finding.detector,
            title=cut(finding.title, 200),
            subject=cut(finding.subject),
            device=device,
            severity=finding.severity,
            state=finding.state,
            first_seen=finding.first_seen,
            last_seen=finding.last_seen,
            opened_at=finding.opened_at,
            change_ticket=cut(finding.change_ticket, 200),
            record_count=finding.record_count,
            records=records,
            lines=lines,
            columns=_columns(finding.columns),
            finds=cut(finds),
            runbook=cut(runbook, 5000),
        )
        _write(cursor, sink, finding.severity, message, now)
    return len(wanted)


def enqueue_pack(  # noqa: PLR0913  (a pack has a name, a verdict and a file)
    cursor: duckdb.DuckDBPyConnection,
    sinks: Sequence[Sink],
    now: datetime,
    *,
    name: str,
    title: str,
    summary: Sequence[str],
    path: Path,
    sha256: str,
    recipients: Sequence[str] = (),
) -> int:
    """Tell that a pack is ready: mails go to `recipients` (else the sink's own) with the HTML file attached."""
    for sink in sinks:
        message = PackMessage(
            type="pack",
            key=_key(),
            created_at=now,
            name=cut(name, 200),
            title=cut(title, 200),
            summary=tuple(cut(line, 500) for line in summary[:20]),
            path=str(path),
            sha256=sha256,
            recipients=tuple(recipients) if isinstance(sink, EmailSink) else (),
        )
        _write(cursor, sink, "info", message, now)
    return len(sinks)


def enqueue_anchor(
    cursor: duckdb.DuckDBPyConnection,
    sinks: Sequence[Sink],
    now: datetime,
    heads: Sequence[ChainHead],
    manifest: str,
) -> int:
    """Tell where the chain of evidence stands, to everybody but those whom each message wakes (pagerduty)."""
    wanted = [sink for sink in sinks if isinstance(sink, EmailSink) or sink.format != "pagerduty"]
    for sink in wanted:
        message = AnchorMessage(
            type="anchor", key=_key(), created_at=now, heads=tuple(heads), manifest=cut(manifest, 64)
        )
        _write(cursor, sink, "info", message, now)
    return len(wanted)


def enqueue_test(cursor: duckdb.DuckDBPyConnection, sinks: Sequence[Sink], now: datetime) -> int:
    """A message to every sink, whatever its least severity, that says it is a test."""
    for sink in sinks:
        _write(cursor, sink, "info", TrialMessage(type="test", key=_key(), created_at=now), now)
    return len(sinks)


def _write(cursor: duckdb.DuckDBPyConnection, sink: Sink, severity: str, message: Message, now: datetime) -> None:
    finding = message.finding if isinstance(message, FindingMessage) else None
    outbox.write(cursor, outbox.Letter(sink.name, message.type, severity, as_text(message), finding), now)


def _key() -> str:
    return uuid.uuid4().hex


def _records(cursor: duckdb.DuckDBPyConnection, finding: int) -> tuple[int, ...]:
    """The newest record numbers of a finding, rising."""
    rows = cursor.execute(
        "SELECT DISTINCT record_id FROM finding_records WHERE finding = $finding ORDER BY record_id DESC LIMIT $most",
        {"finding": finding, "most": MOST_RECORDS},
    ).fetchall()
    return tuple(record for (record,) in reversed(rows))


def _lines(cursor: duckdb.DuckDBPyConnection, records: tuple[int, ...]) -> tuple[Line, ...]:
    rows = cursor.execute(
        "SELECT record_id, event_at, raw FROM records WHERE list_contains($wanted, record_id)"
        " AND record_id BETWEEN $lowest AND $highest ORDER BY event_at, record_id",
        {
            "wanted": list(records[-MOST_LINES:]),
            "lowest": min(records[-MOST_LINES:], default=0),  # lets DuckDB skip all other row groups
            "highest": max(records[-MOST_LINES:], default=0),
        },
    ).fetchall()
    return tuple(Line(record, at, cut(raw)) for record, at, raw in rows)


def _configured(cursor: duckdb.DuckDBPyConnection, device: str) -> str:
    """The name only if the configuration has it: subjects of mails hold no text that came over the network."""
    known = cursor.execute("SELECT 1 FROM devices WHERE name = $name", {"name": device}).fetchone()
    return device if known else ""


def _columns(columns: Any) -> dict[str, Any]:  # noqa: ANN401  (text or object, as the finding keeps it)
    document = json.loads(columns) if isinstance(columns, str) else columns
    shown = bounded(document)
    return shown if isinstance(shown, dict) else {}
