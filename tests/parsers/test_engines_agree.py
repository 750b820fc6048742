"""The bulk engine, the line engine and the pyparsing reference give the same for any line, however a batch is cut.

HSMTRAIL_EXAMPLES raises the number of batches that are tried (100 by default), HSMTRAIL_SMALLEST that of the lines in
each (1 by default, at most 15 more).
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers import batch, batch_body, batch_repeated
from parsers.batch import Parser
from parsers.columns import PARSED
from parsers.inventory import Device, Inventory, Partition
from parsers.patterns import load
from parsers.reference import parse_line
from support.raw_blocks import raw_block

PATTERNS = load()
PROGRAMS = {
    pattern.name: next(name for name, known in PATTERNS.by_program.items() if pattern in known and name != "*")
    for pattern in PATTERNS.all
}
SAID = [(PROGRAMS[pattern.name], example.message) for pattern in PATTERNS.all for example in pattern.examples]
EMPTY = Inventory()
FULL = Inventory(
    (
        Device("hsm-1", ("luna", "192.0.2.1"), ("150718", "150705"), "Europe/Amsterdam"),
        Device("hsm-2", ("h2", "192.0.2.2"), ("150701",)),
    ),
    (
        Partition("hsm-1", "3", "1334049524931", "p1", "admin"),
        Partition("hsm-1", "20", "1334049524932"),
        Partition("hsm-2", "3", "", "", "admin"),
        Partition("hsm-2", "20", "1334049524934"),
    ),
)
NOW = datetime(2026, 11, 23, 8, 15, 1)
SMALLEST = int(os.environ.get("HSMTRAIL_SMALLEST", "1"))


def record(sequence, code, session, minor, offset, form, prefix, proven):
    """An audit record with its proof; `offset` is what its block's clock differs by."""
    at = NOW - timedelta(seconds=sequence % 100)
    block = raw_block(sequence, at + timedelta(seconds=offset), code, minor, session)
    text = form.format(session=session, minor=minor, code=code)
    proof = f"{' ' * (minor % 9)},{'AB' * 32},{block}" if proven else ""
    return f"{prefix}{sequence},{at:%y/%m/%d %H:%M:%S},{text}{proof}"


FORMS = [
    "S/N 150718 session {session} Access 2147483651:{minor} SO operation LUNA_LOGIN returned RC_OK(0x{code:08X})",
    "session {session} Access 2147483651:{minor} operation LUNA_SIGN returned X_Y(0x{code:08X}) container=3 key=9 (using A)",
    "S/N 150718 session {session} Access 2147483651:{minor} operation LUNA_LOGIN returned LUNA_RET_OK container=3 roleID=1",
    "S/N 150718 session {session} Access 2147483651:{minor} CU operation LUNA_X returned A(0x{code:08X}) role=CO x(y z=1) z=2",
    "session 18446744073709551616 Access 2147483651:{minor} SO operation LUNA_LOGIN returned RC_OK(0x{code:08X})",
    "session {session} Access 2147483651:{minor} SO operation LUNA_LOGIN returned RC_OK(4294967296) container=3",
]
records = st.tuples(
    st.just("hsmlogd"),
    st.builds(
        record,
        st.one_of(st.integers(0, 2**33), st.sampled_from([10**10 - 1, 10**10, 2**64 - 1, 2**64])),
        st.sampled_from([0, 0x00A00000, 0x0030000F, 7]),
        st.integers(0, 2**32 - 1),
        st.integers(0, 70000),
        st.sampled_from([0, 3600, -7200, 900, 7, 2 * 10**9]),
        st.sampled_from(FORMS),
        st.sampled_from(["", "", "hsm_1.log^   ", "^", "a b^", 'q"^']),
        st.booleans(),
    ),
)
COMMANDS = ["hsm login -password a b", "user add -u bob", "hsm init -pas 'a : b' -do y", "hsm ch -v 1", "x", "hsm show"]
ORIGINS = ["Console", "192.0.2.5/4000", "198.51.100.255/1", "192.0.2.5/70000", "999.0.0.1/00080", "1.2.3/4", ""]
commands = st.tuples(
    st.just("lunash"),
    st.builds(
        "info : {} : Command: {}  : admin : {}".format,
        st.sampled_from(["0", "10485760", "0xA00000", "00A00000", "30000F", "99999999999"]),
        st.sampled_from(COMMANDS),
        st.sampled_from(ORIGINS),
    ),
)
peers = st.tuples(
    st.sampled_from(["NTLS", "htl"]),
    st.builds(
        "info : 0 : {}{}{}".format,
        st.sampled_from(
            [
                'NTLS Client "a" connected and authenticated : ',
                'NTLS Client "192.0.2.5/4000" Connection instance removed : ',
                "Incoming connection request... : ",
                "Fail to establish a secure channel with client : 192.0.2.5/4000 : ",
                "Error message from SSLAccept is : ",
                "Starting up NTLS ",
            ]
        ),
        st.sampled_from(ORIGINS),
        st.sampled_from(["", "", ".", " ", " : RC_X"]),
    ),
)
STAMPS = [
    "Nov 23 08:15:01",
    "Feb 29 10:00:00",
    "Nov 31 10:00:00",
    "Oct 11 2026 22:14:15",
    "Oct 25 2026 02:30:00",
    "Dec 31 23:59:59",
    "Oct 11 1979 22:14:15",
    "Oct 11 9998 22:14:15",
]
ISO = [
    "2026-11-23T08:15:01Z",
    "2026-11-23T08:15:01.123456+01:00",
    "2026-11-23T25:15:01Z",
    "2026-11-23T08:15:01.5",
    "2026-11-23T08:15:60Z",
    "2028-11-22T08:15:01Z",
    "2028-11-24T08:15:01Z",
    "0001-01-01T00:00:00Z",
    "9998-12-31T23:59:59Z",
]
DATA = ["-", "-", '[a b="c"]', '[a b="c\\"" b="d"][e]', "[x"]


