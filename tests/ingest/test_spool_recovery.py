"""A spool after a kill: at any byte it opens, numbers go on without gap or repeat, and the chain holds."""

import os
import shutil

import pyarrow as pa
import pytest

from ingest.counters import Counted
from ingest.spool import (
    FIRST_PREVIOUS,
    SPOOL_SCHEMA,
    SpoolReader,
    SpoolSettings,
    SpoolWriter,
    batches_of,
    digest,
    read_head,
    segment_path,
    segments,
)

SMALL = SpoolSettings(segment_bytes=3000)


def line(number):
    row = dict.fromkeys(("listener", "transport", "peer", "peer_identity", "trouble"), "x")
    raw = b"line %d " % number + os.urandom(20)
    return pa.RecordBatch.from_pylist([{**row, "raw": raw}] * (1 + number % 3), schema=SPOOL_SCHEMA)


def counted(number):
    return {"tcp": Counted(spooled=number)}


def written(folder, count, settings=SMALL):
    """A spool with `count` batches; its head as it was after each."""
    writer = SpoolWriter.open(folder, 1, settings)
    heads = [(folder / "head").read_bytes()]
    for number in range(count):
        writer.commit(line(number), counted(number + 1))
        heads.append((folder / "head").read_bytes())
    writer.close()
    return heads


def checked(folder):
    """All batches from the first on: no gap, no repeat, every digest chained on the one before."""
    batch, record, previous = 1, 1, FIRST_PREVIOUS
    found = []
    reader = SpoolReader(folder)
    while batches := reader.next_batches():
        for it in batches:
            assert (it.batch, it.first_record) == (1 << 48 | batch, 1 << 48 | record)
            assert it.previous == previous.hex()
            previous = digest(previous, it.batch, it.first_record, it.table)
            assert it.sha256 == previous.hex()
            batch, record = batch + 1, record + it.rows
            found.append(it)
    reader.close()
    return found


def test_reopening_goes_on_in_the_same_segment(tmp_path):
    """Numbers, chain and counters too."""
    folder = tmp_path / "main"
    written(folder, 2, SpoolSettings())
    writer = SpoolWriter.open(folder, 1)
    assert writer.counters == counted(2)
    writer.commit(line(9), counted(3))
    writer.close()
    assert len(checked(folder)) == 3
    assert segments(folder) == [1]


@pytest.mark.parametrize("with_head", [True, False])
def test_a_kill_at_any_byte_of_a_commit(tmp_path, with_head):
    """Cut at every place behind the published head: whole batches stay, a torn one goes, the next has its number."""
    whole = tmp_path / "whole"
    heads = written(whole, 7)
    spots = places(whole)
    for kept in range(1, 7):
        segment, start = spots[kept - 1]
        next_segment, end = spots[kept]
        begin = start if segment == next_segment else 0
        for size in sorted({begin, begin + 1, begin + 4, begin + 8, (begin + end) // 2, end - 9, end - 1, end}):
            folder = killed(whole, tmp_path / f"{kept}-{size}", kept, next_segment, size)
            (folder / "head").write_bytes(heads[kept]) if with_head else (folder / "head").unlink()
            survived = kept + (size == end)
            writer = SpoolWriter.open(folder, 1, SMALL)
            assert writer.last_batch == 1 << 48 | survived
            assert writer.counters == counted(survived)
            writer.commit(line(99), counted(survived + 1))
            writer.close()
            assert len(checked(folder)) == survived + 1


def places(folder):
    """Segment and end of each batch."""
    return [(first, batch.end) for first in segments(folder) for batch in batches_of(segment_path(folder, first))]


def killed(whole, folder, kept, segment, size):
    """The spool as a kill leaves it while batch kept + 1 is being written."""
    shutil.copytree(whole, folder)
    for first in segments(folder):
        if first > kept + 1 or first > segment:
            segment_path(folder, first).unlink()
    os.truncate(segment_path(folder, segment), size)
    return folder


def test_a_tail_without_a_head_is_set_aside(tmp_path):
    """It may be evidence: nothing is cut that no head disowns."""
    folder = tmp_path / "main"
    written(folder, 3, SpoolSettings())
    last = segment_path(folder, 1)
    tail = b"half a batch"
    last.write_bytes(last.read_bytes() + tail)
    (folder / "head").unlink()
    SpoolWriter.open(folder, 1).close()
    assert (folder / "000000000001.arrow.torn").read_bytes() == tail
    assert len(checked(folder)) == 3


def test_a_lost_head_is_made_again(tmp_path):
    """The same one."""
    folder = tmp_path / "main"
    written(folder, 5)
    before = read_head(folder)
    (folder / "head").unlink()
    SpoolWriter.open(folder, 1).close()
    assert read_head(folder) == before


def test_published_numbers_are_never_used_again(tmp_path, caplog):
    """A damaged end leaves a gap, said aloud, not two batches with one number; and the file stays as it is."""
    folder = tmp_path / "main"
    written(folder, 4, SpoolSettings())
    path = segment_path(folder, 1)
    os.truncate(path, path.stat().st_size - 30)
    damaged = path.read_bytes()
    writer = SpoolWriter.open(folder, 1)
    assert "published_batches_missing" in caplog.text
    assert writer.counters == counted(3)
    done = writer.commit(line(9), counted(4))
    writer.close()
    assert done.batch == 1 << 48 | 5
    assert path.read_bytes() == damaged
    assert segments(folder) == [1, 5]


def test_a_flipped_bit_is_no_batch_to_go_on_from(tmp_path):
    """The digest says so when the head is gone; the batches before it stand."""
    folder = tmp_path / "main"
    written(folder, 4, SpoolSettings())
    (folder / "head").unlink()
    path = segment_path(folder, 1)
    last = places(folder)[2][1]
    octets = bytearray(path.read_bytes())
    at = octets.index(b"line 3", last)
    octets[at] ^= 1
    path.write_bytes(octets)
    writer = SpoolWriter.open(folder, 1)
    assert writer.last_batch == 1 << 48 | 3
    writer.close()
    assert path.with_name("000000000001.arrow.torn").exists()


@pytest.mark.parametrize("octets", [b"", b"garbage", b"\0" * 5000, b"\xff\xff\xff\xff" + b"\x10\0\0\0" * 40])
def test_a_file_that_is_no_segment_is_set_aside(tmp_path, octets):
    """The spool begins anew beside it."""
    folder = tmp_path / "main"
    folder.mkdir()
    segment_path(folder, 1).write_bytes(octets)
    writer = SpoolWriter.open(folder, 1)
    writer.commit(line(1), counted(1))
    writer.close()
    assert len(checked(folder)) == 1
    assert (folder / "000000000001.arrow.torn").exists() == bool(octets)


def test_an_empty_segment_behind_a_good_one_changes_nothing(tmp_path):
    """A kill between making the file and writing into it."""
    folder = tmp_path / "main"
    written(folder, 2, SpoolSettings(segment_bytes=1))
    (folder / "head").unlink()
    segment_path(folder, 3).touch()
    writer = SpoolWriter.open(folder, 1, SpoolSettings(segment_bytes=1))
    writer.commit(line(3), counted(3))
    writer.close()
    assert len(checked(folder)) == 3
