"""Secrets: every option that can carry one, in every spelling, and none of its value anywhere."""

from __future__ import annotations

import itertools
import json
import time
from datetime import datetime

import pytest

from parsers import line
from parsers.inventory import Inventory
from parsers.masking import is_secret
from parsers.meaning import table
from parsers.shell import read

HEAD = "<174>Nov 23 08:15:01 luna lunash [1234]: info : 0 : Command: "
END = "  : admin : 192.0.2.50/40847"
VALUE = "Hunter2xyzzy"
SECRETS = [
    (row["command"], option.rstrip("*"))
    for row in table("commands")
    for option in row["options"].split()
    if option.endswith("*")
]
NAMES = sorted({option for _, option in SECRETS})
DASHES = ("-", "--", "\u2013", "\u2014", "\u2212")
JOINTS = (" ", "=", " = ", "= ", ":", "  ")
QUOTED = (
    VALUE,
    f'"{VALUE}"',
    f"'{VALUE}'",
    f'"two {VALUE} words"',
    f"'two {VALUE} words'",
    f'"escaped \\" {VALUE}"',
    f"\u201ctwo {VALUE}\u201d",
    f'"never closed {VALUE}',
    f"-{VALUE}",
    f'"a : b : {VALUE}"',
    f"{VALUE}=1",
    f"{VALUE}\u00e9\u202e",
)
COLUMNS = ("raw", "message", "command", "details", "setting", "value", "partition", "client")


def said(patterns, command):
    """All that is kept of a command line."""
    received = line.Received((HEAD + command + END).encode(), datetime(2026, 11, 23, 8, 15, 1))
    got = line.parse(received, patterns, Inventory(), line.Expressions())
    return " | ".join(str(got[name]) for name in COLUMNS)


@pytest.mark.parametrize("command", sorted({command for command, _ in SECRETS}))
def test_every_secret_option_of_every_command(patterns, command):
    """By its whole name and by each shortening of it, with one dash or two, after a blank or an equals sign."""
    for option in (name for owner, name in SECRETS if owner == command):
        shortened = [option[:length] for length in range(1, len(option) + 1)]
        for name, dash, joint in itertools.product(shortened, DASHES[:2], JOINTS[:2]):
            kept = said(patterns, f"{command} {dash}{name}{joint}{VALUE} -force")
            meant = {row for row in options_of(command) if row.startswith(name)}
            if meant & {known for owner, known in SECRETS if owner == command}:
                assert VALUE not in kept, (command, name)


def options_of(command):
    row = next(row for row in table("commands") if row["command"] == command)
    return [option.rstrip("*") for option in row["options"].split()]


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling(patterns, name):
    """Dashes of word processors, any case, any joint, quotes of any kind, blanks and colons inside."""
    command = next(owner for owner, option in SECRETS if option == name)
    for dash, joint, value in itertools.product(DASHES, JOINTS, QUOTED):
        for spelt in (name, name.upper(), name.capitalize()):
            assert VALUE not in said(patterns, f"{command} {dash}{spelt}{joint}{value}"), (dash, joint, value)


NAMED = [name for name in NAMES if is_secret(name, frozenset(), frozenset())]


@pytest.mark.parametrize(
    "name", [*NAMED, "passphrase", "PassWord", "pwfile", "pinpad", "oldPin", "newSecret", "keyvalue"]
)
@pytest.mark.parametrize("command", ["frobnicate the thing", "hsm show", "hsm logi", "par", ""])
def test_commands_that_nobody_knows(patterns, command, name):
    """Newer firmware has other commands: the names of the options are enough."""
    for joint, value in itertools.product(JOINTS, QUOTED):
        assert VALUE not in said(patterns, f"{command} -{name}{joint}{value} -other 1")


@pytest.mark.parametrize("end", ["", " ", "=", " =", ' ""', " ''", '=""', " -force"])
def test_no_value_at_all(parse, end):
    """An option at the end, or with an empty value, hides nothing else and breaks nothing."""
    got = parse(f"{HEAD}hsm login -password{end}{END}")
    assert (got["command"], got["account"], got["status"]) == ("hsm login", "admin", "parsed")
    assert got["details"]["options"]["password"] in (True, "", "***")


@pytest.mark.parametrize(
    "form",
    [
        "2026 Nov 23 08:15:01 luna  local5 info  lunash [1]: info : 0 : Command: {}  : admin : Console",
        "<174>2026-11-23T08:15:01.5Z luna lunash[1]: info : 65535 : Command: {}  : admin : Console",
        "<174>1 2026-11-23T08:15:01Z luna lunash 1 - - info : 0xA00000 : Command: {}  : admin : 2001:db8::7/4711",
        "lunash [1]: info : A00000 : Command: {}  : admin : Console",
        "info : 0 : Command: {}  : admin :",
        "Command: {}",
        "<174>Nov 23 08:15:01 luna lunash [1]: info : 0 : Command: {}  : admin : Console\r\n",
        "<174>Nov 23 08:15:01 luna lunash [1]: something new : Command: {}  : admin : Console",
    ],
)
def test_every_header(parse, form):
    """However the line comes, its secret stays in the spool."""
    for value in QUOTED:
        got = parse(form.format(f"hsm login -password {value}"))
        assert VALUE not in json.dumps(got, ensure_ascii=False)


