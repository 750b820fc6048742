"""What was sealed is history like any other: a store that lacks it loads it, and `hsmtrail reparse` reads it again."""

import pytest

from hsmtrail import wiring
from hsmtrail.config import load
from hsmtrail.desk import open_store
from ingest.history import Portion, portions
from support.evidence import history, store

COUNT = (
    "SELECT count(*) AS n, count(copy_of) AS copies, bit_xor(hash(record_id, received_at, raw)) AS digest FROM records"
)
SITE_PATTERNS = """
family = "other"
version = "site-1"
programs = ["hsmlogd"]

[[pattern]]
name = "strange_text"
template = "{session:number},26/11/23 08:15:03,S/N 150705 session 162 Access 2147483651:21049 SO op"
operation = "other"
[[pattern.example]]
message = "7,26/11/23 08:15:03,S/N 150705 session 162 Access 2147483651:21049 SO op"
fields = { session = 7 }
"""


@pytest.fixture
def lived(site):
    lines = history(site)
    assert list((site.folder / "data/archive").rglob("*.parquet"))
    return site, lines


def test_a_store_that_is_behind_loads_what_was_sealed(lived):
    """From the first batch on, over the border to the spool."""
    site, lines = lived
    before = site.query(COUNT)[0]
    (site.folder / "data/store.duckdb").unlink()
    store(site)
    assert site.query(COUNT)[0] == before
    assert before["n"] == lines


def test_what_was_sealed_is_read_again(lived):
    """All records, with a changed set of patterns; nothing is missing."""
    site, lines = lived
    (site.folder / "patterns").mkdir()
    (site.folder / "patterns" / "site.toml").write_text(SITE_PATTERNS, encoding="utf-8")
    site.write('pattern_folders = ["patterns"]\n' + site.text)
    before = site.query(COUNT)[0]
    summary = site.json("reparse")
    assert (summary["read"], summary["missing"], summary["records"]) == (lines, 0, lines)
    assert summary["changed"] > 0
    assert site.query(COUNT)[0] == before
    changed = site.query("SELECT count(*) AS n FROM records WHERE pattern LIKE '%.strange_text'")[0]["n"]
    assert changed == summary["changed"] > 0


def test_portions_go_over_the_border(lived):
    """Consecutive, each batch once, from anywhere; what nothing has is an empty portion."""
    site, _ = lived
    data = site.folder / "data"
    first = 1 << 48
    whole = [batch for portion in portions(data, first, first + 10_000, 1) for batch in portion.batches]
    last = whole[-1].batch
    assert [batch.batch for batch in whole] == list(range(first + 1, last + 1))
    assert {batch.segment.split("/")[0] for batch in whole} == {"archive", "spool"}
    for after in (first + 1, first + 5, last - 1):
        found = list(portions(data, after, last, 5000))
        assert [batch.batch for portion in found for batch in portion.batches] == list(range(after + 1, last + 1))
        assert [portion.after_batch for portion in found] == [after, *(portion.last_batch for portion in found[:-1])]
    assert list(portions(data, last, last + 3, 5000)) == [Portion(last, last + 3, ())]
    assert list(portions(data, 7 << 48, 7 << 48 | 2, 5000)) == [Portion(7 << 48, 7 << 48 | 2, ())]


def test_a_running_loader_takes_over_from_the_archive(lived):
    """It goes on with what is spooled meanwhile."""
    site, lines = lived
    configuration = load(site.config)
    (site.folder / "data/store.duckdb").unlink()
    db = open_store(configuration)
    loader = wiring.loader(db, configuration, wiring.site_patterns(configuration), lambda _: None, lambda: None)
    loader.catch_up()
    status = loader.status()
    db.close()
    assert (status.records, status.failed, status.lag_seconds) == (lines, False, 0.0)
