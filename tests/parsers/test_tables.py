"""The tables: every event, command, policy, role, alarm and return code that is documented has its row."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from parsers import meaning
from parsers.commands import judge
from parsers.meaning import class_of, classes, operation_of_event, result, table
from parsers.shell import read

FACTS = Path(__file__).parent / "facts"
TABLES = ("events", "commands", "policies", "roles", "role_words", "alarms", "return_codes")


def lines(name):
    """The lines of a file of facts, without comments."""
    text = (FACTS / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def rows(name):
    return list(csv.DictReader(lines(name)))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_its_source(name):
    """Who says so is a row of sources.csv, with the address where it can be read."""
    known = {row["source"] for row in table("sources")}
    assert {row["source"] for row in table(name)} <= known


def test_every_source_is_used():
    """A source that nothing comes from is a mistake of typing."""
    used = {row["source"] for name in TABLES for row in table(name)}
    assert used == {row["source"] for row in table("sources")}


@pytest.mark.parametrize("event", lines("events.txt"))
def test_events(event):
    """Every event of the manual's audit categories and of the cloud's actions means something."""
    operation = operation_of_event(event)
    assert operation != "other"
    assert class_of(operation) not in ("", "other")


@pytest.mark.parametrize("row", rows("commands.csv"), ids=lambda row: row["command"])
def test_commands(row):
    """Every command of the manual is known by its own words, in its class, and is no secret to the shell's reader."""
    typed = read(row["command"])
    assert typed.known is not None
    assert not typed.ambiguous
    assert class_of(typed.operation) == row["class"]


@pytest.mark.parametrize("row", rows("policies.csv"), ids=lambda row: f"{row['kind']} {row['number']}")
def test_policies(row):
    """Every number has its wording, and a command that sets it says so."""
    policy = meaning.policies()[row["kind"], int(row["number"])]
    assert policy.wording
    judged = judge(f"{row['kind']} changePolicy -partition p -policy {row['number']} -value 1", 0)
    assert judged.columns["setting"] == f"{row['kind']} policy {row['number']}"
    assert judged.columns["value"] == "1"
    assert judged.details["policy"] == policy.wording


@pytest.mark.parametrize(
    ("kind", "number", "role"),
    [
        ("admin", 0, "admin"),
        ("admin", 1, "so"),
        ("admin", 8, "au"),
        ("application", 1, "po"),
        ("application", 0, "co"),
        ("application", 9, "lco"),
        ("application", 5, "cu"),
    ],
)
def test_role_numbers(kind, number, role):
    """The same number means another role in another kind of partition."""
    assert meaning.role_of(number, "", "login", container=kind == "application") == role


@pytest.mark.parametrize(
    ("word", "role"),
    [
        ("SO", "so"),
        ("HSM SO", "so"),
        ("Administrator", "admin"),
        ("Auditor", "au"),
        ("Partition SO", "po"),
        ("PO", "po"),
        ("Crypto Officer", "co"),
        ("Limited Crypto Officer", "lco"),
        ("Crypto User", "cu"),
        ("CO", "co"),
        ("CU", "cu"),
        ("nobody", ""),
    ],
)
def test_role_words(word, role):
    """Roles by the names that manuals and records use."""
    assert meaning.role_named(word) == role


@pytest.mark.parametrize("row", rows("alarms.csv"), ids=lambda row: row["alarm"])
def test_alarms(parse, row):
    """Every alarm through the kernel's line, whatever its severity."""
    got = parse(f"<6>Nov 23 08:15:01 luna kernel: k7pf0: [HSM] ALM{row['alarm']}: {row['text']}")
    assert (got["family"], got["vendor_event"], got["operation"]) == ("alarm", f"ALM{row['alarm']}", row["operation"])
    assert class_of(got["operation"]) in ("destructive", "availability", "health")


CODES = table("return_codes")


@pytest.mark.parametrize("row", [row for row in CODES if row["family"] != "MSG"], ids=lambda row: row["name"])
def test_return_codes(row):
    """Each code by name and by number: how it ended and whether a counter went up."""
    number = int(row["code_unsigned"])
    assert number == int(row["code_hex"], 16) == int(row["code_signed"]) % 2**32
    named, numbered = result(row["name"], None), result(None, number)
    assert (named.number, named.outcome, named.strike) == (number, row["outcome"], row["strike"] == "true")
    assert (numbered.outcome, numbered.strike) == (named.outcome, named.strike)
    assert row["outcome"] == ("ok" if number == 0 else "failed")
    assert result(row["name"], number).trouble == ""


