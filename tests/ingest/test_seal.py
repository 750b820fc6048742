"""Sealing: what the spool had is in Parquet, proven by the file alone; and a kill at any moment loses nothing."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import evidence
from ingest.archive import sealed_files
from ingest.archive_manifest import ROOT, ManifestDamaged, lines, read_manifest
from ingest.idle_import import end_idle_import
from ingest.seal import NotSealed, ready, seal
from ingest.sealer import Sealer
from ingest.spool import (
    FIRST_PREVIOUS,
    SPOOL_SCHEMA,
    SpoolError,
    SpoolReader,
    SpoolSettings,
    SpoolWriter,
    digest,
    segments,
)
from ingest.spool_key import read_keys
from support.installation import eventually
from support.spooled import Receiver, utc_now

FIRST = 1 << 48


def filled(data_dir, batches=12, segment_bytes=4000, **more):
    """A spool of several segments, one of its batches without lines; its batches as they are."""
    receiver = Receiver(
        data_dir, settings=SpoolSettings(segment_bytes=segment_bytes, key_file=data_dir / "spool.key"), **more
    )
    for number in range(batches):
        receiver.commit(*(b"line %d.%d \xff\x00 " % (number, part) + os.urandom(9) for part in range(number % 4)))
    receiver.close()
    return whole(data_dir)


def whole(data_dir, name="main"):
    """All batches of the evidence; nothing of it is damaged."""
    found = list(evidence.batches(data_dir, name))
    assert not [one for one in found if isinstance(one, evidence.Damage)]
    return [(one.batch, one.first_record, one.sha256, one.previous, one.committed_at, one.table) for one in found]


def sealer(data_dir, stored=FIRST | 10_000):
    return Sealer(data_dir, lambda: {stored >> 48: stored})


def test_a_sealed_segment_proves_the_chain_alone(tmp_path):
    """From the Parquet files and the key, without spool or manifest: rows, numbers, digests, moments, counters, MACs."""
    filled(tmp_path)
    assert sealer(tmp_path).seal_all() >= 3
    keys = read_keys(tmp_path / "spool.key")
    previous, batch, record = FIRST_PREVIOUS, 1, 1
    for _, path in sorted(sealed_files(tmp_path, "main").items()):
        for row in pq.read_table(path).to_pylist():
            table = pa.RecordBatch.from_pylist(row["lines"], schema=SPOOL_SCHEMA)
            assert (row["batch"], row["first_record"], row["rows"]) == (
                FIRST | batch,
                FIRST | record,
                len(row["lines"]),
            )
            assert row["previous"] == previous.hex()
            previous = digest(previous, row["batch"], row["first_record"], table)
            assert row["sha256"] == previous.hex()
            assert keys.trouble(row) == ""
            assert json.loads(row["counters"])["udp"]["spooled"] == record - 1 + len(row["lines"])
            batch, record = batch + 1, record + row["rows"]
    assert batch > 8


def test_what_was_sealed_reads_as_before(tmp_path):
    """Every reader goes on over the border between archive and spool, from any batch."""
    before = filled(tmp_path)
    sealer(tmp_path).seal_all()
    assert len(segments(tmp_path / "spool" / "main")) == 1
    assert whole(tmp_path) == before
    for after in range(len(before) + 1):
        reader, found = SpoolReader(tmp_path / "spool" / "main", FIRST | after), []
        while more := reader.next_batches(1):
            found += [(one.batch, one.sha256, one.table) for one in more]
        reader.close()
        assert found == [(one[0], one[2], one[5]) for one in before[after:]]


def test_the_manifest_chains_and_names_each_file(tmp_path):
    """Each line holds the digest of the one before, and the SHA-256 of a file that is there."""
    filled(tmp_path)
    sealer(tmp_path).seal_all()
    found, previous = list(lines(read_manifest(tmp_path))), ROOT
    assert len(found) == len(sealed_files(tmp_path, "main"))
    for line in found:
        assert line.previous == previous
        previous = line.digest
        octets = (tmp_path / line.sealed.file).read_bytes()
        assert (line.sealed.bytes, line.sealed.sha256) == (len(octets), hashlib.sha256(octets).hexdigest())
        assert line.sealed.file.startswith(f"archive/main/{utc_now():%Y/%m/}")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "archive").rglob("*")}
    assert modes == {0o600, 0o700}


def test_only_what_is_stored_and_has_ended_is_sealed(tmp_path):
    """The store decides how far; the newest segment stays in the spool, whatever the store has."""
    filled(tmp_path)
    firsts = segments(tmp_path / "spool" / "main")
    for stored, count in (
        (0, 0),
        (firsts[1] - 2, 0),
        (firsts[1] - 1, 1),
        (firsts[2] - 1, 2),
        (10_000, len(firsts) - 1),
    ):
        assert ready(tmp_path, "main", FIRST | stored) == firsts[:count]


def test_a_damaged_segment_stays_where_it_is(tmp_path, caplog):
    """It is said, others are sealed, and nothing of it is removed."""
    filled(tmp_path)
    first, second, *_ = segments(tmp_path / "spool" / "main")
    path = tmp_path / "spool" / "main" / f"{second:012d}.arrow"
    octets = bytearray(path.read_bytes())
    octets[octets.index(b"line ")] ^= 1
    path.write_bytes(octets)
    with pytest.raises(NotSealed, match=r"spool/main/\d+\.arrow: bytes \d+ to \d+: the rows of batch"):
        seal(tmp_path, "main", second)
    assert sealer(tmp_path).seal_all() > 0
    assert "not_sealed" in caplog.text
    assert path.read_bytes() == octets
    assert first not in segments(tmp_path / "spool" / "main")


def test_a_line_without_end_that_nothing_explains_stops_sealing(tmp_path):
    """The manifest is left as it is: the file that the line named has no segment in the spool any more."""
    filled(tmp_path)
    first, second, *_ = segments(tmp_path / "spool" / "main")
    seal(tmp_path, "main", first)
    manifest = tmp_path / "archive" / "manifest.jsonl"
    octets = manifest.read_bytes()[:-1] + b" "
    manifest.write_bytes(octets)
    with pytest.raises(ManifestDamaged, match="hsmtrail verify"):
        seal(tmp_path, "main", second)
    manifest.write_bytes(octets[:-3] + b"xyz\n")
    with pytest.raises(ManifestDamaged, match="hsmtrail verify"):
        seal(tmp_path, "main", second)
    assert second in segments(tmp_path / "spool" / "main")


KILLS = """
import os, shutil, signal, sys
from pathlib import Path
from ingest.seal import seal
from ingest.spool import segments

