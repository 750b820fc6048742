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
WITHIN_SECOND = timedelta(microseconds=999_999)
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

KNOWN_SQL = """
SELECT DISTINCT device, host, hsm_serial, listener, peer, transport, peer_identity, family,
       if(audit_sequence IS NULL, NULL, 0::UBIGINT) AS audit_sequence
FROM records
"""
FIELDS = """record_id, copy_of, listener, transport, peer, peer_identity, device, host, family, hsm_serial,
       audit_sequence, event_at, program, process_id, message, mac, raw_block"""
AUDIT_SQL = f"""
SELECT {FIELDS}
FROM records
SEMI JOIN wanted USING (hsm_serial, audit_sequence)
WHERE event_at BETWEEN $first AND $last AND family = 'hsm_audit'
"""  # noqa: S608  (a constant)
OTHER_SQL = f"""
SELECT {FIELDS}
FROM records
SEMI JOIN wanted
ON date_trunc('second', event_at) = second AND records.program = wanted.program AND records.message = wanted.message
WHERE event_at BETWEEN $first AND $last
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
    arriving = _keyed(candidates).with_columns(copy_of=pl.lit(None, pl.UInt64), stored=pl.lit(value=False))
    judged = _judged(pl.concat([_stored(cursor, arriving, candidates["event_at"]), arriving]))
    changed = judged.filter(pl.col("copy_of").ne_missing(pl.col("event")))
    new, old = changed.filter(~pl.col("stored")), changed.filter(pl.col("stored"))
    if changed.is_empty():
        return None
    of_rows = rows.select("record_id").join(new, on="record_id", how="left", maintain_order="left")["event"]
    return Repeats(of_rows, old.select("record_id", was="copy_of", copy_of="event"))


def spans(moments: pl.Series) -> list[tuple[datetime, datetime]]:
    """Ranges that hold all moments, at most SPANS: a wrong clock must not make us read everything in between."""
    seconds = moments.dt.truncate("1s").unique().sort()
    gaps = seconds.diff().fill_null(timedelta(0))
    widest = gaps.sort(descending=True).head(SPANS)
    apart = max(APART, widest[SPANS - 1]) if widest.len() == SPANS else APART
    starts = [seconds[0], *seconds.filter(gaps > apart)]
    ends = [*seconds.filter((gaps > apart).shift(-1, fill_value=False)), seconds[-1]]
    return [(first, last + WITHIN_SECOND) for first, last in zip(starts, ends, strict=True)]


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    other = ~AUDIT
    return rows.select(
        "record_id",
        "hsm_serial",
        "message",
        path=PATH,
        source=SOURCE,
        imported=pl.col("transport") == "import",
        second=pl.when(other).then(pl.col("event_at").dt.truncate("1s")),
        program=pl.when(other).then("program").otherwise(pl.lit("")),
        process_id=pl.when(other).then(pl.col("process_id").fill_null("")).otherwise(pl.lit("")),
        audit_sequence=pl.when(AUDIT).then("audit_sequence"),
        text=pl.when(other).then("message").otherwise(SAID),
        proof=pl.when(AUDIT).then(PROOF),
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
    return pl.concat([*keyed, arriving.clear()]).unique("record_id")


def _looked_up(
    cursor: duckdb.DuckDBPyConnection, sql: str, wanted: pl.DataFrame, moments: pl.Series, around: timedelta
) -> list[pl.DataFrame]:
    if wanted.is_empty():
        return []
    cursor.register("wanted", wanted.select("hsm_serial", "audit_sequence", "second", "program", "message").to_arrow())
    return [
        pl.DataFrame(cursor.sql(sql, params={"first": first - around, "last": last + around}).to_arrow_table())
        for first, last in spans(moments)
    ]


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    """With the record that each one repeats (`event`), null for those that are the event themselves.

    A record without its proof is taken for the one with the lowest.
    """
    proven = rows.sort("record_id").with_columns(pl.col("proof").fill_null(pl.col("proof").min().over(KEY)))
    turns = proven.with_columns(turn=pl.int_range(pl.len()).over([*KEY, "proof", "path"]))
    first = pl.col("record_id").sort_by("imported", "record_id").first().over([*KEY, "proof", "turn"])
    return turns.with_columns(event=pl.when(first != pl.col("record_id")).then(first))
