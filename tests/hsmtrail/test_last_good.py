"""A detector's file that is being mended keeps no service down."""

import pytest

from hsmtrail import last_good
from hsmtrail.config import load
from hsmtrail.failures import Misuse
from support.bench import CHAINS, write_detector


@pytest.fixture
def configuration(tmp_path):
    """A site with a folder of its own detectors, which is empty yet."""
    (tmp_path / "detectors").mkdir()
    (tmp_path / "data").mkdir()
    path = tmp_path / "hsmtrail.toml"
    path.write_text('data_dir = "data"\ndetector_folders = ["detectors"]\n', encoding="utf-8")
    return load(path)


def site(configuration, query=CHAINS, **header):
    return write_detector(configuration.path.parent / "detectors", query, id="SITE-01", **header)


def test_what_is_broken_goes_on_as_it_was(configuration, caplog):
    """The mistake is told with its place; mended, the file is in force again."""
    site(configuration)
    before = last_good.detectors(configuration).get("SITE-01")
    site(configuration, "SELECT nonsense")
    broken = last_good.detectors(configuration)
    assert broken.get("SITE-01").text == before.text
    assert [mistake.file for mistake in broken.mistakes][:1] == ["something.sql"]
    assert "detectors_broken" in caplog.text
    site(configuration, CHAINS + "-- mended\n")
    mended = last_good.detectors(configuration)
    assert not mended.mistakes
    assert mended.get("SITE-01").text.endswith("-- mended\n")


@pytest.mark.parametrize("header", ["SELECT 1", "/* id = */ SELECT 1"])
def test_a_file_that_does_not_even_say_its_name_goes_on_too(configuration, header):
    """It is known by its path."""
    path = site(configuration)
    last_good.detectors(configuration)
    path.write_text(header, encoding="utf-8")
    assert last_good.detectors(configuration).get("SITE-01")


def test_what_was_never_without_a_mistake_starts_nothing(configuration):
    """Whoever starts it the first time is there to read why."""
    site(configuration, "SELECT nonsense")
    with pytest.raises(Misuse, match=r"something\.sql"):
        last_good.detectors(configuration)


def test_a_new_file_that_is_broken_is_left_out(configuration):
    """And one that was taken away does not come back for it."""
    old = site(configuration)
    last_good.detectors(configuration)
    old.unlink()
    write_detector(configuration.path.parent / "detectors", "SELECT nonsense", name="new", id="SITE-02")
    found = last_good.detectors(configuration)
    assert (found.get("SITE-01"), found.get("SITE-02")) == (None, None)
    assert found.get("AUTH-01")


def test_a_changed_file_is_told(configuration, caplog):
    """Changed, new or gone since it was last in force; not when all is as it was."""
    caplog.set_level("INFO")
    last_good.detectors(configuration)
    assert "detectors_changed" not in caplog.text
    path = site(configuration)
    for text in (CHAINS, CHAINS + "-- more\n"):
        site(configuration, text)
        last_good.detectors(configuration)
        last_good.detectors(configuration)
    path.unlink()
    last_good.detectors(configuration)
    told = [record.facts["files"] for record in caplog.records if record.message == "detectors_changed"]
    assert told == [[str(path)]] * 3
