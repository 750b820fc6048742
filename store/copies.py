"""Finds the records that repeat an event which another path has brought: two relays, or syslog and an imported file.

A path is (listener, peer); each import of a file is a path of its own. The first, second, third … time that a path
brings a text is the same event as the first, second, third … time that any other path brings it: so the same text
twice on one path is two events, and both have their copies. Whichever was stored first is the event.

Audit records match on serial, sequence and text; other lines on device (the host where no device is known), event
second, program, process id and text. Nothing is looked up for a source that only one path has ever brought.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

MANY = ""
"""In place of a path: more than one is known."""

LARGEST = 100_000
"""So many sources are told apart; any further one is looked up always. The names come from the network."""

SPANS = 16
"""So many look-ups by time at most for one transaction."""

APART = timedelta(hours=1)
ZONES = timedelta(hours=15)
"""Two paths may have been given different zones for the same audit record."""

AUDIT = (pl.col("family") == "hsm_audit") & pl.col("hsm_serial").is_not_null() & pl.col("audit_sequence").is_not_null()
SOURCE = (
    pl.when(AUDIT)
    .then(pl.format("serial {}", "hsm_serial"))
    .when(pl.col("device") != "")
    .then(pl.format("device {}", "device"))
    .when(pl.col("host") != "")
    .then(pl.format("host {}", "host"))
)
RUN = pl.when(pl.col("transport") == "import").then(pl.col("peer_identity")).otherwise(pl.lit(""))
PATH = pl.format("{}\x1f{}\x1f{}", "listener", "peer", RUN)
ORIGIN = ["device", "host", "hsm_serial", "listener", "peer", "transport", "peer_identity"]
KEY = ["source", "second", "program", "process_id", "audit_sequence", "message"]

KNOWN_SQL = """
SELECT DISTINCT device, host, hsm_serial, listener, peer, transport, peer_identity, family,
       if(audit_sequence IS NULL, NULL, 0::UBIGINT) AS audit_sequence
FROM records
"""
FIELDS = """record_id, copy_of, listener, transport, peer, peer_identity, device, host, family, hsm_serial,
       audit_sequence, event_at, program, process_id, message"""
AUDIT_SQL = f"""
SELECT {FIELDS}
FROM records
WHERE event_at BETWEEN $first AND $last AND family = 'hsm_audit'
  AND (hsm_serial, audit_sequence, message) IN (SELECT (hsm_serial, audit_sequence, message) FROM wanted)
"""  # noqa: S608  (a constant)
OTHER_SQL = f"""
SELECT {FIELDS}
FROM records
WHERE event_at BETWEEN $first AND $last
  AND (date_trunc('second', event_at), program, message) IN (SELECT (second, program, message) FROM wanted)
"""  # noqa: S608  (a constant)


class KnownPaths:
    """By which path each source is known; MANY when by more than one."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    @staticmethod
    def of_store(cursor: duckdb.DuckDBPyConnection) -> KnownPaths:
        known = KnownPaths()
        known.learn(pl.DataFrame(cursor.sql(KNOWN_SQL).to_arrow_table()))
        return known

    def learn(self, rows: pl.DataFrame) -> None:
        origins = rows.select(*ORIGIN, "family", audit_sequence=pl.col("audit_sequence").clip(0, 0)).unique()
        pairs = origins.select(source=SOURCE, path=PATH).drop_nulls().unique()
        for source, path in pairs.iter_rows():
            if len(self._paths) < LARGEST or source in self._paths:
                self._paths[source] = path if self._paths.get(source, path) == path else MANY

    @property
    def several(self) -> bool:
        """Whether any source at all is worth a look."""
        return len(self._paths) >= LARGEST or MANY in self._paths.values()

    def by_several(self, sources: pl.Series) -> pl.Series:
        """True for each source that more than one path brings, as far as can be said."""
        single = [source for source, path in self._paths.items() if path != MANY]
        return sources.is_not_null() & ~sources.is_in(single) if sources.len() else sources.is_not_null()


