"""What each documented form becomes, and that both engines read it alike."""

# ruff: noqa: ISC004, Q003  (log lines in a table: cut where they are too long, quoted as they come)

import json
import string
import time
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import patterns as pattern_files
from parsers.as_json import json_record
from parsers.batch import Parser
from parsers.columns import PARSED
from parsers.inventory import Device, Inventory
from parsers.reference import parse_line

NOW = datetime(2026, 11, 24, 12)
PATTERNS = pattern_files.load()
INVENTORY = Inventory(
    (Device("hsm-1", ("hsm-1", "192.0.2.11"), ("150718",)), Device("hsm-2", ("192.0.2.12",), ("532018",)))
)
PARSER = Parser(PATTERNS, INVENTORY)


def frame(lines, peer="192.0.2.11", trouble=""):
    return pl.DataFrame(
        {
            "received_at": [NOW] * len(lines),
            "peer": [peer] * len(lines),
            "peer_identity": [""] * len(lines),
            "raw": lines,
            "trouble": [trouble] * len(lines),
        },
        schema={
            "received_at": pl.Datetime("us"),
            "peer": pl.String,
            "peer_identity": pl.String,
            "raw": pl.Binary,
            "trouble": pl.String,
        },
    )


def read(line, peer="192.0.2.11"):
    """One line as `hsmtrail parse` prints it."""
    raw = line if isinstance(line, bytes) else line.encode()
    return json_record(PARSER.parse(frame([raw], peer)).row(0, named=True))


def test_every_example_of_every_pattern_holds():
    """Patterns are data, and each proves itself."""
    assert PATTERNS.check() == []


LUNASH = "<174>Nov 23 08:15:01 hsm-1 lunash [1234]: "
AUDIT = "<158>Nov 23 08:15:01 hsm-1 audit: "
TABLE = [
    (LUNASH + "info : 0 : Command: hsm show  : admin : Console", {
        "family": "lunash", "command": "hsm show", "command_class": "read", "account": "admin", "source": "Console",
        "outcome": "ok", "return_code": 0, "status": "parsed", "device": "hsm-1", "process_id": "1234",
        "event_at": "2026-11-23T08:15:01.000000Z", "event_at_source": "header",
    }),
    (LUNASH + "info : 0 : Command: my file list  : monitor : 192.0.2.100/40847", {
        "command": "my file list", "account": "monitor", "source": "192.0.2.100", "source_port": 40847}),
    (LUNASH + "info : 0 : Lush user login : monitor : 192.0.2.100/4084", {
        "operation": "login", "account": "monitor", "outcome": "ok", "command_class": "session"}),
    (LUNASH + "HSM Admin Login: incorrect password or PED key", {
        "operation": "login", "outcome": "failed", "role": "so", "strike": True}),
    (LUNASH + "HSM Admin Login: HSM Zeroized due to three consecutive bad login attempts.", {
        "operation": "zeroize", "outcome": "ok", "role": "so", "command_class": "destructive"}),
    (LUNASH + "info : 0 : Command: hsm changep -po 15 -v 1  : admin : Console", {
        "command": "hsm changepolicy", "operation": "policy_set", "setting": "hsm policy 15", "value": "1"}),
    (LUNASH + "info : 0 : Command: ntls ipcheck disable  : admin : Console", {
        "operation": "ipcheck_set", "setting": "ipcheck", "value": "off", "command_class": "config"}),
    (LUNASH + "info : 0 : Command: syslog remotehost add -host 192.0.2.20 -protocol tcp -port 514  : admin : Console", {
        "operation": "log_target_add", "value": "added", "command_class": "logging"}),
    (AUDIT + "5,26/11/23 08:15:14,S/N 150718 session 1 Access 2147483651:2669 SO container operation LUNA_CREATE_CONTAINER"
     " returned RC_OK(0x00000000) container=20 (using PIN (entry=LUNA_ENTRY_DATA_AREA))", {
        "family": "hsm_audit", "audit_sequence": 5, "hsm_serial": "150718", "session": 1, "access_major": 2147483651,
        "access_minor": 2669, "vendor_event": "LUNA_CREATE_CONTAINER", "return_name": "RC_OK", "return_code": 0,
        "partition": "20", "entry": "LUNA_ENTRY_DATA_AREA", "operation": "partition_create", "outcome": "ok",
        "event_at": "2026-11-23T08:15:14.000000Z", "event_at_source": "record"}),
    (AUDIT + "prefix^6,26/11/23 08:15:14,S/N 150718 session 1 Access 1:2 SO operation LUNA_LOGIN returned"
     " LUNA_RET_UM_PIN_INCORRECT(0x00A00000)", {
        "operation": "login", "outcome": "failed", "strike": True, "role": "so", "return_code": 0x00A00000}),
    ("38,12/08/13 15:30:50,session 1 Access 2147483651:22621 operation LUNA_CREATE_CONTAINER returned"
     " LUNA_RET_SM_UNKNOWN_TOSM_STATE(0x00300014) (using PIN (entry=LUNA_ENTRY_DATA_AREA)),"
     "29C51014B6F131EC67CF48734101BBE301335C25F43EDF8828745C40755ABE25,"
     "2600001003600B00EA552950140030005D580000030000800100000000000000000000000000000000000000", {
        "audit_sequence": 38, "return_code": 0x00300014, "outcome": "failed", "event_at_source": "raw_block",
        "event_at": "2012-08-13T19:30:50.000000Z"}),
    ("<86>Nov 23 08:15:01 hsm-1 sshd[9]: Failed password for invalid user x from 203.0.113.7 port 4711 ssh2", {
        "family": "sshd", "operation": "login", "outcome": "failed", "account": "x", "source": "203.0.113.7", "source_port": 4711}),
    ("<86>Nov 23 08:15:01 hsm-1 sshd[9]: Accepted password for admin from 192.0.2.100 port 51286 ssh2", {
        "operation": "login", "outcome": "ok", "account": "admin"}),
    ("<174>Nov 23 08:15:01 hsm-1 NTLS[8508]: info : 0xc0000711 : Fail to establish a secure channel with client :"
     " 192.0.2.2/59415 : RC_SSL_FAILED_HANDSHAKE", {
        "family": "ntls", "outcome": "failed", "return_code": 0xC0000711, "source": "192.0.2.2", "source_port": 59415}),
    ("<6>Nov 23 08:15:01 hsm-1 kernel: k7pf0: [HSM] ALM2006: HSM decommissioned by FW", {
        "family": "alarm", "vendor_event": "ALM2006", "operation": "decommission"}),
    ("2026 Nov 23 12:05:01 hsm-1  local5 info  lunash [1234]: info : 0 : Command: hsm show  : admin : Console", {
        "facility": 21, "severity": 6, "host": "hsm-1", "program": "lunash", "command": "hsm show"}),
    ("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\"] text", {
        "facility": 20, "severity": 5, "host": "mymachine.example.com", "program": "evntslog", "message_id": "ID47",
        "structured_data": {"exampleSDID@32473": {"iut": "3"}}, "message": "text"}),
    ("<174>2026-11-23T08:15:01.5+01:00 hsm-1 lunash[7]: info : 0 : Lush user login : admin : Console", {
        "sent_at": "2026-11-23T07:15:01.500000Z", "operation": "login"}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "wanted"), TABLE, ids=[str(number) for number in range(len(TABLE))])
