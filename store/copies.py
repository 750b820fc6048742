"""Finds the records that repeat an event which another path has brought: two relays, or syslog and an imported file.

A path is (listener, peer); each import of a file is a path of its own. The first, second, third … time that a path
brings a text is the same event as the first, second, third … time that any other path brings it: so the same text
twice on one path is two events, and both have their copies. The event is the record that no import brought, then
the one with the lowest id. So copies depend on what there is, never on the order in which it was stored.

Audit records match on serial, sequence and text, whatever stands around the text: syslog puts the name of a file before
it, the HSM's own file pads it with blanks, and the proof behind it (MAC and raw block) may be left out on one way. Two
records with different proofs are never one. Other lines match on device (the host where no device is known), event
second, program, process id and text. Nothing is looked up for a source that only one path has ever brought.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

MANY = ""
"""In place of a path: more than one is known."""

LARGEST = 100_000
"""So many sources are told apart; any further one is looked up always. The names come from the network."""

LONGEST = 500
"""Characters of a source that are told apart: two that begin alike are taken for one, and are looked up the more."""

SPANS = 16
"""So many look-ups by time at most for one transaction."""

APART = timedelta(hours=1)
WITHIN_SECOND = timedelta(microseconds=999_999)
NEAR = 100_000
"""Records whose numbers are so far apart are not read by one look-up."""

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
SECOND = pl.when(~AUDIT).then(pl.col("event_at").dt.truncate("1s"))
RUN = pl.when(pl.col("transport") == "import").then(pl.col("peer_identity")).otherwise(pl.lit(""))
PATH = pl.format("{}\x1f{}\x1f{}", "listener", "peer", RUN)
ORIGIN = ["device", "host", "hsm_serial", "listener", "peer", "transport", "peer_identity"]
KEY = ["source", "second", "program", "process_id", "audit_sequence", "text"]
BEFORE_CARET = r"^[^,^]*\^"
AROUND = " ,\r\n"
SAID = (
    pl.coalesce(pl.col("message").str.splitn(pl.col("mac"), 2).struct.field("field_0"), "message")
    .str.replace(BEFORE_CARET, "")
    .str.strip_chars(AROUND)
)
"""Sequence, stamp and text of an audit record."""

PROOF = pl.concat_str("mac", "raw_block").str.to_uppercase()

KNOWN_SQL = f"""
SELECT DISTINCT left(device, {LONGEST}) AS device, left(host, {LONGEST}) AS host, hsm_serial,
    listener, peer, transport, peer_identity, family, audit_sequence
FROM origins, (VALUES ('hsm_audit', 0::UBIGINT), ('', NULL)) AS kinds (family, audit_sequence)
"""  # noqa: S608  (constants)
"""What each origin may be the source of: an audit record or another line. No record is read for it."""

FIELDS = """record_id, copy_of, listener, transport, peer, peer_identity, device, host, family, hsm_serial,
       audit_sequence, event_at, program, process_id, message, mac, raw_block"""
AUDIT_SQL = """
SELECT record_id
FROM records
SEMI JOIN wanted USING (hsm_serial, audit_sequence)
WHERE event_at BETWEEN $first AND $last AND family = 'hsm_audit'
"""
OTHER_SQL = """
SELECT record_id
FROM records
SEMI JOIN wanted ON date_trunc('second', event_at) = second AND records.program = wanted.program
WHERE event_at BETWEEN $first AND $last
"""
WHOLE_SQL = f"""
SELECT {FIELDS}
FROM records
SEMI JOIN found USING (record_id)
WHERE record_id BETWEEN $first AND $last
"""  # noqa: S608  (a constant)
"""Texts are long: only those of records that may be meant are read."""


class KnownPaths:
    """By which path each source is known; MANY when by more than one."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    @staticmethod
    def of_store(cursor: duckdb.DuckDBPyConnection) -> KnownPaths:
        known = KnownPaths()
        for part in cursor.sql(KNOWN_SQL).to_arrow_reader(LARGEST):  # there may be millions
            known.learn(pl.DataFrame(part))
        return known

    def learn(self, rows: pl.DataFrame) -> None:
        origins = rows.select(*ORIGIN, "family", audit_sequence=pl.col("audit_sequence").clip(0, 0)).unique()
        pairs = origins.select(source=SOURCE.str.slice(0, LONGEST), path=PATH).drop_nulls().unique()
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
        known = sources.str.slice(0, LONGEST).is_in(single)
        return sources.is_not_null() & ~known if sources.len() else sources.is_not_null()


@dataclass(frozen=True, slots=True)
class Repeats:
    """`of_rows`: for each row to be stored, the record that it repeats, or null. `corrected`: stored records that
    now repeat another one than they `was`: record_id, was, copy_of.
    """

    of_rows: pl.Series
    corrected: pl.DataFrame


