"""One event by several paths is stored as often as it came, and counted once."""

import shutil
from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store import copies
from store.database import Database
from store.writer import Writer
from support.rows import AT, audit, batch, frame, identity, later, record

RELAY = {"peer": "192.0.2.20"}
IMPORT = {"receiver": 0, "listener": "import", "transport": "import", "peer": "/srv/logs/messages", "peer_port": None}
NUMBERS = iter(range(1, 10_000_000))


def stored(db, *groups):
    """Each group of records is one commit by one writer; gives {number: copy_of} of all."""
    writer = Writer(db)
    for group in groups:
        ready, batches = [], {}
        for receiver in sorted({row["record_id"] >> 48 for row in group}):
            number = next(NUMBERS)
            rows = [{**row, "batch": identity(receiver, number)} for row in group if row["record_id"] >> 48 == receiver]
            batches[number] = batch(number, rows, receiver)
            ready += rows
        writer.store(list(batches.values()), frame(ready))
    return copies_in(db)


def copies_in(db):
    with db.reader() as cursor:
        rows = cursor.execute("SELECT record_id, copy_of FROM records WHERE copy_of IS NOT NULL").fetchall()
    return dict(rows)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("kind", [lambda number, **words: audit(number, 41, **words), record])
def test_second_path_brings_a_copy(db, ask, kind, together):
    """The same event through a relay repeats the first record, in one commit or in two."""
    first, second = kind(1), kind(2, **RELAY)
    groups = [[first, second]] if together else [[first], [second]]
    assert stored(db, *groups) == {identity(1, 2): identity(1, 1)}
    assert ask("SELECT record_id FROM events") == [(identity(1, 1),)]
    assert ask("SELECT sum(stored), sum(copies) FROM custody") == [(2, 1)]


@pytest.mark.parametrize("kind", [lambda number, **words: audit(number, 41, **words), record])
def test_same_path_repeats_are_events(db, kind):
    """The same text twice on the same path is two events."""
    assert stored(db, [kind(1), kind(2)], [kind(3)]) == {}


def test_repeats_on_both_paths_pair_up(db):
    """Twice here and three times there is three events: each one has its copy as far as there is one."""
    here = [record(number) for number in (1, 2)]
    there = [record(number, **RELAY) for number in (3, 4, 5)]
    assert stored(db, here, there) == {identity(1, 3): identity(1, 1), identity(1, 4): identity(1, 2)}


@pytest.mark.parametrize(
    "other",
    [
        {"event_at": later(seconds=1)},
        {"program": "sshd"},
        {"process_id": "78"},
        {"process_id": None},
        {"message": "info : 0 : Command: hsm login : admin : Console"},
        {"device": "luna-b"},
        {"device": "", "host": "luna-a"},
    ],
)
def test_lines_that_differ_are_events(db, other):
    """Device, event second, program, process and text must all be the same."""
    assert stored(db, [record(1), record(2, **{**RELAY, **other})]) == {}


def test_within_the_second_is_the_same(db):
    """The second of the event counts: a relay may have dropped the fraction."""
    first, second = record(1, event_at=later(microseconds=999_000)), record(2, **RELAY)
    assert stored(db, [first], [second]) == {identity(1, 2): identity(1, 1)}


@pytest.mark.parametrize("other", [{"audit_sequence": 42}, {"hsm_serial": "1484"}, {"message": "41,another"}])
def test_audit_records_that_differ_are_events(db, other):
    """Serial, sequence and text must be the same."""
    assert stored(db, [audit(1, 41), audit(2, 41, **{**RELAY, **other})]) == {}


def test_audit_records_match_whatever_the_rest_says(db):
    """Host, device, program and clock of an audit record may differ: another zone, an unknown relay."""
    other = {"device": "", "host": "relay", "program": "", "process_id": None, "event_at": later(hours=5, minutes=30)}
    assert stored(db, [audit(1, 41)], [audit(2, 41, **{**RELAY, **other})]) == {identity(1, 2): identity(1, 1)}


TEXT = "41,26/11/23 08:15:01,S/N 1483 session 7"
MAC, OTHER_MAC, BLOCK = "29C5" * 16, "5BE0" * 16, "2600001003600B00" * 6
PROVEN = {"mac": MAC, "raw_block": BLOCK}
FORMS = {
    "as in the file": {"message": f"        {TEXT}{' ' * 200},{MAC},{BLOCK}", **PROVEN},
    "with the file's name": {"message": f"hsm_1483_0000003a.log^{TEXT},{MAC},{BLOCK}", **PROVEN},
    "with the file's name, padded": {"message": f"hsm_1483_0000003a.log^ {TEXT}   ,{MAC},{BLOCK}", **PROVEN},
    "wrapped": {"message": f"{TEXT},\n{MAC},\n{BLOCK}", **PROVEN},
    "without proof": {"message": TEXT},
    "without proof, padded": {"message": f" {TEXT}   "},
}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_whatever_stands_around_the_text_of_a_record(db, first, second, together):
    """Syslog and the HSM's own file write the same record in different forms."""
    one, other = audit(1, 41, **FORMS[first]), audit(2, 41, **{**RELAY, **FORMS[second]})
    assert stored(db, *([[one, other]] if together else [[one], [other]])) == {identity(1, 2): identity(1, 1)}


def test_another_proof_is_another_record(db):
    """One of the two was made up: both are events, and LOGS-02 says so. One without proof joins the lowest of them."""
    forged = {"message": f"{TEXT},{OTHER_MAC},{BLOCK}", "mac": OTHER_MAC, "raw_block": BLOCK}
    real = FORMS["as in the file"]
    bare = {**FORMS["without proof"], "peer": "192.0.2.30"}
    assert stored(db, [audit(1, 41, **forged)], [audit(2, 41, **{**RELAY, **real})]) == {}
    assert stored(db, [audit(3, 41, **bare)]) == {identity(1, 3): identity(1, 2)}


