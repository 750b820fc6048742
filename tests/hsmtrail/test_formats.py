"""Query results in every form, and text from the network inert in each."""

import csv
import io
import json
import math
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from hsmtrail import formats
from hsmtrail.failures import Failure
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


@pytest.mark.parametrize("write", [formats.as_csv, formats.as_json])
def test_other_forms_are_inert_on_a_terminal_too(write):
    """Lines stay lines, and JSON stays the same JSON."""
    hostile = "\x1b[2J\u202ecod.\x9b31m\u2028"
    body = formats.for_a_terminal(write(pa.table({"text": [hostile, "fine"]})))
    assert not set(hostile) & set(body.decode()) & set("\x1b\u202e\x9b\u2028")
    assert body.count(b"\n") == write(pa.table({"text": ["x", "fine"]})).count(b"\n")
    if write is formats.as_json:
        assert json.loads(body)[0]["text"] == hostile


@pytest.mark.parametrize("text", ["{", "[1", "[" * 5000 + "]" * 5000, '{"a": NaN}', '{"a": 1e999}', f"[{'9' * 5000}]"])
def test_what_only_has_the_name_of_an_object_stays_text(text):
    """A question may give any text the name `details`."""
    table = pa.table({"details": [text]})
    assert json.loads(formats.as_json(table)) == [{"details": text}]
    assert formats.as_csv(table)


@pytest.mark.parametrize(
    ("number", "kind", "wanted"),
    [
        (2**63 - 1, pa.timestamp("us"), "<value out of range: 9223372036854775807>"),
        (-(10**17), pa.timestamp("us"), "-1199-02-15 14:13:20.000000"),
        (2**31 - 1, pa.date32(), "<value out of range: 2147483647>"),
        (1, pa.timestamp("ns"), "1970-01-01 00:00:00.000000001"),
        (-62135596800000000, pa.timestamp("us"), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_moments_that_python_has_not(number, kind, wanted):
    """Infinity, before year 1, nanoseconds: text instead of an end."""
    whole = pa.int32() if pa.types.is_date(kind) else pa.int64()
    table = pa.table({"at": pa.array([number], whole).cast(kind)})
    assert json.loads(formats.as_json(table)) == [{"at": wanted}]


INFINITE = pa.array([2**63 - 1]).cast(pa.timestamp("us"))
UNENDING = "<value out of range: 9223372036854775807>"


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (pa.ListArray.from_arrays([0, 1], INFINITE), [UNENDING]),
        (pa.StructArray.from_arrays([INFINITE], ["a"]), {"a": UNENDING}),
        (pa.MapArray.from_arrays([0, 1], ["a"], INFINITE), [["a", UNENDING]]),
        (pa.ListArray.from_arrays([0, 1], pa.ListArray.from_arrays([0, 1], INFINITE)), [[UNENDING]]),
        (pa.array([[("a", math.inf)]], pa.map_(pa.string(), pa.float64())), [["a", None]]),
        (pa.array([[Decimal("1.5"), None]]), [1.5, None]),
        (pa.array([[math.inf, -math.inf, math.nan, 1.0]]), [None, None, None, 1.0]),
    ],
)
def test_what_json_has_no_word_for_ends_no_answer(cell, wanted):
    """Infinity and the like, also inside lists, structs and maps."""
    table = pa.table({"cell": cell})
    assert json.loads(formats.as_json(table)) == [{"cell": wanted}]
    assert json.loads(next(csv.reader(formats.as_csv(table).decode().splitlines()[1:]))[0]) == wanted


def test_columns_of_one_name_keep_their_values():
    """`SELECT a.raw, b.raw` gives two columns; none takes the other's place."""
    table = pa.Table.from_arrays([pa.array([number]) for number in (1, 2, 3, 4)], ["a", "a", "a_2", "b"])
    assert formats.as_csv(table) == b"a,a,a_2,b\n1,2,3,4\n"
    assert json.loads(formats.as_json(table)) == [{"a": 1, "a_2": 2, "a_2_2": 3, "b": 4}]
    console = Console(file=io.StringIO(), width=80)
    console.print(formats.as_table(table))
    assert console.file.getvalue().split()[-7::2] == ["1", "2", "3", "4"]


def test_parquet_says_what_it_cannot_hold():
    """An interval is a sentence, no traceback."""
    table = pa.table({"gap": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(Failure, match="cast it to VARCHAR"):
        formats.as_parquet(table)


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