def copies(cursor: duckdb.DuckDBPyConnection, known: KnownPaths, rows: pl.DataFrame) -> Repeats | None:
    """Which of the rows to be stored, and which stored ones by them, repeat another record. None: none does."""
    known.learn(rows)
    if not known.several:
        return None
    candidates = rows.filter(known.by_several(rows.select(source=SOURCE).to_series()))
    if candidates.is_empty():
        return None
    stored = _stored(cursor, candidates).with_columns(stored=pl.lit(value=True))
    arriving = candidates.with_columns(copy_of=pl.lit(None, pl.UInt64), stored=pl.lit(value=False))
    judged = _judged(_keyed(pl.concat([stored, arriving.select(stored.columns)])))
    changed = judged.filter(pl.col("copy_of").ne_missing(pl.col("event")))
    new, old = changed.filter(~pl.col("stored")), changed.filter(pl.col("stored"))
    if changed.is_empty():
        return None
    of_rows = rows.select("record_id").join(new, on="record_id", how="left", maintain_order="left")["event"]
    return Repeats(of_rows, old.select("record_id", was="copy_of", copy_of="event"))


def spans(moments: pl.Series) -> list[tuple[datetime, datetime]]:
    """Ranges that hold all moments, at most SPANS: a wrong clock must not make us read everything in between."""
    ranges = _ranges(moments.dt.truncate("1s").unique().sort(), APART, timedelta(0))
    return [(first, last + WITHIN_SECOND) for first, last in ranges]


def _ranges(places: pl.Series, apart: Any, nothing: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  (moments or numbers)
    """Ranges that hold all places, which are sorted and unique, cut at the widest gaps that are wider than `apart`."""
    gaps = places.diff().fill_null(nothing)
    widest = gaps.sort(descending=True).head(SPANS)
    apart = max(apart, widest[SPANS - 1]) if widest.len() == SPANS else apart
    starts = [places[0], *places.filter(gaps > apart)]
    ends = [*places.filter((gaps > apart).shift(-1, fill_value=False)), places[-1]]
    return list(zip(starts, ends, strict=True))


def _stored(cursor: duckdb.DuckDBPyConnection, candidates: pl.DataFrame) -> pl.DataFrame:
    """What the store has that may be the same: the columns FIELDS."""
    arriving = candidates.select("hsm_serial", "audit_sequence", "program", "event_at", audit=AUDIT, second=SECOND)
    audit, others = arriving.filter("audit"), arriving.filter(~pl.col("audit"))
    found = (
        pl.concat(
            [
                *_looked_up(cursor, AUDIT_SQL, audit.select("hsm_serial", "audit_sequence"), audit["event_at"], ZONES),
                *_looked_up(cursor, OTHER_SQL, others.select("second", "program"), others["event_at"], timedelta(0)),
                pl.DataFrame(schema={"record_id": pl.UInt64}),
            ]
        )
        .unique()
        .sort("record_id")
    )
    cursor.register("found", found.to_arrow())
    ids = _ranges(found["record_id"], NEAR, 0) if found.height else [(0, 0)]
    whole = [cursor.sql(WHOLE_SQL, params={"first": first, "last": last}).to_arrow_table() for first, last in ids]
    return pl.concat([pl.DataFrame(part) for part in whole])


def _looked_up(
    cursor: duckdb.DuckDBPyConnection, sql: str, wanted: pl.DataFrame, moments: pl.Series, around: timedelta
) -> list[pl.DataFrame]:
    if wanted.is_empty():
        return []
    cursor.register("wanted", wanted.unique().to_arrow())
    return [
        pl.DataFrame(cursor.sql(sql, params={"first": first - around, "last": last + around}).to_arrow_table())
        for first, last in spans(moments)
    ]


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """Those that may be the same as another one, with what decides it."""
    near = rows.with_columns(
        path=PATH,
        source=SOURCE,
        imported=pl.col("transport") == "import",
        second=SECOND,
        program=pl.when(~AUDIT).then("program").otherwise(pl.lit("")),
        process_id=pl.when(~AUDIT).then(pl.col("process_id").fill_null("")).otherwise(pl.lit("")),
        audit=AUDIT,
        audit_sequence=pl.when(AUDIT).then("audit_sequence"),
    ).filter(pl.len().over("source", "second", "program", "audit_sequence") > 1)
    return near.select(
        *("record_id", "copy_of", "stored", "imported", "path", *KEY[:-1]),
        text=pl.when("audit").then(SAID).otherwise("message"),
        proof=pl.when("audit").then(PROOF),
    )


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    """With the record that each one repeats (`event`), null for those that are the event themselves.

    A record without its proof is taken for the one with the lowest.
    """
    rows = rows.sort("record_id")
    alike = rows.with_columns(_numbers(rows, KEY, "alike"))
    alike = alike.with_columns(pl.col("proof").fill_null(pl.col("proof").min().over("alike")))
    same = alike.with_columns(_numbers(alike, ["alike", "proof"], "same"), _numbers(alike, ["path"], "path"))
    turns = same.with_columns(turn=pl.int_range(pl.len()).over("same", "path"))
    first = pl.col("record_id").sort_by("imported", "record_id").first().over("same", "turn")
    return turns.select("record_id", "copy_of", "stored", event=pl.when(first != pl.col("record_id")).then(first))


def _numbers(rows: pl.DataFrame, columns: list[str], name: str) -> pl.Series:
    """One number for all rows that say the same: long texts are compared once."""
    groups = rows.select(columns).with_row_index("row").group_by(columns).agg("row").select("row").with_row_index(name)
    return groups.explode("row").sort("row")[name]
