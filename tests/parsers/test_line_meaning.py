"""What lines mean: roles, strikes, devices, raw blocks, masking, and lines that are hardly lines."""

from __future__ import annotations

import struct
from datetime import datetime

import pytest

from parsers import meaning, raw_block, record
from parsers.inventory import Device, Inventory

HEAD = "<158>Nov 23 08:15:01 luna hsmlogd[7]: "
AT = "26/11/23 08:15:01"


def audit(middle, tail=""):
    return f"{HEAD}7,{AT},S/N 150718 session 1 Access 2147483651:2669 {middle}{tail}"


@pytest.mark.parametrize(
    ("middle", "tail", "role"),
    [
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " roleID=1", "so"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " roleID=0", "admin"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " roleID=8", "au"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 roleID=1", "po"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 roleID=0", "co"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 roleID=9", "lco"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 roleID=5", "cu"),
        ("SO container operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 roleID=1", "so"),
        ("operation LUNA_DELETE_CONTAINER returned RC_OK(0x00000000)", " container=20 roleID=1", "so"),
        ("SO container operation LUNA_LOGIN returned RC_OK(0x00000000)", "", "so"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20 role=CO", "co"),
        ("operation LUNA_LOGIN returned LUNA_RET_SO_LOGIN_FAILURE_THRESHOLD(0x0030000F)", "", "so"),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " container=20", ""),
        ("operation LUNA_LOGIN returned RC_OK(0x00000000)", " roleID=77", ""),
    ],
)
def test_roles(parse, middle, tail, role):
    """A number means a role in the kind of partition that the record speaks of; an SO actor is the admin partition."""
    assert parse(audit(middle, tail)).get("role", "") == role


@pytest.mark.parametrize(
    ("event", "code", "strike"),
    [
        ("LUNA_LOGIN", "LUNA_RET_UM_PIN_INCORRECT(0x00A00000)", True),
        ("LUNA_LOGIN", "LUNA_RET_UM_PIN_INCORRECT_CONTAINER_LOCKED(0x00A00002)", True),
        ("LUNA_LOGIN", "LUNA_RET_SO_LOGIN_FAILURE_THRESHOLD(0x0030000F)", True),
        ("LUNA_LOGIN", "LUNA_RET_UM_PIN_LEN_RANGE(0x00A20000)", False),
        ("LUNA_LOGIN", "LUNA_RET_USER_ALREADY_LOGGED_IN(0x01000000)", False),
        ("LUNA_LOGIN", "LUNA_RET_PED_UNPLUGGED(0x00300142)", False),
        ("LUNA_LOGIN", "RC_OK(0x00000000)", False),
        ("LUNA_SET_PIN", "LUNA_RET_UM_PIN_INCORRECT(0x00A00000)", True),
        ("LUNA_SIGN", "RC_OK(0x00000000)", None),
    ],
)
def test_strikes(parse, event, code, strike):
    """A strike is a wrong secret that was counted; trouble with a PED is none, and other operations say nothing."""
    assert parse(audit(f"operation {event} returned {code}")).get("strike") is strike


def test_name_and_code_that_differ(parse):
    """The code rules, since the HMAC covers it, and the difference is said."""
    got = parse(audit("operation LUNA_LOGIN returned RC_OK(0x00A00000)"))
    assert (got["outcome"], got["strike"]) == ("failed", True)
    assert "RC_OK is not code 0x00A00000" in got["trouble"]


def test_unknown_event_is_no_error(parse):
    """Newer firmware has events that nobody listed."""
    got = parse(audit("operation LUNA_QUANTUM_THING returned LUNA_RET_NEW_ONE(0x80001234)"))
    assert (got["operation"], got["command_class"], got["outcome"]) == ("other", "other", "failed")
    assert got["status"] == "parsed"


def test_details_keep_what_has_no_column(parse):
    """Keys without a column, repeated ones and stray words stay in details."""
    got = parse(
        audit(
            "CO operation LUNA_SIGN returned RC_OK(0x0)",
            " handle=5 handle=6 OUID=ab12 new=1 handle=x odd (using CKM_X (entry=LUNA_ENTRY_NONE))",
        )
    )
    assert (got["object_handle"], got["object_uid"], got["entry"]) == (5, "AB12", "LUNA_ENTRY_NONE")
    assert got["details"] == {"actor": "CO", "handle": 6, "new": 1, "handle_2": "x", "using": "CKM_X", "words": "odd"}