def copies(cursor: duckdb.DuckDBPyConnection, known: KnownPaths, rows: pl.DataFrame) -> pl.Series | None:
    """For each row, which come in their order of arrival, the record that it repeats or null; None: there is none."""
    known.learn(rows)
    if not known.several:
        return None
    sources = rows.select(source=SOURCE).to_series()
    candidates = rows.filter(known.by_several(sources))
    if candidates.is_empty():
        return None
    arriving = _keyed(candidates).with_columns(copy_of=pl.lit(None, pl.UInt64), stored=pl.lit(value=False))
    matched = _matched(pl.concat([_stored(cursor, arriving, candidates["event_at"]), arriving]))
    if matched.is_empty():
        return None
    return rows.select("record_id").join(matched, on="record_id", how="left", maintain_order="left")["copy_of"]


def spans(moments: pl.Series) -> list[tuple[datetime, datetime]]:
    """Ranges that hold all moments, at most SPANS: a wrong clock must not make us read everything in between."""
    seconds = moments.dt.truncate("1s").unique().sort()
    gaps = seconds.diff()
    limit = max(gaps.drop_nulls().sort(descending=True).head(SPANS).to_list()[SPANS - 1 :], default=APART)
    starts = seconds.filter(gaps.is_null() | (gaps > max(limit, APART)))
    ends = seconds.filter((gaps.shift(-1).is_null()) | (gaps.shift(-1) > max(limit, APART)))
    return [
        (first, last + timedelta(seconds=1) - timedelta(microseconds=1))
        for first, last in zip(starts, ends, strict=True)
    ]


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    other = ~AUDIT
    return rows.select(
        "record_id",
        path=PATH,
        source=SOURCE,
        second=pl.when(other).then(pl.col("event_at").dt.truncate("1s")),
        program=pl.when(other).then("program").otherwise(pl.lit("")),
        process_id=pl.when(other).then(pl.col("process_id").fill_null("")).otherwise(pl.lit("")),
        hsm_serial="hsm_serial",
        audit_sequence=pl.when(AUDIT).then("audit_sequence"),
        message="message",
    )


def _stored(cursor: duckdb.DuckDBPyConnection, arriving: pl.DataFrame, moments: pl.Series) -> pl.DataFrame:
    """What the store has of the same keys, in the columns of `arriving`."""
    audit = arriving["audit_sequence"].is_not_null()
    found = [
        *_looked_up(cursor, AUDIT_SQL, arriving.filter(audit), moments.filter(audit), ZONES),
        *_looked_up(cursor, OTHER_SQL, arriving.filter(~audit), moments.filter(~audit), timedelta(0)),
    ]
    keyed = [
        _keyed(rows).with_columns(copy_of=rows["copy_of"], stored=pl.lit(value=True)).select(arriving.columns)
        for rows in found
    ]
    return pl.concat([*keyed, arriving.clear()]).unique("record_id").sort("record_id")


def _looked_up(
    cursor: duckdb.DuckDBPyConnection, sql: str, wanted: pl.DataFrame, moments: pl.Series, around: timedelta
) -> list[pl.DataFrame]:
    if wanted.is_empty():
        return []
    cursor.register("wanted", wanted.select("hsm_serial", "audit_sequence", "second", "program", "message").to_arrow())
    try:
        return [
            pl.DataFrame(cursor.sql(sql, params={"first": first - around, "last": last + around}).to_arrow_table())
            for first, last in spans(moments)
        ]
    finally:
        cursor.unregister("wanted")


def _matched(rows: pl.DataFrame) -> pl.DataFrame:
    """Of the new ones that are copies: record_id and copy_of. Stored rows come first, new ones as they arrived."""
    turns = rows.with_columns(turn=pl.int_range(pl.len()).over([*KEY, "path"]))
    events = (
        turns.filter(pl.col("copy_of").is_null())
        .unique([*KEY, "turn"], keep="first", maintain_order=True)
        .select(*KEY, "turn", event="record_id")
    )
    return (
        turns.filter(~pl.col("stored"))
        .join(events, on=[*KEY, "turn"], how="inner", nulls_equal=True)
        .filter(pl.col("event") != pl.col("record_id"))
        .select("record_id", copy_of="event")
    )