source, work = Path(sys.argv[1]), Path(sys.argv[2])
first = segments(source / "spool" / "main")[0]

def killed(data_dir, after):
    child = os.fork()
    if not child:
        seen = 0
        def count(frame, event, arg):
            nonlocal seen
            if event in ("c_call", "c_return") and getattr(arg, "__module__", "") == "posix":
                seen += 1
                if seen > after:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.setprofile(count)
        seal(data_dir, "main", first)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

after = 0
while True:
    data_dir = work / str(after)
    shutil.copytree(source, data_dir)
    status = killed(data_dir, after)
    print(after, status, flush=True)
    if status == 0:
        break
    after += 1
"""


@pytest.mark.timeout(300)
def test_a_kill_at_any_system_call_loses_nothing(tmp_path):
    """Before and after each call of the system: all batches can be read, and sealing again ends as if nothing was."""
    source = tmp_path / "source"
    before = filled(source, batches=7)
    seal(source, "main", segments(source / "spool" / "main")[0])  # so that the manifest has a line already
    done = subprocess.run(
        [sys.executable, "-c", KILLS, source, tmp_path / "killed"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    outcomes = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert outcomes[-1][1] == 0, done.stderr
    assert len(outcomes) > 40
    assert {status for _, status in outcomes[:-1]} == {-9}
    for after, _ in outcomes:
        data_dir = tmp_path / "killed" / str(after)
        assert whole(data_dir) == before, after
        sealer(data_dir).seal_all()
        assert whole(data_dir) == before, after
        assert len(segments(data_dir / "spool" / "main")) == 1
        listed = [line.sealed.file for line in lines(read_manifest(data_dir))]
        there = [str(path.relative_to(data_dir)) for path in sealed_files(data_dir, "main").values()]
        assert listed == there
        assert not list((data_dir / "archive").rglob("*.part"))


def test_numbers_go_on_although_the_spool_lost_everything(tmp_path):
    """Head and newest segment are gone: the manifest says which numbers were used."""
    before = filled(tmp_path)
    sealer(tmp_path).seal_all()
    folder = tmp_path / "spool" / "main"
    last = max(batch for batch, *_ in before[: segments(folder)[0] - 1])
    for path in (folder / "head", *folder.glob("*.arrow")):
        path.unlink()
    writer = SpoolWriter.open(folder, 1)
    done = writer.commit(before[0][5], {})
    writer.close()
    assert done.batch == last + 1
    assert len({batch for batch, *_ in whole(tmp_path)}) == last + 1 - FIRST


def test_an_import_that_no_other_followed_is_ended_in_time(tmp_path):
    """A batch without lines begins the next segment, once; then the import can be sealed."""
    settings = SpoolSettings(seal_seconds=3600, key_file=tmp_path / "spool.key")
    receiver = Receiver(tmp_path, "import", 0, settings)
    receiver.commit(b"one", b"two", listener="import")
    assert not end_idle_import(tmp_path, settings)
    receiver.close()
    old = (utc_now() - timedelta(hours=2)).timestamp()
    for path in receiver.folder.glob("*.arrow"):
        os.utime(path, (old, old))
    idle = SpoolSettings(seal_seconds=0.001, key_file=tmp_path / "spool.key")
    assert end_idle_import(tmp_path, idle)
    assert not end_idle_import(tmp_path, idle)
    assert [batch[5].num_rows for batch in whole(tmp_path, "import")] == [2, 0]
    assert ready(tmp_path, "import", 1) == [1]


def test_a_running_sealer_seals_what_ends(tmp_path):
    """While a receiver writes; it stops in the middle without harm."""
    receiver = Receiver(tmp_path, settings=SpoolSettings(segment_bytes=4000, key_file=tmp_path / "spool.key"))
    thread = Sealer(tmp_path, lambda: {1: FIRST | 10_000}, every=0.01)
    thread.start()
    for number in range(40):
        receiver.commit(b"line %d " % number + os.urandom(500))
    eventually(lambda: len(segments(receiver.folder)) == 1)
    thread.stop()
    receiver.close()
    assert [row["raw"][:7] for batch in whole(tmp_path) for row in batch[5].to_pylist()] == [
        b"line %d " % number if number < 10 else b"line %d" % number for number in range(40)
    ]


def test_a_receiver_never_loads_what_sealing_needs():
    """It has 150 MiB in all; Parquet is the service's."""
    code = "import sys, hsmtrail.receiver; sys.exit('pyarrow.parquet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_import_waits_for_who_ends_its_segment(tmp_path):
    """A moment, not for ever."""
    first = SpoolWriter.open(tmp_path / "spool" / "import", 0)
    with pytest.raises(SpoolError, match="another receiver"):
        SpoolWriter.open(tmp_path / "spool" / "import", 0, wait_seconds=0.05)
    threading.Timer(0.1, first.close).start()
    SpoolWriter.open(tmp_path / "spool" / "import", 0, wait_seconds=30).close()