@st.composite
def heads(draw, program):
    """A header of any form for a program."""
    pri = draw(st.sampled_from(["<134>", "<134>", "<6>", "", "<192>", "<034>"]))
    host = draw(st.sampled_from(["luna", "luna", "h2", "fe80::1", ""]))
    tag = program + draw(st.sampled_from(["[12]:", "[12]:", " [1234]:", ":", "[7]", ""])) + " "
    forms = [
        f"{pri}{draw(st.sampled_from(STAMPS))} {host + ' ' if host else ''}{tag}",
        f"{pri}2026 {draw(st.sampled_from(STAMPS[:2]))} {host}  {draw(st.sampled_from(['local5 info', 'kern crit']))}  {tag}",
        f"{pri}{draw(st.sampled_from(ISO))} {host} {tag}",
        f"{pri}1 {draw(st.sampled_from(ISO))} {host or '-'} {program} 77 - {draw(st.sampled_from(DATA))} ",
        pri + tag,
    ]
    return draw(st.sampled_from(forms))


PIECES = [
    " ",
    "  ",
    ":",
    ": ",
    "[",
    "]",
    "(",
    ")",
    "^",
    ",",
    '"',
    "\\",
    "\0",
    "\n",
    "=",
    "-",
    "é",
    "\ufeff",
    "operation",
]
PIECES += ["returned", " : ", "Command: ", "-password x", "9" * 21, "/70000", "S/N ", "<", ">", "\u202e", "\x1b[2J"]


@st.composite
def lines(draw):
    """A line as a program writes it, then perhaps damaged."""
    program, message = draw(st.one_of(st.sampled_from(SAID), records, commands, peers))
    raw = (draw(heads(program)) + message).encode()
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 6)))
        middle = draw(st.one_of(st.just(b""), st.sampled_from(PIECES).map(str.encode), st.binary(max_size=2)))
        raw = raw[:start] + middle + raw[end:]
    return raw + draw(st.sampled_from([b"", b"", b"\r", b"\n", b"\0", b"\r\n"]))


received = st.tuples(
    st.one_of(lines(), lines(), lines(), st.binary(max_size=80)),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "198.51.100.1"]),
    st.sampled_from(["", "", "CN=h2"]),
    st.sampled_from(["", "", "cut"]),
)


@pytest.fixture(autouse=True)
def _no_group_is_too_small(monkeypatch):
    """Even one message of a pattern goes through the bulk engine."""
    monkeypatch.setattr(batch_body, "FEW", 1)
    monkeypatch.setattr(batch_repeated, "FEW", 1)


