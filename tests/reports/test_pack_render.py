"""The pack as files: inert, accessible, the same to the byte."""

import base64
import hashlib
import json
import os
import re
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from reports import period
from reports.pack import PackSettings, make_pack
from reports.render import Previous, as_json, policy, previous_pack, render, style, write_pack
from support.shelf import HOSTILE, MONDAY, RECEIVER, ROOT, WEEK, Shelf

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """What the checks ask of a page: elements in order, each with its attributes and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements = []
        self.open = []
        self.crossed = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "attributes": dict(attrs), "text": "", "inside": [e["tag"] for e in self.open]}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "attributes": dict(attrs), "text": "", "inside": []})

    def handle_endtag(self, tag):
        if self.open.pop()["tag"] != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, *tags):
        return [element for element in self.elements if element["tag"] in tags]


@pytest.fixture(scope="module")
def html(lively, settings):
    """The pack of the lively week, made once: nobody changes it."""
    return render(make_pack(lively.con, WEEK, settings))


@pytest.fixture(scope="module")
def empty_html(settings):
    return render(make_pack(Shelf().con, WEEK, settings))


@pytest.fixture(scope="module", params=["html", "empty_html"])
def page(request):
    return Page(request.getfixturevalue(request.param))


def test_every_element_is_closed(page):
    """Elements nest, none is left open."""
    assert (page.crossed, page.open) == ([], [])


def test_headings(page):
    """There is one h1, and no level is left out on the way down."""
    levels = [int(heading["tag"][1]) for heading in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables(page):
    """Every table has a caption, every header cell says what it is the header of."""
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(c["text"].strip() for c in page.all("caption"))
    assert {cell["attributes"].get("scope") for cell in page.all("th")} <= {"col", "row", "rowgroup"}


def test_pictures_speak(page):
    """Every picture has a role and a title in words."""
    pictures = page.all("svg")
    assert {picture["attributes"].get("role") for picture in pictures} <= {"img"}
    titles = [title for title in page.all("title") if "svg" in title["inside"]]
    assert len(titles) == len(pictures)
    assert all(title["text"].strip() for title in titles)


def test_names_of_places(page):
    """The language is said, no id is used twice, every link leads somewhere, every section is named by a heading."""
    assert page.all("html")[0]["attributes"]["lang"] == "en"
    ids = [e["attributes"]["id"] for e in page.elements if "id" in e["attributes"]]
    assert len(ids) == len(set(ids))
    assert {link["attributes"]["href"] for link in page.all("a")} <= {f"#{name}" for name in ids}
    assert {section["attributes"]["aria-labelledby"] for section in page.all("section")} <= set(ids)
    assert [len(page.all(tag)) for tag in ("header", "main", "footer")] == [1, 1, 1]


def test_nothing_runs_and_nothing_loads(page):
    """No script, no frame, no form, no address, no inline style, no event handler."""
    known = (
        "html head meta title style body header main footer section article h1 h2 h3 p dl div dt dd span b a em ul li code "
        "time table caption thead tbody tr th td svg rect line text circle"
    )
    assert {element["tag"] for element in page.elements} <= set(known.split())
    names = {name for element in page.elements for name in element["attributes"]}
    assert not {name for name in names if name.startswith("on")} | (names & {"style", "src", "srcset", "action"})
    assert all(link["attributes"]["href"].startswith("#") for link in page.all("a"))
    assert "://" not in style()
    assert "@import" not in style()
    assert "url(" not in style()


def test_the_policy_knows_the_one_style_sheet(page):
    """The policy allows nothing but the style sheet whose hash it holds."""
    (sheet,) = page.all("style")
    digest = base64.b64encode(hashlib.sha256(sheet["text"].encode()).digest()).decode()
    wanted = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    metas = [meta["attributes"] for meta in page.all("meta")]
    assert {"http-equiv": "Content-Security-Policy", "content": wanted} in metas
    assert policy() == wanted


@pytest.mark.parametrize(
    "hostile", ["<script", "<img", "<b>silent", "</style><style>", "\x00", "\x1b", "\u202e", "\u200b", "\r"]
)
def test_hostile_text_is_inert(html, hostile):
    """Nothing that came over the network is markup, and nothing of it is hidden."""
    assert hostile not in html


@pytest.mark.parametrize(
    "shown",
    [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        '<span class="shown">\\u202e</span>tset',
        "{{ 7 * 7 }} {% raw %} &lt;/style&gt;",
        '<span class="shown">\\u000d</span><span class="shown">\\u000a</span>Subject: forged',
        "… 98\u202f000 more",
        "&amp;lt;b&amp;gt;",
        "\\x00",
    ],
)
def test_hostile_text_is_shown(html, shown):
    """What came over the network can be read as it came."""
    assert shown in html


def test_hostile_text_everywhere(shelf, settings):
    """Text from the network is inert in every column that a pack prints."""
    for place, text in enumerate(HOSTILE):
        name = text[:3000]
        words = dict.fromkeys(("account", "source", "command", "setting", "value", "partition", "client"), name)
        shelf.device(name, expects=[name])
        record = shelf.act(
            MONDAY, name, device=name, family=name, program=name, listener=name, peer=name, raw=text, **words
        )
        shelf.strike(MONDAY, device=name, role=name, partition=name)
        shelf.line(MONDAY, family="sshd", operation="login", outcome="failed", device=name, source=name, account=name)
        shelf.line(
            MONDAY, status="unparsed", trouble=name, device=name, program=name, transport=name, pattern_version=name
        )
        shelf.line(MONDAY, family="hsm_audit", audit_sequence=place, device=name, hsm_serial=name)
        shelf.custody(MONDAY, 5, listener=name, refused=1, refused_reasons={name: 1})
        shelf.window(MONDAY, WEEK.end, name, device=name)
        finding = {
            "detector": name,
            "title": name,
            "subject": name,
            "severity": name,
            "owner": name,
            "columns": {name: name},
        }
        shelf.finding(MONDAY, [record], change_ticket=name, **finding)
        shelf.finding(MONDAY, [record], state="closed", disposition=name, **finding)
    html = render(make_pack(shelf.con, WEEK, settings))
    page = Page(html)
    assert (page.crossed, page.open) == ([], [])
    assert not re.search(r"<(script|img|b>silent)|\x00|\x1b|\u202e|\u200b|\r", html)
    assert len(page.all("style")) == 1
    assert {part for e in page.all("article") for part in e["attributes"]["class"].split()} == {"finding", "info"}


def test_templates_trust_nothing():
    """No template marks text as safe or switches escaping off; markup is made in charts.py and text.py alone."""
    folder = Path(str(files("reports")))
    for template in (folder / "templates").glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape|Markup", template.read_text(encoding="utf-8")), template.name
    makers = [code.name for code in folder.rglob("*.py") if "Markup(" in code.read_text(encoding="utf-8")]
    assert sorted(makers) == ["charts.py", "text.py"]


def test_a_printed_pack_is_a_form(html):
    """Each finding can be decided on paper, and the pack ends with a sign-off."""
    assert html.count("☐ expected ☐ fixed ☐ incident ☐ false alarm") == 3
    assert "☐ clean ☐ clean with exceptions ☐ incident ☐ evidence insufficient" in html


def test_many_findings_and_one_device(shelf, settings):
    """500 findings of one device make a pack that lists the worst and counts the rest."""
    shelf.device("hsm-ams-1")
    shelf.every(1, MONDAY, MONDAY + timedelta(minutes=500))
    shelf.con.execute("BEGIN")
    for place in range(1, 501):
        shelf.finding(MONDAY, [RECEIVER + place])
    shelf.con.execute("COMMIT")
    html = render(make_pack(shelf.con, WEEK, settings))
    assert html.count("<article") == 100
    assert "400 more open findings of the same or a lower severity" in html


def test_the_data_beside_the_page(lively, settings):
    """The JSON holds the same figures; times are UTC with microseconds."""
    pack = make_pack(lively.con, WEEK, settings)
    data = json.loads(as_json(pack))
    assert data["verdict"] == pack.verdict
    assert data["period"]["name"] == "2026-W47"
    assert data["period"]["begin"] == "2026-11-16T00:00:00.000000Z"
    assert [f["row"]["id"] for f in data["findings"]["open"]] == [f.row.id for f in pack.findings.open]
    assert len(data["privileged"]["acts"]) == len(pack.privileged.acts)


def test_three_files_of_their_owner(lively, settings, tmp_path):
    """HTML, JSON and manifest lie in the folder, named by the period, for their owner alone, and nothing else does."""
    made = write_pack(make_pack(lively.con, WEEK, settings), tmp_path / "packs")
    assert sorted(file.name for file in (tmp_path / "packs").iterdir()) == [
        "2026-W47.html",
        "2026-W47.json",
        "2026-W47.manifest.json",
    ]
    assert {file.stat().st_mode & 0o777 for file in (made.html, made.json, made.manifest)} == {0o600}
    assert (tmp_path / "packs").stat().st_mode & 0o777 == 0o700
    assert made.sha256 == hashlib.sha256(made.html.read_bytes()).hexdigest()


def test_made_twice_it_is_the_same_to_the_byte(lively, settings, tmp_path):
    """Two packs of one store, in two folders, have the same three files; so has one that is written over itself."""
    first = write_pack(make_pack(lively.con, WEEK, settings), tmp_path / "first")
    before = [file.read_bytes() for file in (first.html, first.json, first.manifest)]
    for folder in ("second", "first"):
        again = write_pack(make_pack(lively.con, WEEK, settings), tmp_path / folder)
        assert [file.read_bytes() for file in (again.html, again.json, again.manifest)] == before


def test_the_manifest_names_everything(lively, settings, tmp_path):
    """The manifest has digests, versions, the chain's head, and every question with its hash and what was bound."""
    made = write_pack(make_pack(lively.con, WEEK, settings), tmp_path)
    manifest = json.loads(made.manifest.read_text(encoding="utf-8"))
    html = made.html.read_bytes()
    assert manifest["files"]["2026-W47.html"] == {"sha256": hashlib.sha256(html).hexdigest(), "bytes": len(html)}
    assert manifest["files"]["2026-W47.json"]["sha256"] == hashlib.sha256(made.json.read_bytes()).hexdigest()
    assert manifest["chain"][0]["sha256"] == "3f9a" * 16
    assert [row["id"] for row in manifest["detectors"]] == ["AUTH-01", "PRIV-03"]
    assert (manifest["hsmtrail"], manifest["patterns"]["set"], manifest["previous"]) == ("0.1.0", "7", None)
    asked = {row["query"] for row in manifest["queries"]}
    assert {"counts", "channels", "findings", "ladders", "privileged", "drift", "evidence"} <= asked
    assert all(re.fullmatch("[0-9a-f]{64}", row["sha256"]) for row in manifest["queries"])
    assert {"begin", "end"} <= set(manifest["queries"][0]["parameters"])


