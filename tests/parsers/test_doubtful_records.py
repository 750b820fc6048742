"""Records that are not as an HSM would write them: what fits is kept, what does not is said, nothing is silent."""

from __future__ import annotations

from datetime import datetime

import pytest

from parsers import clock
from support.raw_blocks import raw_block

NOW = datetime(2026, 11, 23, 8, 15, 1)
HEAD = "<158>Nov 23 08:15:01 luna hsmlogd[7]: "
RECORD = "{number},26/11/23 08:15:01,session {session} Access {major}:2669 operation LUNA_LOGIN returned {result}"
USUAL = {"number": 7, "session": 1, "major": 2147483651, "result": "LUNA_RET_UM_PIN_INCORRECT(0x00A00000)"}


def record(**other):
    return HEAD + RECORD.format(**(USUAL | other))


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("session", "session", 2**64),
        ("major", "access_major", 10**20 - 1),
        ("number", "audit_sequence", 10**10),
        ("number", "audit_sequence", 2**64 - 1),
    ],
)
def test_a_number_that_is_too_large(parse, name, column, value):
    """The record is one all the same: the number stays in details, the wrong secret is still a strike."""
    got = parse(record(**{name: value}))
    assert (got["pattern"], got["operation"], got["strike"]) == ("hsm_audit.operation", "login", True)
    assert column not in got
    assert got["details"][column] == str(value)
    assert got["trouble"] == f"{column} does not fit its column"


def test_the_largest_number_that_a_record_has_room_for(parse):
    """Ten digits."""
    assert parse(record(number=9_999_999_999))["audit_sequence"] == 9_999_999_999


def test_a_code_that_is_too_large_is_no_success(parse):
    """Whatever stands before it: it is not 0."""
    got = parse(record(result="RC_OK(4294967296)"))
    assert (got["return_name"], got["outcome"], "return_code" in got) == ("RC_OK", "failed", False)
    assert got["trouble"] == "return_code does not fit its column"


@pytest.mark.parametrize(
    "record",
    [
        record(session="9" * 21),
        record(major="9" * 21),
        record(session="x"),
        record(result="LUNA_RET_UM_PIN_INCORRECT(0x1FFFFFFFF)"),
        record(result="twice"),
    ],
)
def test_an_operation_in_another_form_is_not_taken_for_an_applications_text(parse, record):
    """Its event counts, and that nobody knows its form is said."""
    got = parse(record)
    assert (got["vendor_event"], got["operation"]) == ("LUNA_LOGIN", "login")
    assert got["trouble"] == "an operation in a form that is not known"


def test_an_application_may_write_of_operations(parse):
    """Its text has no session, so it is no login; but it is strange enough to be said."""
    got = parse(f"{HEAD}7,26/11/23 08:15:01,my operation LUNA_LOGIN went well")
    assert (got["operation"], got["trouble"]) == ("other", "an operation in a form that is not known")


@pytest.mark.parametrize(
    ("line", "family"),
    [
        ("AB" * 44, "hsm_audit"),
        (HEAD + "AB" * 44, "hsm_audit"),
        ("<13>Nov 23 08:15:01 host myapp: " + "AB" * 44, "other"),
        ("<13>Nov 23 08:15:01 host myapp: " + "AB" * 32, "other"),
        ("<174>Nov 23 08:15:01 luna lunash[1]: " + "AB" * 32, "lunash"),
    ],
)
def test_hexadecimal_is_a_piece_of_a_record_only_where_one_can_be(parse, line, family):
    """In a file of the HSM, whose lines name no program, and from the programs that bring its records."""
    got = parse(line)
    assert (got["family"], got["status"]) == (family, "parsed" if family == "hsm_audit" else "partial")
    assert ("raw_block" in got) == (family == "hsm_audit")


FAR = {"9999-12-31T23:59:59Z": "years after its arrival", "0001-01-01T00:00:00Z": "before 1980"}


@pytest.mark.parametrize(("stamp", "why"), FAR.items())
def test_a_header_of_a_far_year(parse, stamp, why):
    """It happened when it came: so it stands in the review of that week. The header's stamp is kept beside it."""
    got = parse(f"<14>1 {stamp} luna app - - - x")
    assert (got["event_at"], got["event_at_source"]) == ("2026-11-23T08:15:01.000000Z", "received")
    assert got["sent_at"] == stamp.replace("Z", ".000000Z")
    assert got["trouble"] == f"date not believed in the header: {why}"


@pytest.mark.parametrize(
    ("stamp", "block_at", "source", "doubted"),
    [
        ("26/11/23 08:15:01", NOW, "raw_block", []),
        ("26/11/23 08:15:01", datetime(2031, 1, 1), "record", ["raw block"]),
        ("31/01/01 00:00:00", datetime(2031, 1, 1), "header", ["record", "raw block"]),
        ("31/01/01 00:00:00", NOW, "raw_block", ["record"]),
        ("70/01/01 00:00:00", None, "header", ["record"]),
    ],
)
def test_a_record_of_a_far_year(parse, stamp, block_at, source, doubted):
    """The next clock down counts."""
    proof = f",{'AB' * 32},{raw_block(7, block_at, 0x00A00000, 2669, 1)}" if block_at else ""
    got = parse(record().replace("26/11/23 08:15:01", stamp) + proof)
    assert (got["event_at"], got["event_at_source"]) == ("2026-11-23T08:15:01.000000Z", source)
    for name in ("record", "raw block"):
        assert (f"date not believed in the {name}: years after" in got.get("trouble", "")) == (name in doubted)


@pytest.mark.parametrize(
    ("stamp", "received_at", "wanted"),
    [
        (datetime(2012, 2, 29), NOW, ""),
        (datetime(1980, 1, 1), NOW, ""),
        (datetime(1979, 12, 31), NOW, "before 1980"),
        (datetime(2027, 11, 23), NOW, ""),
        (datetime(2028, 11, 23, 8, 15, 1), NOW, ""),
        (datetime(2028, 11, 23, 8, 15, 2), NOW, "years after its arrival"),
        (datetime(2026, 11, 23), datetime(1970, 1, 1), ""),
    ],
)
def test_doubt(stamp, received_at, wanted):
    """Archives of any age are believed, clocks that are wrong by a year too; our own unset clock measures nothing."""
    assert clock.doubt(stamp, received_at) == wanted
