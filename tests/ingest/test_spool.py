"""The spool: numbers, chain, segments, and readers that see only what is on disk."""

import hashlib
import os
import struct
import subprocess
import sys
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.counters import Counted
from ingest.spool import (
    FIRST_PREVIOUS,
    SPOOL_SCHEMA,
    SpoolDamaged,
    SpoolError,
    SpoolReader,
    SpoolSettings,
    SpoolWriter,
    digest,
    read_head,
    segments,
)

MOMENT = datetime(2026, 11, 23, 8, 15, 1)
COUNTERS = {"udp": Counted(spooled=3, cut=1, kernel_dropped=2, refused={"empty": 4})}
KINDS = ["listener", "transport", "peer", "peer_identity", "trouble"]


def rows_of(*messages, peer="192.0.2.1", port=514):
    columns = {
        "received_at": MOMENT,
        "listener": "udp",
        "transport": "udp",
        "peer": peer,
        "peer_port": port,
        "peer_identity": "",
        "trouble": "",
    }
    rows = [{**columns, "raw": message} for message in messages]
    return pa.RecordBatch.from_pylist(rows, schema=SPOOL_SCHEMA)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool" / "main"


def messages_of(reader, max_bytes=1 << 20):
    found = []
    while batches := reader.next_batches(max_bytes):
        found += [raw for batch in batches for raw in batch.table.column("raw").to_pylist()]
    return found


def test_a_batch_comes_back_as_it_was_committed(folder):
    """With its numbers, its digest, its counters and the file that has it."""
    writer = SpoolWriter.open(folder, 1, now=lambda: MOMENT)
    done = writer.commit(rows_of(b"one", b"two\x00\xff"), COUNTERS)
    writer.commit(rows_of(b"three"), COUNTERS)
    first, second = SpoolReader(folder).next_batches()
    assert (first.batch, first.first_record, first.rows) == (1 << 48 | 1, 1 << 48 | 1, 2)
    assert (second.batch, second.first_record, second.rows) == (1 << 48 | 2, 1 << 48 | 3, 1)
    assert first.table == rows_of(b"one", b"two\x00\xff")
    assert (first.sha256, first.previous, second.previous) == (done.sha256, FIRST_PREVIOUS.hex(), first.sha256)
    assert (first.counters, first.committed_at) == (COUNTERS, MOMENT)
    assert first.segment == "spool/main/000000000001.arrow"
    assert writer.last_batch == second.batch
    writer.close()


def test_a_segment_is_an_arrow_stream_for_any_program(folder):
    """Open or ended, with the numbers in each batch's metadata."""
    writer = SpoolWriter.open(folder, 0, SpoolSettings(segment_bytes=1))
    writer.commit(rows_of(b"one"), {})
    writer.commit(rows_of(b"two"), {})
    writer.close()
    for name, message in (("000000000001.arrow", b"one"), ("000000000002.arrow", b"two")):
        with pa.ipc.open_stream(folder / name) as stream:
            table, metadata = stream.read_next_batch_with_custom_metadata()
            assert table.column("raw").to_pylist() == [message]
            assert {b"batch", b"first_record", b"rows", b"sha256", b"previous", b"committed_at"} < set(metadata)
            with pytest.raises(StopIteration):
                stream.read_next_batch()


def test_only_the_owner_can_read_the_evidence(folder):
    """The folder is 0700, its files 0600."""
    writer = SpoolWriter.open(folder, 1)
    writer.commit(rows_of(b"one"), {})
    writer.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_segments_end_by_size_and_by_age(folder):
    """The next batch begins a new file; readers go on over it."""
    clock = [MOMENT]
    writer = SpoolWriter.open(folder, 1, SpoolSettings(segment_bytes=1 << 20, seal_seconds=60), now=lambda: clock[0])
    noise = [os.urandom(300_000), os.urandom(800_000)]
    for message in (*noise, b"three"):
        writer.commit(rows_of(message), {})
    clock[0] += timedelta(seconds=61)
    writer.commit(rows_of(b"four"), {})
    writer.close()
    assert segments(folder) == [1, 3, 4]
    assert messages_of(SpoolReader(folder)) == [*noise, b"three", b"four"]


def test_a_reader_begins_behind_the_batch_it_is_told(folder):
    """In the middle of a segment, at its end, and at the end of all."""
    writer = SpoolWriter.open(folder, 1, SpoolSettings(segment_bytes=2500))
    for i in range(9):
        writer.commit(rows_of(b"%d" % i), {})
    assert len(segments(folder)) > 2
    for after in range(10):
        reader = SpoolReader(folder, 1 << 48 | after)
        assert messages_of(reader, 1) == [b"%d" % i for i in range(after, 9)]
        reader.close()
    writer.close()


def test_a_reader_takes_about_as_much_as_it_is_told(folder):
    """At least one batch, and not the whole spool."""
    writer = SpoolWriter.open(folder, 1)
    for i in range(20):
        writer.commit(rows_of(b"%d" % i * 1000), {})
    writer.close()
    reader = SpoolReader(folder)
    assert len(reader.next_batches(1)) == 1
    assert 4 <= len(reader.next_batches(5000)) <= 5
    assert len(reader.next_batches()) >= 14
    assert reader.next_batches() == []