@settings(
    max_examples=int(os.environ.get("HSMTRAIL_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    given_lines=st.lists(received, min_size=SMALLEST, max_size=SMALLEST + 15),
    cut=st.integers(0, SMALLEST + 15),
    inventory=st.sampled_from([EMPTY, FULL]),
    often=st.sampled_from([1, 1, 2, 1000]),
)
def test_engines_agree(given_lines, cut, inventory, often, monkeypatch):
    """Bulk, line by line and by the reference grammar: the same columns for every line, wherever the batch is cut, and
    whether messages are read once for all or each for itself.
    """
    monkeypatch.setattr(batch_repeated, "OFTEN", often)
    names = ("raw", "peer", "peer_identity", "trouble")
    kinds = (pl.Binary, pl.String, pl.String, pl.String)
    frame = pl.DataFrame(given_lines, schema=dict(zip(names, kinds, strict=True)), orient="row")
    frame = frame.with_columns(received_at=pl.lit(NOW, pl.Datetime("us")))
    parser = Parser(PATTERNS, inventory)
    together = parser.at_once(frame)
    assert together.schema == PARSED
    pieces = [part for part in (frame[:cut], frame[cut:]) if part.height]
    assert together.equals(pl.concat([parser.at_once(part) for part in pieces]), null_equal=True)
    for (raw, peer, identity, trouble), row in zip(given_lines, together.iter_rows(named=True), strict=True):
        wanted = parse_line(raw, NOW, peer, PATTERNS, inventory, trouble=trouble, peer_identity=identity)
        assert row == wanted, raw


@pytest.mark.parametrize("line", [": 1 2026-11-23T08:15:01Z h2 kernel 77 - - x", ": x", ": ", ":", "- : -", "<13>: x"])
def test_empty_heads(line):
    """A line that begins with its colon has an empty head, which is not the same as none."""
    frame = pl.DataFrame({"raw": [line.encode()]}).with_columns(
        received_at=pl.lit(NOW, pl.Datetime("us")), peer=pl.lit(""), peer_identity=pl.lit(""), trouble=pl.lit("")
    )
    parser = Parser(PATTERNS, EMPTY)
    assert parser.at_once(frame).to_dicts() == [parse_line(line.encode(), NOW, "", PATTERNS, EMPTY)]


def test_usual_records_take_the_bulk_path(as_batch):
    """A change of the template or the words that the bulk engine cuts at would show here, not only as slowness."""
    text = "S/N 150718 session 1 Access 2147483651:2669 CO operation LUNA_SIGN returned RC_OK(0x00000000) container=20"
    given_lines = [
        f"<158>Nov 23 08:15:01 luna hsmlogd[7]: {number},26/11/23 08:15:01,{text} key={number}" for number in range(300)
    ]
    parser = Parser(PATTERNS, EMPTY)
    parser.one_by_one = lambda left: pytest.fail(f"{left.height} lines were left to the line engine")
    parsed = parser.parse(as_batch(given_lines))
    assert parsed["object_handle"].to_list() == list(range(300))


def test_what_bulk_cannot_read_is_read_line_by_line(as_batch, monkeypatch, caplog):
    """Should polars refuse a batch, the lines are parsed all the same, and it is logged."""

    def refuse(_):
        raise pl.exceptions.ComputeError("refused")

    monkeypatch.setattr(batch, "texts", refuse)
    parsed = Parser(PATTERNS, EMPTY).parse(as_batch(["<13>hello"] * 300))
    assert parsed["facility"].to_list() == [1] * 300
    assert caplog.messages == ["bulk_parsing_failed"]


def test_years_at_the_turn_of_the_year(as_batch):
    """In one batch received around midnight each line keeps its own year."""
    frame = as_batch(["<13>Dec 31 23:59:59 luna x: y", "<13>Jul  1 12:00:00 luna x: y"] * 200).with_columns(
        received_at=pl.Series([datetime(2026, 12, 31, 11, 59), datetime(2027, 1, 1, 12, 1)] * 200)
    )
    parser = Parser(PATTERNS, EMPTY)
    assert parser.parse(frame).equals(parser.one_by_one(frame), null_equal=True)
