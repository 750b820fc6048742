"""Results of queries as JSON, CSV, Arrow, Parquet or a table for a terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from hsmtrail.failures import Failure
from hsmtrail.log import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

OBJECT_COLUMNS = frozenset({"details", "structured_data", "columns", "parameters", "refused_reasons"})
"""JSON columns of our tables: their text is an object, and is written as one."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would take a text cell that begins with one of these as a formula."""


def instant(moment: datetime) -> str:
    """2026-11-23T08:15:01.000000Z: every time that leaves us, in UTC."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def plain(value: Any, column: str = "") -> Any:  # noqa: ANN401  (any value that DuckDB has)
    """A value as JSON knows it; numbers that are none are null."""
    if isinstance(value, str) and column in OBJECT_COLUMNS and value[:1] in ("{", "["):
        return _object(value)
    for kinds, write in WRITTEN:
        if isinstance(value, kinds):
            return write(value)
    return value


def _object(text: str) -> Any:  # noqa: ANN401
    """Text that only has the name of such a column, and is no JSON or too deep, stays text."""
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return found


def _decimal(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


WRITTEN: list[tuple[Any, Callable[[Any], Any]]] = [
    (datetime, instant),
    ((date, time, timedelta), str),
    (Decimal, _decimal),
    (bytes, bytes.hex),
    (float, lambda number: number if math.isfinite(number) else None),
    (dict, lambda inner: {key: plain(value) for key, value in inner.items()}),
    ((list, tuple), lambda inner: [plain(value) for value in inner]),  # the pairs of a map are tuples
]


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """A list of objects, one per row, with every column; a name that stands again gets its number: `raw`, `raw_2`."""
    names: list[str] = []
    for name in table.column_names:
        again = (f"{name}_{number}" for number in range(2, len(table.column_names) + 2))
        names.append(next(new for new in (name, *again) if new not in names))
    return [dict(zip(names, row, strict=True)) for row in _cells(table)]


def _cells(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = zip(table.column_names, table.columns, strict=True)
    return list(zip(*([plain(value, name) for value in _values(column)] for name, column in columns), strict=True))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Moments that Python has not (infinity, before year 1, after 9999, nanoseconds) as Arrow's text for them."""
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = [_value(value) for value in column]
    return values


def _value(value: pa.Scalar) -> Any:  # noqa: ANN401
    """Of one cell, wherever in it such a moment stands."""
    if value.is_valid and isinstance(value, pa.UnionScalar | pa.ExtensionScalar):
        return _value(value.value)
    if value.is_valid and isinstance(value, pa.MapScalar):
        return [(_value(pair[0]), _value(pair[1])) for pair in value.values]
    if value.is_valid and isinstance(value, pa.ListScalar):
        return [_value(item) for item in value.values]
    if value.is_valid and isinstance(value, pa.StructScalar):
        return {name: _value(value[name]) for name in value}
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        return value.cast(pa.string()).as_py()


def as_json(table: pa.Table) -> bytes:
    return json.dumps(rows(table), ensure_ascii=False, allow_nan=False, default=str).encode() + b"\n"


def as_csv(table: pa.Table) -> bytes:
    """RFC 4180 with LF; cells that a spreadsheet would run begin with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows([_cell(value) for value in row] for row in _cells(table))
    return text.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def as_arrow(table: pa.Table) -> bytes:
    """An Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def as_parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(table, sink, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise Failure(f"Parquet cannot hold a column of this answer; cast it to VARCHAR ({error})") from None
    return bytes(sink.getvalue())


WRITERS: dict[str, Callable[[pa.Table], bytes]] = {
    "json": as_json,
    "csv": as_csv,
    "arrow": as_arrow,
    "parquet": as_parquet,
}
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
PEOPLES_ROWS, PROGRAMS_ROWS = 100_000, 10_000_000


def row_limit(form: str) -> int:
    """What a person reads is cut at 100,000 rows; what a program reads at 10,000,000."""
    return PROGRAMS_ROWS if form in ("arrow", "parquet") else PEOPLES_ROWS


def as_table(table: pa.Table) -> Table:
    """For a terminal; text from the network is inert there."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(show_edge=False, pad_edge=False)
    for name in table.column_names:
        drawn.add_column(Text(shown(name)), overflow="fold")
    for row in _cells(table):
        drawn.add_row(*(Text("" if value is None else shown(str(_cell_text(value)))) for value in row))
    return drawn


def for_a_terminal(body: bytes) -> bytes:
    """CSV or JSON that a person looks at: inert, as in a table. JSON stays JSON."""
    return "\n".join(shown(line, len(line)) for line in body.decode("utf-8", "replace").split("\n")).encode()


def _cell_text(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
