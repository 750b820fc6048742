"""`verify_evidence`: a whole spool has no fault; a byte that is changed anywhere is named with its file and range."""

import os
import random
import shutil

import pytest

from ingest.evidence import batches
from ingest.seal import seal
from ingest.spool import SpoolSettings, SpoolWriter, segments
from ingest.spool_key import make_keys, read_keys
from ingest.verify import verify_evidence
from support.spooled import Receiver

PLACES = 25
"""Changed bytes of each kind of file."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two sealed segments, two that wait to be sealed, one open; and an import that is open."""
    data_dir = tmp_path_factory.mktemp("whole")
    settings = SpoolSettings(segment_bytes=6000, key_file=data_dir / "spool.key")
    receiver = Receiver(data_dir, settings=settings)
    while len(segments(receiver.folder)) < 5:
        receiver.commit(*(b"line %d " % part + os.urandom(20) for part in range(7)))
    receiver.close()
    for first in segments(receiver.folder)[:2]:
        seal(data_dir, "main", first)
    imported = Receiver(data_dir, "import", 0, settings)
    imported.commit(b"one", b"two", listener="import")
    imported.close()
    return data_dir


@pytest.fixture
def site(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "data")
    return tmp_path / "data"


def verified(data_dir):
    return verify_evidence(data_dir, read_keys(data_dir / "spool.key"))


def faults(data_dir):
    return [verdict for verdict in verified(data_dir).verdicts if verdict.is_fault]


def test_a_whole_spool_has_no_fault(whole):
    """And the heads of its chains are said."""
    found = verified(whole)
    assert found.verdicts == []
    assert [(head.name, head.batch >> 48) for head in found.heads] == [("import", 0), ("main", 1)]
    assert len(found.manifest) == 64


KINDS = {
    "open segment": lambda data: max((data / "spool/main").glob("*.arrow")),
    "segment that waits": lambda data: min((data / "spool/main").glob("*.arrow")),
    "head": lambda data: data / "spool/main/head",
    "sealed": lambda data: min((data / "archive").rglob("*.parquet")),
    "newest sealed": lambda data: max((data / "archive").rglob("*.parquet")),
    "manifest": lambda data: data / "archive/manifest.jsonl",
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_byte_is_named(site, kind):
    """At random places, and at the first and the last: file and range; nothing else is accused."""
    path = KINDS[kind](site)
    octets, chance = path.read_bytes(), random.Random(kind)
    place = path.relative_to(site).as_posix()
    for at in (0, len(octets) - 1, *(chance.randrange(len(octets)) for _ in range(PLACES))):
        changed = bytearray(octets)
        changed[at] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        found = faults(site)
        assert [verdict for verdict in found if verdict.file == place and verdict.begin <= at < verdict.end], (
            at,
            found,
        )
        others = {verdict.file for verdict in found} - {place}
        assert all(kind == "manifest" and other.endswith(".parquet") for other in others), (at, found)
    path.write_bytes(octets)
    assert faults(site) == []


def test_a_torn_tail_is_a_note(site):
    """What follows the last published batch is not evidence yet."""
    path = KINDS["open segment"](site)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"half a batch")
    (verdict,) = verified(site).verdicts
    assert (verdict.is_fault, verdict.begin, verdict.end) == (False, size, size + 12)
    assert verdict.file == path.relative_to(site).as_posix()


def test_a_truncated_segment_is_a_fault(site):
    """Of what was published nothing may be missing."""
    for kind in ("open segment", "segment that waits", "sealed"):
        path = KINDS[kind](site)
        octets = path.read_bytes()
        os.truncate(path, len(octets) - 40)
        found = faults(site)
        assert {verdict.file for verdict in found} == {path.relative_to(site).as_posix()}
        assert any(verdict.end >= len(octets) - 40 for verdict in found)
        path.write_bytes(octets)


@pytest.mark.parametrize("kind", ["segment that waits", "sealed", "newest sealed", "open segment", "head"])
def test_a_removed_file_is_a_fault(site, kind):
    """It is named itself, or the batches that it had are."""
    KINDS[kind](site).unlink()
    assert faults(site)


def test_a_removed_end_of_the_archive_is_a_fault(site):
    """File and line together: the batches are missing all the same."""
    KINDS["newest sealed"](site).unlink()
    manifest = KINDS["manifest"](site)
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:-1]))
    (fault,) = faults(site)
    assert "those between are missing" in fault.what


def test_a_chain_made_with_another_key_is_a_fault(site):
    """Whoever rewrites a spool and does not have the key is found out; without the key nothing can be said."""
    folder = site / "spool" / "import"
    shutil.rmtree(folder)
    other = make_keys(site / "other.key")
    forger = Receiver(site, "import", 0, SpoolSettings(key_file=site / "other.key"))
    forger.commit(b"nothing happened", listener="import")
    forger.close()
    (fault,) = faults(site)
    assert fault.file == "spool/import/000000000001.arrow"
    assert other.newest in fault.what
    assert [verdict for verdict in verify_evidence(site, None).verdicts if verdict.is_fault] == []
    with (site / "spool.key").open("a") as file:
        file.write((site / "other.key").read_text())
    assert faults(site) == []  # it is a key of ours now


def test_a_spool_without_macs_is_a_fault(site):
    """Taking them away does not help."""
    shutil.rmtree(site / "spool" / "import")
    forger = Receiver(site, "import", 0, SpoolSettings())
    forger.commit(b"nothing happened", listener="import")
    forger.close()
    (fault,) = faults(site)
    assert "no MAC" in fault.what


def test_a_writer_and_a_sealer_at_work_are_no_fault(site):
    """What they do meanwhile is not accused."""
    writer = SpoolWriter.open(
        site / "spool" / "main", 1, SpoolSettings(segment_bytes=3000, key_file=site / "spool.key")
    )
    table = next(iter(batches(site, "main"))).table
    for _ in range(30):
        writer.commit(table, {})
        assert faults(site) == []
        for first in segments(site / "spool" / "main")[:-1]:
            seal(site, "main", first)
            assert faults(site) == []
    writer.close()


def test_a_spool_that_never_had_a_batch_is_no_fault(site):
    """An import that could not read its file, for example."""
    SpoolWriter.open(site / "spool" / "other", 2).close()
    assert verified(site).verdicts == []