def test_a_reader_never_sees_what_is_not_published(folder):
    """Bytes behind the head are not known to be on disk."""
    writer = SpoolWriter.open(folder, 1)
    reader = SpoolReader(folder)
    assert reader.next_batches() == []
    writer.commit(rows_of(b"one"), {})
    before = (folder / "head").read_bytes()
    writer.commit(rows_of(b"two"), {})
    (folder / "head").write_bytes(before)
    assert messages_of(reader) == [b"one"]
    writer.close()


def test_a_batch_larger_than_a_chunk_is_read(folder):
    """Whatever the reader's step is."""
    message = os.urandom(9 << 20)
    writer = SpoolWriter.open(folder, 1)
    writer.commit(rows_of(message), {})
    writer.commit(rows_of(b"next"), {})
    writer.close()
    assert messages_of(SpoolReader(folder), 1) == [message, b"next"]


def test_damage_is_named_with_its_place_and_a_way_on(folder):
    """The batches before it are read; a later segment can be."""
    writer = SpoolWriter.open(folder, 1, SpoolSettings(segment_bytes=2500))
    for i in range(9):
        writer.commit(rows_of(b"%d" % i), {})
    writer.close()
    last_of_first = segments(folder)[1] - 1
    os.truncate(folder / "000000000001.arrow", (folder / "000000000001.arrow").stat().st_size - 100)
    reader = SpoolReader(folder)
    assert len(reader.next_batches()) == last_of_first - 1
    with pytest.raises(
        SpoolDamaged, match=r"spool/main/000000000001\.arrow: batch \d+ cannot be read at byte \d+"
    ) as it:
        reader.next_batches()
    assert it.value.resume_after == 1 << 48 | last_of_first
    assert messages_of(SpoolReader(folder, it.value.resume_after)) == [b"%d" % i for i in range(last_of_first, 9)]


def test_a_second_writer_is_refused(folder):
    """With one sentence that names the first; when that is gone, it may."""
    first = SpoolWriter.open(folder, 1)
    code = "import sys; from pathlib import Path; from ingest.spool import *; SpoolWriter.open(Path(sys.argv[1]), 1)"
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert f"another receiver (process {os.getpid()}) writes this spool" in done.stderr
    first.close()
    SpoolWriter.open(folder, 1).close()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    """What cannot be written, and why."""
    (tmp_path / "spool").write_bytes(b"")
    with pytest.raises(SpoolError, match="the spool cannot be written"):
        SpoolWriter.open(tmp_path / "spool" / "main", 1)
    taken = tmp_path / "other" / "main"
    (taken / "head").mkdir(parents=True)
    with pytest.raises(SpoolError, match="the spool cannot be written"):
        SpoolWriter.open(taken, 1)


def by_the_book(previous, batch, first_record, rows):
    """The digest as its description says it, value by value."""
    octets = b"hsmtrail batch 1\n" + previous + struct.pack("<QQQ", batch, first_record, len(rows))
    for name in SPOOL_SCHEMA.names[:-1]:
        runs = []
        for row in rows:
            if runs and runs[-1][0] == row[name]:
                runs[-1][1] += 1
            else:
                runs.append([row[name], 1])
        octets += struct.pack(f"<Q{len(runs)}q", len(runs), *(length for _, length in runs))
        octets += described([value for value, _ in runs])
    return hashlib.sha256(octets + described([row["raw"] for row in rows])).digest()


def described(values):
    if all(isinstance(value, (str, bytes)) for value in values):
        texts = [value.encode() if isinstance(value, str) else value for value in values]
        return struct.pack(f"<{len(texts)}I", *map(len, texts)) + b"".join(texts)
    epoch = datetime(1970, 1, 1)
    numbers = [(v - epoch) // timedelta(microseconds=1) if isinstance(v, datetime) else v for v in values]
    return struct.pack(f"<{len(numbers)}q", *(-1 if number is None else number for number in numbers))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "received_at": st.sampled_from([MOMENT, MOMENT + timedelta(microseconds=1)]),
            **{name: st.sampled_from(["", "a", "\u00e9"]) for name in KINDS},
            "peer_port": st.sampled_from([None, 0, 514]),
            "raw": st.binary(max_size=6),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS, st.integers(0, 3))
def test_the_digest_is_what_its_description_says(rows, skipped):
    """Of a slice of a batch too."""
    table = pa.RecordBatch.from_pylist(rows, schema=SPOOL_SCHEMA).slice(min(skipped, len(rows) - 1))
    wanted = by_the_book(b"\7" * 32, 5, 9, rows[min(skipped, len(rows) - 1) :])
    assert digest(b"\7" * 32, 5, 9, table) == wanted


def test_the_digest_can_be_made_again_from_parquet(folder, tmp_path):
    """As a sealed segment will have the rows."""
    table = rows_of(b"one", b"", b"three", port=None)
    pq.write_table(pa.Table.from_batches([table]), tmp_path / "sealed.parquet", compression="zstd")
    (again,) = pq.read_table(tmp_path / "sealed.parquet").to_batches()
    assert digest(FIRST_PREVIOUS, 1, 1, again.cast(SPOOL_SCHEMA)) == digest(FIRST_PREVIOUS, 1, 1, table)


def test_a_head_that_is_half_written_is_not_believed(folder):
    """Its check sum says so."""
    writer = SpoolWriter.open(folder, 1)
    assert read_head(folder) is None
    writer.commit(rows_of(b"one"), {})
    writer.close()
    octets = (folder / "head").read_bytes()
    assert read_head(folder).last_batch == 1
    (folder / "head").write_bytes(octets[:40] + b"\xff" + octets[41:])
    assert read_head(folder) is None
    assert SpoolReader(folder).next_batches() == []
