"""`hsmtrail detectors`: coverage, and files of the site that are broken."""

import csv
import io
import json

import pytest

from support.bench import write_detector
from support.installation import BASIC
from support.typed import typed


def test_coverage_needs_no_configuration(tmp_path):
    """What is demanded, who serves it, what each detector cannot see: for people, for programs, for spreadsheets."""
    shown = typed("detectors", "coverage", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "28 of 29 are served by a detector" in shown.stdout
    rows = json.loads(typed("detectors", "coverage", "--format", "json", cwd=tmp_path).stdout)
    ipcheck = next(row for row in rows if row["name"] == "1.6")
    assert (ipcheck["kind"], ipcheck["detectors"], ipcheck["logs_show"]) == ("recommendation", ["CONF-02"], "yes")
    cells = list(csv.DictReader(io.StringIO(typed("detectors", "coverage", "--format", "csv", cwd=tmp_path).stdout)))
    assert len(cells) == len(rows)
    assert next(row for row in cells if row["name"] == "AUTH-01")["blind_spots"].endswith(".")


def test_coverage_is_of_the_site(site):
    """What is switched off or cannot be measured here is a gap; a detector of one's own counts."""
    (site.folder / "own").mkdir()
    write_detector(site.folder / "own", id="OWN-01")
    site.write('detector_folders = ["own"]\n' + BASIC + "[detectors.CONF-02]\nenabled = false\n")
    rows = {row["name"]: row for row in site.json("detectors", "coverage")}
    assert rows["1.6"]["detectors"] == []
    assert "OWN-01" in rows["4.2"]["detectors"]
    assert rows["CONF-02"]["otherwise"] == "switched off"
    opened = {row["name"]: row["detectors"] for row in site.json("detectors", "coverage", "--open")}
    assert {"1.6", "7.3", "CONF-02"} <= opened.keys()
    assert not any(opened.values())


@pytest.mark.parametrize(
    "words", [("list",), ("test", "AUTH-01"), ("coverage",), ("show", "AUTH-01")], ids=lambda words: words[0]
)
def test_a_broken_file_is_told_with_its_place(site, words):
    """Whatever is asked of the others: a file that is not in use must not look as if it were not there."""
    (site.folder / "own").mkdir()
    write_detector(site.folder / "own", "SELECT now()", id="OWN-01")
    site.write('detector_folders = ["own"]\n' + BASIC)
    done = site.command("detectors", *words)
    assert "not in use: something.sql:16: now() depends on more than its arguments" in done.stderr
    assert done.stdout