def test_documented_forms(line, wanted):
    """Each gives the fields that it documents."""
    got = read(line)
    assert {key: got.get(key) for key in wanted} == wanted, got


@pytest.mark.parametrize(
    ("line", "trouble"),
    [(b"", "empty"), (b"<191>", None), (b"<999>Nov 23 08:15:01 h p: x", None), (b"\x00\xff\xfe", None)],
)
def test_nothing_is_dropped(line, trouble):
    """Whatever came is a record with its raw text; what is not text is spelt out."""
    got = PARSER.parse(frame([line])).row(0, named=True)
    assert got["status"] in ("partial", "unparsed")
    assert got["event_at"] is not None
    if trouble:
        assert trouble in got["trouble"]
    if b"\xff" in line:
        assert got["raw"] == "\\x00\\xff\\xfe"


@pytest.mark.parametrize(
    "option", ["-password", "-pin", "-newpw", "-challenge", "-domain", "-secret", "-pas", "-PASSWORD"]
)
def test_secrets_of_commands_are_masked_everywhere(option):
    """The value of an option that may hold one is *** in every column."""
    got = read(LUNASH + f"info : 0 : Command: hsm login {option} hunter2  : admin : Console")
    assert "hunter2" not in json.dumps(got)
    assert "***" in got["raw"]


def test_witnesses_that_disagree_are_trouble():
    """A serial of one device from the address of another: the serial wins, and it is said."""
    got = read(TABLE[8][0], peer="192.0.2.12")
    assert got["device"] == "hsm-1"
    assert "device" in got["trouble"]


LINES = [line for line, _ in TABLE]
ALPHABET = string.printable + "\x00\x1b\u202eé"
mutated = st.builds(
    lambda line, place, text, cut: (line[: place % len(line)] + text + line[place % len(line) + cut :]).encode(),
    st.sampled_from(LINES),
    st.integers(0, 400),
    st.text(ALPHABET, max_size=6),
    st.integers(0, 5),
)
lines = st.lists(
    st.one_of(st.sampled_from(LINES).map(str.encode), mutated, st.binary(max_size=60)), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(lines)
def test_both_engines_read_alike(batch):
    """Lines in bulk give what each gives alone by the reference grammar, however strange they are."""
    parsed = PARSER.parse(frame(batch))
    assert parsed.columns == list(PARSED)
    for raw, row in zip(batch, parsed.iter_rows(named=True), strict=True):
        assert row == parse_line(raw, NOW, "192.0.2.11", PATTERNS, INVENTORY), raw


def test_blanks_in_a_row_cost_time_once(patterns):
    """Whatever a pattern wants behind free text, thousands of blanks before a word that fits nothing are read in order."""
    slowest = 0.0
    for pattern in patterns.all:
        example = pattern.examples[0].message
        for message in (f"{example}{' ' * 20_000}x", f"{example} {' ' * 20_000}", f"{' ' * 20_000}{example}"):
            began = time.process_time()
            pattern.captures(message)
            slowest = max(slowest, time.process_time() - began)
    assert slowest < 0.3


def test_blanks_in_a_row_change_nothing(patterns):
    """The way that many blanks are read gives what the usual way gives."""
    for pattern in patterns.all:
        for example in pattern.examples:
            for message in (example.message, f"{example.message}  ", f"  {example.message}", f"{example.message} x"):
                assert pattern._captures_in_linear_time(message) == pattern.captures(message), message
