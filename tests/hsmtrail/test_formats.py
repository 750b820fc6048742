"""Query results in every form, and text from the network inert in each."""

import io
import json
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from hsmtrail import formats
from hsmtrail.log import shown

TABLE = pa.table(
    {
        "at": [datetime(2026, 11, 23, 8, 15, 1), None],
        "text": ["=1+1", "fine"],
        "details": ['{"options": {"a": 1}}', None],
        "number": [0, 7],
        "share": [float("nan"), 0.5],
        "list": [[1, 2], []],
        "bytes": [b"\x00\xff", None],
    }
)


def test_json_is_a_list_of_objects():
    """Times in UTC with microseconds, details as objects, no number that JSON does not know."""
    first, second = json.loads(formats.as_json(TABLE))
    assert first["at"] == "2026-11-23T08:15:01.000000Z"
    assert first["details"] == {"options": {"a": 1}}
    assert (first["number"], first["share"], first["list"], first["bytes"]) == (0, None, [1, 2], "00ff")
    assert second["details"] is None


def test_csv_cells_cannot_be_formulas():
    """A cell that a spreadsheet would run begins with an apostrophe; numbers stay numbers."""
    lines = formats.as_csv(TABLE).decode().splitlines()
    assert lines[0] == "at,text,details,number,share,list,bytes"
    assert ",'=1+1," in lines[1]
    minus = pa.table({"n": [-1], "t": ["-1"]})
    assert formats.as_csv(minus).decode().splitlines()[1] == "-1,'-1"


def test_arrow_and_parquet_hold_the_same_table():
    """What programs read is the table itself."""
    assert pa.ipc.open_stream(formats.as_arrow(TABLE)).read_all().num_rows == 2
    assert pq.read_table(io.BytesIO(formats.as_parquet(TABLE))).column_names == TABLE.column_names


def test_a_terminal_gets_no_control_characters():
    """Escape codes, bidirectional overrides and markup of log text are spelt out."""
    hostile = pa.table({"t": ["\x1b[31m[bold]red[/bold]\u202e"]})
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(formats.as_table(hostile))
    text = console.file.getvalue()
    assert "\\u001b[31m[bold]red[/bold]\\u202e" in text
    assert "\x1b" not in text


def test_long_text_is_cut_and_says_so():
    """A terminal shows 2,000 characters, and how many more there are."""
    assert shown("x" * 2500).endswith("… 500 more")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Decimal(5), 5),
        (Decimal("0.5"), 0.5),
        (date(2026, 1, 2), "2026-01-02"),
        (float("inf"), None),
        ("x", "x"),
        (None, None),
    ],
)
def test_values_as_json_knows_them(value, wanted):
    """Every kind that DuckDB gives has one form."""
    assert formats.plain(value) == wanted


def test_people_get_fewer_rows_than_programs():
    """Limits of rows by form."""
    assert formats.row_limit("json") == 100_000
    assert formats.row_limit("arrow") == 10_000_000
