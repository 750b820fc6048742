"""A site's own patterns: noticed while the service runs; a broken set is told and leaves the last good one in force."""

import json

import pytest

from hsmtrail.failures import Misuse
from hsmtrail.site_patterns import SitePatterns
from parsers.inventory import Inventory
from support.installation import BASIC, eventually
from support.patterned import PATTERNED, renewed, write_patterns

LINE = "<174>Nov 23 08:15:0{} hsm-1 NTLS[7]: info : 0 : Session renewed : 192.0.2.7/4711\n"
UNKNOWN_KIND = renewed("site-2").replace("{origin:peer}", "{origin:pear}")
WRONG_EXAMPLE = renewed("site-2").replace('source = "192', 'source = "198')


@pytest.fixture
def patterned(site):
    (site.folder / "patterns").mkdir()
    site.write(PATTERNED)
    return site


def bring(site, second):
    (site.folder / f"{second}.log").write_text(LINE.format(second), encoding="utf-8")
    site.command("import", str(site.folder / f"{second}.log"))
    newest = f"SELECT pattern_version AS v FROM records WHERE raw LIKE '%08:15:0{second}%' ORDER BY record_id DESC"
    return site.query(newest)[0]["v"]


def test_a_running_service_takes_what_is_good(patterned):
    """New, then broken, then mended, without a restart; history follows with `reparse` over the same service."""
    patterned.start("work")
    patterned.running("service")
    assert bring(patterned, 1) == ""
    known = patterned.status()["service"]["unknown_forms"]["newest"][0]
    assert (known["form"], known["family"]) == ("info : {number} : Session renewed : {address}/{number}", "ntls")
    write_patterns(patterned, renewed("site-1"))
    eventually(lambda: bring(patterned, 2) == "site-1")
    write_patterns(patterned, UNKNOWN_KIND)
    mistakes = eventually(lambda: patterned.status()["service"]["patterns"]["mistakes"])
    assert "ntls.toml:7: session_renewed: column 53: no such kind: pear" in mistakes[0]
    assert bring(patterned, 3) == "site-1"
    assert "BROKEN" in patterned.command("status").stdout
    refused = patterned.command("reparse", check=False)
    assert (refused.returncode, "session_renewed" in refused.stderr) == (2, True)
    write_patterns(patterned, renewed("site-2"))
    assert patterned.json("reparse")["records"] >= 3
    assert {row["v"] for row in patterned.query("SELECT DISTINCT pattern_version AS v FROM records")} == {"site-2"}
    assert patterned.status()["service"]["patterns"]["mistakes"] == []


@pytest.mark.parametrize("text", [UNKNOWN_KIND, WRONG_EXAMPLE, "family = ", "\udcff"])
def test_a_broken_set_from_the_start_starts_nothing(patterned, text):
    """`work` and `import` say file and line, and exit 2; nothing is stored."""
    write_patterns(patterned, text)
    (patterned.folder / "1.log").write_text(LINE.format(1), encoding="utf-8")
    for words in (("work",), ("check",), ("import", str(patterned.folder / "1.log"))):
        done = patterned.command(*words, check=False)
        assert done.returncode == 2, (words, done.stderr)
        assert "ntls.toml:" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_folder_that_is_not_there_is_said(site):
    """`check` names it."""
    site.write('pattern_folders = ["absent"]\n' + BASIC)
    assert "absent is no folder" in site.command("check", check=False).stderr


def test_the_last_good_set_stays(tmp_path):
    """Whatever comes after it, until it is mended."""
    file = tmp_path / "ntls.toml"
    file.write_text(renewed("site-1"), encoding="utf-8")
    kept = SitePatterns([tmp_path], Inventory(), look_seconds=0)
    first = kept.current()
    for text in (WRONG_EXAMPLE, UNKNOWN_KIND):
        file.write_text(text, encoding="utf-8")
        assert kept.current() is first
        assert "session_renewed" in kept.mistakes[0]
        with pytest.raises(Misuse):
            kept.newest()
    file.write_text(renewed("site-3"), encoding="utf-8")
    assert kept.current() is not first
    assert kept.mistakes == ()


def test_explanations_as_json(patterned):
    """One line on standard input, one object."""
    write_patterns(patterned, renewed("site-1"))
    done = patterned.command("parse", "--explain", "--format", "json", input=LINE.format(1))
    why = json.loads(done.stdout)
    assert (why["known"], why["pattern"], why["version"], why["line"]) == (True, "ntls.session_renewed", "site-1", 7)
    assert why["file"].endswith("patterns/ntls.toml")
