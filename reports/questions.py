"""Asks the store with the files of queries/, and remembers what was asked for the manifest."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import duckdb

    from reports.period import Period

Row = TypeVar("Row")

INCLUDE = re.compile(r"-- with: (\w+)\n")
NAME = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it went to the store: the expanded text's SHA-256 and the values bound to it."""

    query: str
    sha256: str
    parameters: dict[str, Any]


class Questions:
    """Every figure of one pack comes through here, so its question can be re-asked."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self.asked: list[Asked] = []

    def rows(self, shape: type[Row], query: str, period: Period, **parameters: object) -> tuple[Row, ...]:
        """One `shape` for every row; the query's columns are the dataclass's fields, by name."""
        text = load(query)
        values = {"begin": period.begin, "end": period.end, **parameters}
        bound = {name: values[name] for name in sorted(set(NAME.findall(text)))}
        self.asked.append(Asked(query, hashlib.sha256(text.encode()).hexdigest(), bound))
        answer = self._cursor.execute(text, bound)
        columns = [column[0] for column in answer.description or []]
        wanted = {field.name for field in fields(shape)}  # type: ignore[arg-type]
        if set(columns) != wanted:
            raise LookupError(f"queries/{query}.sql gives {columns}, {shape.__name__} wants {sorted(wanted)}")
        return tuple(shape(**dict(zip(columns, map(_frozen, row), strict=True))) for row in answer.fetchall())

    def row(self, shape: type[Row], query: str, period: Period, **parameters: object) -> Row:
        """The one row of a query that always gives one."""
        (only,) = self.rows(shape, query, period, **parameters)
        return only


@cache
def load(name: str) -> str:
    """A query's text, with what its first line includes in front of it as a table of that name."""
    text = (files("reports") / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    included = INCLUDE.match(text)
    if not included:
        return text
    return f"WITH {included[1]} AS (\n{load(included[1])})\n{text[included.end() :]}"


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
