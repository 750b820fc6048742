"""Records in the HSM's own files: without a header, padded, and some without their serial number."""

import random
from datetime import datetime

import polars as pl
import pytest

from parsers.batch import Parser
from parsers.inventory import Device, Inventory
from parsers.patterns import load

NOW = datetime(2026, 11, 28, 8, 15, 1)
PATTERNS = load()
INVENTORY = Inventory((Device("hsm-1", ("luna-1",), ("66331",)), Device("hsm-2", ("luna-2",), ("150718",))))
OLD = "38,12/08/13 15:30:50,session 1 Access 2147483651:22621 operation LUNA_LOGIN returned RC_OK(0x00000000)"
NEW = "39,26/11/23 08:15:01,S/N 150718 session 7 Access 2147483651:2669 operation LUNA_LOGIN returned RC_OK(0x00000000) container=20"
PROOF = (
    "29C51014B6F131EC67CF48734101BBE301335C25F43EDF8828745C40755ABE25",
    "2600001003600B00EA552950000000005D580000030000800100000000000000000000000000000000000000",
)


def lines(*given):
    """(raw, peer) as the loader hands them over."""
    said = [(raw.encode(), NOW, peer, "", "") for raw, peer in given]
    return pl.DataFrame(said, schema=["raw", "received_at", "peer", "peer_identity", "trouble"], orient="row")


def padded(record):
    sequence, stamp, text = record.split(",", 2)
    return f"{sequence:>10},{stamp},{text:<256},{PROOF[0]},{PROOF[1]}"


@pytest.mark.parametrize(
    ("raw", "peer", "serial", "device"),
    [
        (OLD, "/srv/hsm_66331_00000002.log", "66331", "hsm-1"),
        (OLD, "hsm_66331_00000002.log", "66331", "hsm-1"),
        (OLD, "/srv/hsm_66331_000004a3.log.gz", "66331", "hsm-1"),
        (OLD, "/srv/audit.tgz!ready_for_archive/hsm_66331_000004a3.log", "66331", "hsm-1"),
        (OLD, "/srv/audit.tgz!hsm_66331_000004a3.log#2", "66331", "hsm-1"),
        (padded(OLD), "/srv/hsm_66331_00000002.log", "66331", "hsm-1"),
        (f"<158>Nov 23 08:15:01 relay cbs[7]: hsm_66331_00000002.log^{OLD}", "192.0.2.9", "66331", "hsm-1"),
        (NEW, "/srv/hsm_66331_00000002.log", "150718", "hsm-2"),
        (OLD, "/srv/messages", None, ""),
        (OLD, "/srv/hsm_66331_2.log", None, ""),
        (OLD, "/srv/old-hsm_66331_00000002.log", None, ""),
        (OLD, "/srv/hsm_66331_00000002.log/messages", None, ""),
        (
            "<174>Nov 23 08:15:01 luna-2 lunash[7]: info : 0 : Command: hsm show : admin : Console",
            "hsm_66331_00000002.log",
            None,
            "hsm-2",
        ),
    ],
)
def test_the_serial_number_of_a_files_name(raw, peer, serial, device):
    """It is used where the record has none, by both engines alike, and names the device."""
    parser, given = Parser(PATTERNS, INVENTORY), lines(*[(raw, peer)] * 300)
    many, single = parser.at_once(given), parser.one_by_one(given.head(1))
    assert many.head(1).equals(single)
    assert (single["hsm_serial"][0], single["device"][0]) == (serial, device)


def test_files_without_headers_are_read_at_once():
    """Half a million records come from a file: hardly one may need the engine that reads line by line."""
    parser = Parser(PATTERNS, INVENTORY)
    given = lines(*[(padded(OLD), "hsm_66331_00000002.log")] * 200, *[(NEW, "x")] * 200)
    _, sure = parser._read(given)
    assert sure.all()


SHAPES = (
    OLD,
    NEW,
    padded(OLD),
    padded(NEW),
    "40,an external message, with commas",
    "41,26/11/23 08:15:01,An internal message MSG_LOG_WAS_TRUNCATED",
    "42",
    "43,",
    "  44,26/11/23 08:15:01",
    "45,26/13/23 08:15:01,session 1 Access 1:1 operation LUNA_LOGIN returned RC_OK(0x00000000)",
    "46,26/11/23 08:15:01,session 1 Access 1:1 operation LUNA_LOGIN returned RC_OK(0x00000000)\r",
    "12345678901,26/11/23 08:15:01,session 1 Access 1:1 operation LUNA_LOGIN returned RC_OK(0x00000000)",
    "<158>Nov 23 08:15:01 luna-1 cbs[7]: " + NEW,
    "<158>1 2026-11-23T08:15:01.123456Z luna-1 cbs 7 - - " + OLD,
    "2026 Nov 23 08:15:01 luna-1  local3 info  cbs[7]: " + NEW,
    "47,host tag: 26/11/23 08:15:01,text: more",
    "1,<13>Nov 23 08:15:01 h x: y",
    "7,Command: hsm init -password secret : admin : Console",
)


def test_engines_agree_on_what_files_hold():
    """Lines with and without a header, mixed and mutated: the bulk engine says what the line engine says."""
    chance, parser = random.Random(5), Parser(PATTERNS, INVENTORY)
    given = []
    for _ in range(4000):
        raw = chance.choice(SHAPES)
        if chance.random() < 0.3:
            place = chance.randrange(len(raw))
            raw = raw[:place] + chance.choice(" ,:^<>0a\t") + raw[place + chance.randrange(2) :]
        given.append((raw, chance.choice(("192.0.2.9", "hsm_66331_00000002.log"))))
    frame = lines(*given)
    many, single = parser.at_once(frame), parser.one_by_one(frame)
    for name in many.columns:
        differing = many[name].ne_missing(single[name]).arg_true()
        assert differing.is_empty(), (name, given[differing[0]], many[name][differing[0]], single[name][differing[0]])
