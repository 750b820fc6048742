"""`hsmtrail detectors`: coverage, and files of the site that are broken."""

import csv
import io
import json
import re
import sys
from pathlib import Path

import pytest

from hsmtrail.config import load
from hsmtrail.desk import open_desk
from support.bench import CHAINS, write_detector
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


def test_a_version_that_differs_from_the_approved_one_shows(site):
    """In `list`, as a note of `check`, and in the pack; approved again it is right again. Without a lock nothing is said."""
    (site.folder / "own").mkdir()
    path = write_detector(site.folder / "own", id="OWN-01")
    site.write('detector_folders = ["own"]\n' + BASIC)
    assert not any(row["version"] for row in site.json("detectors", "list"))
    assert "detectors.lock" not in site.command("check").stdout
    assert "AUTH-01, " in site.command("detectors", "approve", "--all", "--reason", "first look").stdout
    assert {row["version"] for row in site.json("detectors", "list")} == {"approved"}
    write_detector(site.folder / "own", CHAINS + "-- changed\n", id="OWN-01")
    write_detector(site.folder / "own", name="more", id="OWN-02")
    states = {row["id"]: row["version"] for row in site.json("detectors", "list")}
    assert (states["OWN-01"], states["OWN-02"], states["AUTH-01"]) == ("changed", "not approved", "approved")
    checked = site.command("check").stdout
    assert re.search(r"detectors\.lock: OWN-01 \(something\.sql\) was approved by .+, and has changed since", checked)
    assert "detectors.lock: OWN-02 (more.sql) was approved by nobody" in checked
    desk = open_desk(load(site.config))
    notes = {note.id: note.approval for note in desk.pack_settings().detectors}
    desk.db.close()
    assert (notes["OWN-01"], notes["AUTH-01"]) == ("changed", "approved")
    assert (
        site.command("detectors", "approve", "OWN-01", "--reason", 'quotes " and\tmore').stdout == "approved OWN-01\n"
    )
    path.unlink()
    assert "OWN-01 was approved by" in site.command("check").stdout
    assert site.command("detectors", "approve", "--all", "--reason", "all").stdout == "approved OWN-02\n"
    assert site.command("detectors", "approve", "--all", "--reason", "all").stdout == "nothing had changed\n"
    assert "detectors.lock" not in site.command("check").stdout


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[AUTH-01]\nsha256 = \n", "detectors.lock:2: is not TOML"),
        ("[AUTH-01]\ncolour = 'red'\n", "wants a table with sha256, approved_at, approved_by, reason"),
        ("AUTH-01 = 7\n", "wants a table with"),
    ],
)
def test_a_broken_lock_is_a_mistake(site, text, wanted):
    """Told by `check`, with its place; `list` says that nothing is known, and nothing overwrites it."""
    (site.folder / "detectors.lock").write_text(text)
    checked = site.command("check", check=False)
    assert (checked.returncode, wanted in checked.stderr) == (2, True), checked.stderr
    assert {row["version"] for row in site.json("detectors", "list")} == {"not known, since detectors.lock is broken"}
    assert site.command("detectors", "approve", "--all", "--reason", "x", check=False).returncode == 2
    assert (site.folder / "detectors.lock").read_text() == text


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--reason", "x"), "name detectors, or say --all"),
        (("NO-01", "--reason", "x"), "there is no detector NO-01"),
        (("--all", "--reason", " "), "--reason wants a word"),
    ],
)
def test_an_approval_wants_names_and_a_reason(site, words, wanted):
    """And writes nothing without them."""
    done = site.command("detectors", "approve", *words, check=False)
    assert (done.returncode, wanted in done.stderr) == (2, True), done.stderr
    assert not (site.folder / "detectors.lock").exists()


RULE = Path(__file__).parents[1] / "analytics" / "sigma_rules" / "root_over_ssh.yml"


def test_from_sigma_writes_two_files_once(site):
    """Into the folder that is named, under the next id that is free; never over what is there."""
    site.write('detector_folders = ["own"]\n' + BASIC)
    own = site.folder / "own"
    own.mkdir()
    done = site.command("detectors", "from-sigma", str(RULE), "--out", str(own))
    assert [Path(line).name for line in done.stdout.split()] == [
        "root_tries_to_log_in_over_ssh.sql",
        "root_tries_to_log_in_over_ssh.cases.toml",
    ]
    tested = site.command("detectors", "test", "SIGMA-01", check=False)
    assert (tested.returncode, "1 of 2 cases failed" in tested.stderr) == (1, True)
    again = site.command("detectors", "from-sigma", str(RULE), "--out", str(own), check=False)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    other = site.command("detectors", "from-sigma", str(RULE), "--out", str(site.folder / "other"))
    assert 'id         = "SIGMA-02"' in Path(other.stdout.split()[0]).read_text()
    wrong = site.command("detectors", "from-sigma", str(RULE), "--out", str(site.folder), "--id", "x", check=False)
    assert (wrong.returncode, "id wants capital letters" in wrong.stderr) == (2, True)


def test_from_sigma_says_why_and_how(tmp_path, monkeypatch):
    """What has no form, with its line, and no file; without pySigma one line that says how to install it."""
    rule = tmp_path / "rule.yml"
    rule.write_text("title: T\nlogsource: {product: luna}\ndetection:\n  one: {Image: x}\n  condition: one\n")
    done = typed("detectors", "from-sigma", str(rule), cwd=tmp_path)
    assert (done.returncode, "rule.yml:4: no column of these lines is Image" in done.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == [rule]
    monkeypatch.setitem(sys.modules, "sigma.conditions", None)
    monkeypatch.delitem(sys.modules, "analytics.sigma.conditions")
    for name in ("rule", "query_text", "draft"):
        monkeypatch.delitem(sys.modules, f"analytics.sigma.{name}")
    done = typed("detectors", "from-sigma", str(rule), cwd=tmp_path)
    assert done.stderr == 'hsmtrail: from-sigma needs pySigma, which is not installed: pip install "hsmtrail[sigma]"\n'
    assert done.returncode == 1
