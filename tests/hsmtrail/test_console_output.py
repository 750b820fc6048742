"""`hsmtrail baseline observe`: console output imported, compared, taken back; wrong files refused by line."""

import hashlib
import json

import pytest

from hsmtrail.api import LARGEST_REQUEST
from hsmtrail.console_files import read_files
from hsmtrail.errands.observations import ObserveConsole
from support.installation import BASIC

DEVICES = """
[[device]]
name = "hsm-1"
hosts = ["luna-1", "192.0.2.11"]
serials = ["534071"]

[[device]]
name = "hsm-2"
hosts = ["luna-2"]
serials = ["534072"]
"""
POLICIES = """[luna-1] lunash:>hsm showPolicies
Serial #:    534071
Firmware:    7.0.3
Allow masking                            {masking}         6            Yes
Allow non-FIPS algorithms                On         12           Yes
Command Result : 0 (Success)
"""
CLIENTS = "[luna-1] lunash:>client list\nregistered client 1: app-1\nCommand Result : 0 (Success)\n"
AT = ("--device", "hsm-1", "--at", "2026-11-23T10:00:00Z")


@pytest.fixture
def here(site):
    site.write(BASIC + DEVICES)
    return site


def write(here, name, text):
    (here.folder / name).write_text(text, encoding="utf-8")
    return name


def observe(here, *words, **kept):
    return here.command("baseline", "observe", *words, "--format", "json", cwd=here.folder, **kept)


def shown(here, *words):
    rows = here.json("baseline", "show", *words)
    return {row["setting"]: row for row in rows if row["verdict"] != "not observed"}


def test_what_a_console_showed_is_the_state(here):
    """With its source and since when; nothing is known before, and what was never seen stays 'not observed'."""
    write(here, "policies.txt", POLICIES.format(masking="On"))
    write(here, "clients.txt", CLIENTS)
    (first, second) = json.loads(observe(here, "policies.txt", "clients.txt", *AT).stdout)
    assert (first["settings"], first["outcome"], first["left_out"], second["id"]) == (3, "new", [], 2)
    state = shown(here, "--device", "hsm-1")
    assert {name: (row["observed"], row["source"], row["observed_at"]) for name, row in state.items()} == {
        name: (value, "observed", "2026-11-23T10:00:00.000000Z")
        for name, value in (
            ("firmware", "7.0.3"),
            ("hsm policy 6", "1"),
            ("hsm policy 12", "1"),
            ("client app-1", "registered"),
        )
    }
    assert shown(here, "--at", "2026-11-23T09:59:59Z") == {}
    unseen = {row["setting"] for row in here.json("baseline", "show") if row["verdict"] == "not observed"}
    assert {"ipcheck", "audit mask", "hsm policy 15"} <= unseen