def test_unknown_devices_are_told_apart_by_host(db):
    """Without an inventory the host stands for the device; without a host nothing is a copy."""
    pairs = [record(1, device=""), record(2, device="", **RELAY), record(3, device="", host="")]
    assert stored(db, [*pairs, record(4, device="", host="", **RELAY)]) == {identity(1, 2): identity(1, 1)}


def test_import_of_what_syslog_brought(db, ask):
    """An imported file repeats records of long ago, and the same file again repeats them once more."""
    old = [record(number, event_at=later(minutes=number), message=f"line {number}") for number in range(1, 50)]
    again = [{**row, **IMPORT, "record_id": row["record_id"] - (1 << 48)} for row in old]
    again = [{key: value for key, value in row.items() if key != "receiver"} for row in again]
    twice = [{**row, "record_id": row["record_id"] + 1000, "peer_identity": "second run"} for row in again]
    stored(db, old[:20], old[20:], again, twice)
    assert ask("SELECT count(*) FROM events") == [(49,)]
    assert ask("SELECT listener, sum(copies) FROM custody GROUP BY ALL ORDER BY ALL") == [("import", 98), ("udp", 0)]


def test_what_syslog_brings_is_the_event_even_when_it_comes_later(db, ask):
    """Copies do not depend on the order of storing, and custody follows."""
    imported, again = record(1, **IMPORT), record(2, **IMPORT, peer_identity="second run")
    assert stored(db, [imported], [again]) == {identity(0, 2): identity(0, 1)}
    live = record(1)
    assert stored(db, [live]) == {identity(0, 1): identity(1, 1), identity(0, 2): identity(1, 1)}
    assert ask("SELECT listener, stored, copies FROM custody ORDER BY ALL") == [("import", 2, 2), ("udp", 1, 0)]


def test_new_writer_knows_the_paths_of_the_store(db):
    """After a restart a second path is still noticed."""
    stored(db, [record(1)])
    assert stored(db, [record(2, **RELAY)]) == {identity(1, 2): identity(1, 1)}


def test_wrong_clock_does_not_hide_copies(db):
    """Records far apart in time are looked up in a few ranges, and all are found."""
    apart = [AT + timedelta(days=number**2) for number in range(40)]
    first = [record(number, event_at=at) for number, at in enumerate(apart, 1)]
    second = [record(number, event_at=at, **RELAY) for number, at in enumerate(apart, 101)]
    assert len(stored(db, first, second)) == 40
    ranges = copies.spans(frame(first)["event_at"])
    assert len(ranges) == copies.SPANS
    assert all(any(start <= at <= end for start, end in ranges) for at in apart)


def test_more_sources_than_are_remembered(db, monkeypatch):
    """Sources beyond the bound are looked up each time, so that none of their copies is missed."""
    monkeypatch.setattr(copies, "LARGEST", 2)
    many = [record(number, device=f"luna-{number}") for number in range(5)]
    again = [record(number + 10, device=f"luna-{number}", **RELAY) for number in range(5)]
    assert len(stored(db, many, again)) == 5


@pytest.mark.parametrize("restarted", [False, True])
def test_long_names_of_sources_are_cut(db, restarted):
    """What is remembered of a name is bounded, for anybody may send 65,000 characters; copies are found all the same."""
    names = [f"{'h' * 2 * copies.LONGEST}{number}" for number in range(3)]
    stored(db, [record(number, device="", host=name) for number, name in enumerate(names)])
    known = copies.KnownPaths()
    known.learn(frame([record(number, device="", host=name) for number, name in enumerate(names)]))
    if restarted:
        with db.reader() as cursor:
            known = copies.KnownPaths.of_store(cursor)
    assert [len(source) for source in known._paths] == [copies.LONGEST]
    assert stored(db, [record(11, device="", host=names[1], **RELAY)]) == {identity(1, 11): identity(1, 1)}


LINES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["one", "two", "import"]), st.booleans()), max_size=12
)


def _records(lines):
    """Numbered as the spools would: live and imported ones apart."""
    numbers = {True: iter(range(1, 100)), False: iter(range(1, 100))}
    for text, path, audits in lines:
        words = IMPORT if path == "import" else {"peer": path}
        number = next(numbers[path == "import"])
        yield audit(number, 1, message=text, **words) if audits else record(number, message=text, **words)


@settings(max_examples=40, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 12), max_size=3), imports_first=st.booleans())
def test_any_order_gives_the_same_copies(tmp_path_factory, empty_store, lines, cuts, imports_first):
    """However commits are cut, and whichever spool is read first, copies are those of all records at once."""
    rows = list(_records(lines))
    places = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    if imports_first:
        rows.sort(key=lambda row: row["record_id"] >> 48)
    groups = [rows[start:end] for start, end in pairwise(places) if start < end]
    results = []
    for way in ([rows] if rows else [], groups):
        db = Database.open(shutil.copy(empty_store, tmp_path_factory.mktemp("store") / "store.duckdb"))
        results.append(stored(db, *way))
        db.close()
    assert results[0] == results[1]
    events = pl.DataFrame(
        [(text, path, audits) for text, path, audits in lines], ["text", "path", "audits"], orient="row"
    )
    most = events.group_by("text", "path", "audits").len().group_by("text", "audits").agg(pl.col("len").max())
    assert len(rows) - len(results[0]) == most["len"].sum()