def test_every_query_is_asked(lively, settings):
    """No query file lies about unused: each is a question of the pack, or a part of one."""
    pack = make_pack(lively.con, WEEK, settings)
    parts = {"acts", "tries", "appliance_tries", "observed"}
    assert {file.stem for file in (ROOT / "reports" / "queries").glob("*.sql")} == {a.query for a in pack.asked} | parts


def test_packs_are_chained(lively, settings, tmp_path):
    """A pack names the digest of the pack of the period before, when that lies in the folder."""
    before = write_pack(make_pack(lively.con, WEEK.previous(), settings), tmp_path)
    made = write_pack(make_pack(lively.con, WEEK, settings), tmp_path)
    manifest = json.loads(made.manifest.read_text(encoding="utf-8"))
    assert manifest["previous"] == {"name": "2026-W46", "sha256": before.sha256}
    assert before.sha256 in made.html.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": {"2026-W46.html": 3}}', "\x00"])
def test_a_broken_manifest_of_last_week(tmp_path, content):
    """A manifest that cannot be read is no previous pack, and no error."""
    (tmp_path / "2026-W46.manifest.json").write_text(content, encoding="utf-8")
    assert previous_pack(tmp_path, period.parse_week("2026-W47")) == Previous()


def test_a_write_that_fails_leaves_the_old_pack(shelf, tmp_path, monkeypatch):
    """When the disk refuses, the old file is as it was and no half file lies beside it."""
    pack = make_pack(shelf.con, WEEK, PackSettings())
    made = write_pack(pack, tmp_path)
    old = made.html.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_pack(pack, tmp_path)
    assert made.html.read_bytes() == old
    assert len(list(tmp_path.iterdir())) == 3