def test_brackets_that_do_not_match(parse):
    """A tail that was cut is kept whole."""
    got = parse(audit("operation LUNA_LOGIN returned RC_OK(0x0)", " container=20 (using PIN (entry=LUNA"))
    assert got["details"] == {"tail": "container=20 (using PIN (entry=LUNA"}
    assert record.pieces("a)") is None
    assert record.pieces("(" * 9 + ")" * 9) is None


def block(sequence=7, at=datetime(2026, 11, 23, 8, 15, 1), code=0, minor=2669, session=1):
    epoch = int((at - datetime(1970, 1, 1)).total_seconds())
    return struct.pack("<7I", 0x10000000 | sequence, 0, epoch, code, minor, 2147483651, session).hex().upper()


def proven(raw):
    return audit("operation LUNA_SIGN returned RC_OK(0x00000000)") + f",{'AB' * 32},{raw}"


@pytest.mark.parametrize(
    ("raw", "source", "trouble"),
    [
        (block(), "raw_block", None),
        (block(at=datetime(2026, 11, 23, 12, 15, 1)), "raw_block", None),
        (block(at=datetime(2026, 11, 23, 8, 15, 2)), "raw_block", "raw block differs: time"),
        (block(at=datetime(2026, 11, 24, 8, 15, 1)), "raw_block", "raw block differs: time"),
        (
            block(sequence=8, code=1, minor=2, session=3),
            "raw_block",
            "raw block differs: sequence, return code, access minor, session",
        ),
        (block(at=datetime(1970, 1, 1)), "record", "raw block cannot be read"),
        (block()[:40], "record", "raw block cannot be read"),
        (block() + "A", "record", "raw block cannot be read"),
    ],
)
def test_second_witness(parse, raw, source, trouble):
    """The block's clock counts; a zone is no trouble, any other difference is."""
    got = parse(proven(raw))
    assert (got["event_at_source"], got.get("trouble")) == (source, trouble)


def test_zone_of_a_block():
    """Quarters of an hour up to fourteen hours."""
    decoded = raw_block.decode(block())
    assert raw_block.differences(decoded, {}, datetime(2026, 11, 23, 22, 15, 1)) == []
    assert raw_block.differences(decoded, {}, datetime(2026, 11, 23, 22, 30, 1)) == ["raw block differs: time"]


def test_impossible_dates_keep_the_next_clock(parse):
    """A record of 29 February in a common year takes the header's time, and says so."""
    got = parse(f"{HEAD}7,26/02/29 08:15:01,S/N 1 session 1 Access 1:1 operation LUNA_SIGN returned RC_OK(0x0)")
    assert (got["event_at_source"], got["trouble"]) == ("header", "impossible date in the record")
    got = parse("<13>Feb 30 08:15:01 luna x: y")
    assert (got["event_at_source"], got["trouble"], got["host"]) == (
        "received",
        "impossible date in the header",
        "luna",
    )


INVENTORY = Inventory(
    (
        Device("hsm-1", ("luna", "192.0.2.1", "AA" * 32), ("150718",)),
        Device("hsm-2", ("other.example", "2001:db8::2", "C=NL,O=Two,CN=b"), ("150719",), "Europe/Amsterdam"),
    )
)


@pytest.mark.parametrize(
    ("received", "device", "trouble"),
    [
        ({"peer": "192.0.2.1"}, "hsm-1", None),
        ({"peer": "::ffff:192.0.2.1"}, "hsm-1", None),
        ({"peer": "198.51.100.1"}, "hsm-1", None),
        ({"peer": "2001:DB8::2"}, "hsm-1", "device: serial says hsm-1, address says hsm-2"),
        (
            {"peer_identity": "CN=other.example,O=x"},
            "hsm-2",
            "device: certificate says hsm-2, serial says hsm-1, host name says hsm-1",
        ),
        ({"peer_identity": "O=x, CN=luna"}, "hsm-1", None),
        ({"peer_identity": ":".join(["aa"] * 32)}, "hsm-1", None),
        ({"peer_identity": "CN=nobody"}, "hsm-1", None),
        ({"peer_identity": "C=NL,CN=nobody sha256:" + "aa" * 32}, "hsm-1", None),
        ({"peer_identity": "CN=other.example sha256:" + "aa" * 32}, "hsm-1", None),
        ({"peer_identity": r"O=sha256\3a" + "aa" * 32 + ",CN=nobody sha256:" + "bb" * 32}, "hsm-1", None),
        (
            {"peer_identity": "C=NL,O=Two,CN=b sha256:" + "bb" * 32},
            "hsm-2",
            "device: certificate says hsm-2, serial says hsm-1, host name says hsm-1",
        ),
    ],
)
def test_who_says_the_device(parse, received, device, trouble):
    """Certificate, serial, address, host name: the first wins, and those that disagree are trouble."""
    got = parse(audit("operation LUNA_SIGN returned RC_OK(0x0)"), INVENTORY, **received)
    assert (got["device"], got.get("trouble")) == (device, trouble)