@pytest.mark.parametrize(
    "command",
    [
        f"hsm login password={VALUE}",
        f"hsm changePw -oldpw {VALUE} -newpw {VALUE}2",
        f"hsm changePw -old={VALUE} -new={VALUE}",
        f"partition createChallenge -partition p1 -cha {VALUE}",
        f"partition backup -par p1 -tokenpw {VALUE} -tokensopwd {VALUE} -dom {VALUE}",
        f"sysconf snmp user add -secname s -authPassword {VALUE} -privPassword {VALUE}",
        f"sysconf snmp trap set -host h -authPwd {VALUE} -privPwd {VALUE}",
        f"sysconf radius addServer -server h -secret {VALUE}",
        f"sysconf ntp addserver 192.0.2.1 -key {VALUE}",
        f"sysconf ntp symmetricauth key add -id 1 -type M -value {VALUE}",
        f"hsm stm recover -randomuserstring {VALUE}",
        f"hsm init -label x -domain {VALUE} -password {VALUE}",
        f"hsm login -password\t{VALUE}",
    ],
)
def test_several_in_one_line(patterns, command):
    """Each of them."""
    assert VALUE not in said(patterns, command)


DISGUISES = (
    "- password {}",
    "-- password {}",
    "password {}",
    "password : {}",
    "password: {}",
    "(password {})",
    "+password {}",
    "/password {}",
    "~password {}",
    '-"password" {}',
    "-'password'={}",
    '"-password" {}',
    '"-password {}"',
    '-pass"word" {}',
    "-password{}",
    "-password, {}",
    "-password -- {}",
    "-pass\u200bword {}",
    "-\u200bpassword {}",
    "\u200b-password {}",
    "-p\u0430ssword {}",
    "-\u0440assword {}",
    "\uff0dpassword {}",
    "-\uff50assword {}",
    "pass\u00adword {}",
    "-password\u00a0{}",
    '-password "" {}',
    "-domain -force {}",
    "{}",
)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize(
    "command", ["hsm login", "hsm init -label x", "role changePw -name co", "partition createChallenge"]
)
def test_typed_wrongly_or_pasted(patterns, command, disguise):
    """A slip of the finger, another alphabet or a character that nobody sees hides the option, never bares the secret."""
    kept = said(patterns, f"{command} {disguise.format(VALUE)} -force")
    assert VALUE.lower() not in kept.lower()


@pytest.mark.parametrize(
    "command",
    [
        "user role add pascal admin",
        "user role add newuser admin",
        "client register -client key -ip 192.0.2.9",
        'client register -client "-old" -ip 192.0.2.9',
        "sysconf ntp addserver 192.0.2.1",
        "partition create -partition pinned",
        "syslog tail -logname secure -search password -entries 9",
    ],
)
def test_names_that_begin_like_secrets(command):
    """Accounts, clients and partitions may be called what they like."""
    assert read(command).masked == command


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("<13>Nov 23 08:15:01 h telemetryd: -password hunter2", "hunter2"),
        ("<86>Nov 23 08:15:01 luna sshd[1]: Failed password for hunter2 from 192.0.2.7 port 4711 ssh2", "hunter2"),
        ("<174>Nov 23 08:15:01 luna NTLS[1]: info : 0 : Incoming connection request... : 192.0.2.7/1", "192.0.2.7"),
        (f"{HEAD}client assignPartition -client app-1 -partition p1{END}", "app-1"),
        (f"{HEAD}user add -username bob{END}", "bob"),
    ],
)
def test_what_is_no_secret_stands(parse, text, stays):
    """Other vendors' text, other programs and other options are not touched."""
    got = parse(text)
    assert got["raw"] == text
    assert stays in got["message"]


def test_a_mask_is_as_long_for_every_secret():
    """The length of a secret is part of it."""
    assert read("hsm login -password a").masked == read("hsm login -password abcdefgh").masked


def test_blanks_without_end_take_no_time(parse):
    """A command of 60,000 blanks was read in seconds; and what is typed with many blanks is masked as ever."""
    blanks = " " * 60_000
    begun = time.process_time()
    parse(f"<174>Nov 23 08:15:01 luna lunash[1]: info : 0 : Command: {blanks}x")
    assert time.process_time() - begun < 1
    got = parse(
        f"<174>Nov 23 08:15:01 luna lunash[1]: info : 0 : Command: hsm login -password y{' ' * 9}: admin : Console"
    )
    assert got["message"].endswith(f"-password ***{' ' * 9}: admin : Console")