def test_the_evidence_is_kept_and_the_same_file_again_changes_nothing(here):
    """Digest of the bytes, who and when; a secret in the file is in no table."""
    text = POLICIES.format(masking="Off") + "[luna-1] lunash:>hsm login -password hunter2\nhunter2\n"
    write(here, "policies.txt", text)
    observe(here, "policies.txt", *AT)
    (again,) = json.loads(observe(here, "policies.txt", *AT).stdout)
    assert (again["id"], again["outcome"]) == (1, "known")
    assert "hsm login -password ***" in again["left_out"][0]["text"]
    (row,) = here.json("baseline", "observations")
    assert row["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (row["file"], row["settings"], row["left_out"], "imported_by" in row) == ("policies.txt", 3, 1, True)
    kept = here.json("query", "SELECT * FROM observations")
    assert "Allow masking" in kept[0]["text"]
    assert "hunter2" not in json.dumps(kept)


def test_another_value_later_contradicts_and_is_no_command(here, monkeypatch):
    """What stood before is said beside it, what was approved drifts; the same again only confirms."""
    write(here, "one.txt", POLICIES.format(masking="On"))
    write(here, "two.txt", POLICIES.format(masking="Off"))
    observe(here, "one.txt", *AT)
    here.command("baseline", "approve", "--reason", "set-up")
    observe(here, "two.txt", "--device", "hsm-1", "--at", "2026-11-24T10:00:00Z")
    state = shown(here)
    assert (state["hsm policy 6"]["observed"], state["hsm policy 6"]["before"]) == ("0", "1")
    assert state["hsm policy 12"]["observed_at"].startswith("2026-11-23")
    assert state["hsm policy 12"]["confirmed_at"].startswith("2026-11-24")
    monkeypatch.setenv("COLUMNS", "200")
    table = here.command("baseline", "show").stdout
    assert "observed 2026-11-24 10:00:00, not 1 as before" in table
    assert "observed 2026-11-23 10:00:00, seen again 2026-11-24 10:00:00" in table
    here.command("detectors", "run", "CONF-07")
    (found,) = here.json("findings", "list")
    assert found["subject"] == "hsm policy 6 on hsm-1"
    assert (found["columns"]["approved"], found["columns"]["actual"], found["columns"]["source"]) == (
        "1",
        "0",
        "observed",
    )


def test_a_wrong_file_is_taken_back(here):
    """It counts for nothing at any moment, stays in the list, and can be brought again."""
    write(here, "clients.txt", CLIENTS)
    observe(here, "clients.txt", *AT)
    here.command("baseline", "withdraw", "1", "--reason", "was of hsm-2")
    assert shown(here) == {}
    (row,) = here.json("baseline", "observations")
    assert row["withdrawn_reason"] == "was of hsm-2"
    refused = here.command("baseline", "withdraw", "1", "--reason", "again", check=False)
    assert (refused.returncode, "no observation 1 that counts" in refused.stderr) == (2, True)
    assert json.loads(observe(here, "clients.txt", *AT).stdout)[0]["id"] == 2


def test_all_mistakes_at_once_and_nothing_is_taken(here):
    """Each with its file and line."""
    write(here, "good.txt", CLIENTS)
    write(here, "other.txt", POLICIES.format(masking="On").replace("534071", "534072").replace("luna-1", "luna-2"))
    write(here, "strange.txt", POLICIES.format(masking="On").replace("534071", "999"))
    write(here, "letter.txt", "Dear auditor,\nsee you on Monday.\n")
    write(here, "twice.txt", POLICIES.format(masking="On") + POLICIES.format(masking="Off"))
    write(here, "empty.txt", "")
    (here.folder / "image.txt").write_bytes(b"\x89PNG\n\0")
    (here.folder / "latin.txt").write_bytes(CLIENTS.encode() + b"M\xfcller\n")
    names = ("good", "other", "strange", "letter", "twice", "empty", "image", "latin")
    done = observe(here, *(f"{name}.txt" for name in names), "--device", "hsm-3", "--at", "2999-01-01", check=False)
    assert done.returncode == 2
    for said in (
        "2999-01-01 is still to come",
        "no such device in the configuration: hsm-3",
        "other.txt: line 1: the prompt is that of hsm-2, not of hsm-3",
        "other.txt: line 2: serial number 534072 is that of hsm-2",
        "letter.txt: shows no setting of any known command: line 1: belongs to no command",
        "twice.txt: line 10: hsm policy 6 is '0', in line 4 it is '1'",
        "empty.txt: shows no setting of any known command: it is empty",
        "image.txt: line 1: is not text",
        "latin.txt: line 4: is not text",
    ):
        assert said in done.stderr
    done = observe(here, "strange.txt", "nowhere.txt", *AT, check=False)
    assert "nowhere.txt: cannot be read" in done.stderr
    assert (
        "strange.txt: line 2: serial number 999 is none of hsm-1's"
        in observe(here, "strange.txt", *AT, check=False).stderr
    )
    assert here.json("baseline", "observations") == []


def test_files_that_are_too_large_are_named(here):
    """Alone or together; nothing is sent."""
    (here.folder / "large.txt").write_bytes(b"x" * (300 << 10))
    for number in range(3):
        (here.folder / f"{number}.txt").write_bytes(b"x" * (250 << 10))
    assert "large.txt: larger than 256 KiB" in observe(here, "large.txt", *AT, check=False).stderr
    assert "640 KiB together" in observe(here, "0.txt", "1.txt", "2.txt", *AT, check=False).stderr


def test_the_largest_files_fit_into_a_request(here):
    """As base64 in JSON, and come out of it as they were."""
    for number in range(5):
        (here.folder / f"{number}.txt").write_bytes(bytes([200 + number]) * (128 << 10))
    brought = read_files([here.folder / f"{number}.txt" for number in range(5)])
    errand = ObserveConsole.model_validate({"device": "hsm-1", "at": "2026-11-23", "files": brought})
    sent = json.dumps(errand.model_dump(mode="json"))
    assert len(sent) < LARGEST_REQUEST
    assert [file.content[:1] for file in ObserveConsole.model_validate_json(sent).files] == [
        bytes([200 + n]) for n in range(5)
    ]


def test_utf16_of_powershell_is_text(here):
    """Where its first bytes say so."""
    (here.folder / "clients.txt").write_bytes(CLIENTS.replace("\n", "\r\n").encode("utf-16"))
    assert json.loads(observe(here, "clients.txt", *AT).stdout)[0]["settings"] == 1


def test_hostile_text_is_inert(here):
    """Names that would colour or turn a terminal are no names; quotes and markup stay text."""
    name = "<script>'); DROP TABLE observations; --"
    write(
        here,
        "clients.txt",
        CLIENTS.replace("app-1", name) + "lunash:>client list\nregistered client 2: \x1b]0;x\x07e\u202evil\n",
    )
    done = here.command("baseline", "observe", "clients.txt", *AT, cwd=here.folder)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert set(shown(here)) == {f"client {name}"}