@pytest.mark.parametrize("name", [row["name"] for row in CODES if row["family"] == "MSG"])
def test_messages_of_the_module(name):
    """The module's own messages are events."""
    assert operation_of_event(name) != "other"


STRIKES = lines("strikes.txt")


def test_strikes_are_wrong_secrets_and_nothing_else():
    """Trouble with a PED, an empty or too short input, a running lockout or another login are no strikes."""
    assert sorted(row["name"] for row in CODES if row["strike"] == "true") == sorted(STRIKES)


def test_codes_that_count_are_all_there():
    """As many as the vendor's list has: 434 of the firmware, 134 of the appliance, 56 messages, 260 of the library."""
    counts = {family: sum(row["family"] == family for row in CODES) for family in ("LUNA_RET", "RC", "MSG", "CKR")}
    assert counts == {"LUNA_RET": 434, "RC": 134, "MSG": 56, "CKR": 260}


def test_operations_are_the_contract_s():
    """Every operation that a table names has a class."""
    for name in ("events", "commands", "alarms"):
        assert {row["operation"] for row in table(name)} <= classes().keys()


def test_other_is_only_what_no_word_fits():
    """A command of class other is listed here by hand, so that none slips in."""
    other = {row["command"] for row in table("commands") if row["operation"] == "other"}
    assert other == set(lines("other_commands.txt"))


SHORT = [
    ("hsm changep -po 15 -v 1", "hsm changepolicy"),
    ("hsm changepo -policy 15 -value 1", "hsm changepolicy"),
    ("hsm fac -f", "hsm factoryreset"),
    ("hs z", "hsm zeroize"),
    ("par del -par p1", "partition delete"),
    ("client assign -c a -p p1", "client assignpartition"),
    ("cl rev -c a -p p1", "client revokepartition"),
    ("ntls ip d", "ntls ipcheck disable"),
    ("sysl rem a -h 192.0.2.9", "syslog remotehost add"),
    ("syslog cl", "syslog cleanup"),
    ("syslog ta -l messages -e 200000 -search ALM", "syslog tail"),
    ("syslog ta", "syslog ta"),
    ("syslog tai -l messages -e 200000 -search ALM", "syslog tail"),
    ("au se e", "audit secret export"),
    ("sysc app reb", "sysconf appliance reboot"),
    ("ser sto ntls", "service stop"),
]


@pytest.mark.parametrize(("typed", "name"), SHORT)
def test_shortcuts(typed, name):
    """By unique prefix, in any case; what stays ambiguous keeps its words."""
    assert judge(typed, 0).columns["command"] == judge(typed.upper(), 0).columns["command"] == name


def test_every_command_by_its_shortest_unique_prefixes():
    """Each word cut to what sets it apart from its neighbours means the same command."""
    names = [row["command"].split() for row in table("commands")]
    for words in names:
        short = []
        for depth, word in enumerate(words):
            beside = {other[depth] for other in names if other[:depth] == words[:depth] and len(other) > depth}
            lengths = (n for n in range(1, len(word)) if sum(one.startswith(word[:n]) for one in beside) == 1)
            short.append(word[: next(lengths, len(word))])
        typed = read(" ".join(short))
        assert typed.known, (words, short)
        assert typed.name == " ".join(words)


def test_settings_are_complete():
    """A command that changes configuration, or logging, says which setting; the ones that cannot are listed."""
    silent = {
        row["command"]
        for row in table("commands")
        if class_of(row["operation"]) in ("config", "logging") and not row["setting"]
    }
    assert silent == set(lines("commands_without_setting.txt"))


def test_tables_are_plain():
    """No row twice, no blank at an end, no name in two spellings."""
    for name, key in (("events", "event"), ("commands", "command"), ("alarms", "alarm"), ("role_words", "word")):
        keys = [row[key] for row in table(name)]
        assert len(keys) == len(set(keys))
    for name in TABLES:
        assert not [cell for row in table(name) for cell in row.values() if cell != cell.strip()]
    assert not [row["command"] for row in table("commands") if not re.fullmatch(r"[a-z0-9_ -]+", row["command"])]
    assert json.dumps(table("commands")).isascii()