def test_zone_of_the_device_that_sent_it(parse):
    """A stamp without a zone is in its device's."""
    got = parse("<13>Nov 23 08:15:01 other.example x: y", INVENTORY)
    assert (got["device"], got["sent_at"]) == ("hsm-2", "2026-11-23T07:15:01.000000Z")
    assert INVENTORY.by_host("") == ""
    assert INVENTORY.zones() == {"Europe/Amsterdam"}


COMMAND = "info : 0 : Command: hsm login -password hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"<174>Nov 23 08:15:01 luna lunash [1]: {COMMAND} : admin : Console",
        f"<174>Nov 23 08:15:01 luna lunash [1]: {COMMAND}",
        f"<999>Nov 23 08:15:01 luna lunash [1]: {COMMAND} : admin : Console",
        "<174>Nov 23 08:15:01 lunash info : 0 : Command: hsm login -password hunter2",
        f"<174>Nov 23 08:15:01 relay shipper[1]: lunash [1]: {COMMAND} : admin : Console\r",
        f"{COMMAND} : admin : Console",
        "Command: hsm login -password hunter2 : admin : 192.0.2.7/1",
    ],
)
def test_secrets_in_whatever_state_a_line_arrives(parse, line):
    """Cut, without its header or through a stranger's relay: what may be the shell's is masked."""
    got = parse(line)
    assert "hunter2" not in str(got)
    assert "-password ***" in got["raw"]


def test_other_vendors_text_is_not_touched(parse):
    """A stranger's program may say what it likes."""
    line = "<13>Nov 23 08:15:01 h telemetryd: info : 0 : Command: x -password hunter2 : admin : Console"
    assert parse(line)["raw"] == line


def test_trouble_of_the_listener_comes_first(parse):
    """What the listener said stays, and more is added."""
    assert parse("<13>Feb 30 08:15:01 h x: y", trouble="cut")["trouble"] == "cut; impossible date in the header"


@pytest.mark.parametrize(
    ("line", "raw", "message"),
    [
        (b"<13>h\xff\x00i", "<13>h\\xff\\x00i", "h\\xff\\x00i"),
        (b"<13>x\r", "<13>x\r", "x"),
        (b"<13>x\r\n", "<13>x\r\n", "x\r"),
        (b"<13>x\0", "<13>x\\x00", "x"),
        ("<13>x \u202e\x1b".encode(), "<13>x \u202e\x1b", "x \u202e\x1b"),
    ],
)
def test_bytes(parse, line, raw, message):
    r"""NUL and bytes that are not UTF-8 are `\xNN`, other characters stand; one CR, LF or NUL at the end is framing."""
    got = parse(line)
    assert (got["raw"], got["message"]) == (raw, message)


@pytest.mark.parametrize("line", ["", "\r", "\n", "\0"])
def test_empty_lines(parse, line):
    """An empty line is a record that says so."""
    got = parse(line)
    assert (got["trouble"], got["status"], got["event_at_source"]) == ("empty", "unparsed", "received")


def test_internal_messages(parse):
    """The module's own messages have no session; their names have a meaning."""
    got = parse(f"{HEAD}7,{AT},MSG_FACTORY_RESET")
    assert (got["vendor_event"], got["operation"], got["command_class"]) == (
        "MSG_FACTORY_RESET",
        "factory_reset",
        "destructive",
    )


def test_policies_by_number():
    """The numbers of policies have names."""
    assert meaning.policies()["hsm", 12].wording == "Allow non-FIPS algorithms"
    assert meaning.policies()["partition", 20].destructive == "none"
