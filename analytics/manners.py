"""What a detector's SQL may do: one SELECT over the published views, with no clock but its parameters."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from analytics.header import Mistake
from store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PUBLISHED = frozenset(
    {
        "events",
        "audit_records",
        "lunash_commands",
        "logins",
        "unknown",
        "devices",
        "change_windows",
        "approved",
        "settings_told",
        "observations",
        "observed_settings",
        "observed_lists",
        "custody",
        "accounts",
        "ranges",
        "clients",
        "partitions",
        "custody_balance",
        "batches",
        "room",
        "unknown_forms",
        "open_findings",
        "runs",
        "outbox",
        "reviews",
        "attestations",
        "suppressions",
    }
)
"""What a detector may read."""

TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
OUTSIDE = frozenset(
    {"getenv", "getvariable", "current_setting", "age", "read_text", "read_blob", "query", "query_table"}
)
CLOCKS = frozenset(
    {
        "current_timestamp",
        "current_date",
        "current_time",
        "current_localtime",
        "current_localtimestamp",
        "localtime",
        "localtimestamp",
        "today",
        "now",
        "current_user",
        "session_user",
        "user",
    }
)
NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
BOUND = frozenset({"window_start", "window_end", "looks_back", "judged_until"})
WANTED = {"subject": "VARCHAR", "first_seen": "TIMESTAMP", "last_seen": "TIMESTAMP", "evidence": "UBIGINT[]"}
OPTIONAL = {"severity": "VARCHAR", "device": "VARCHAR", "in_change_window": "VARCHAR"}
SOME_DAY = datetime(2026, 11, 23)


@cache
def scratch() -> duckdb.DuckDBPyConnection:
    """An empty store in memory, with the real tables and views."""
    connection = duckdb.connect(":memory:", config={"threads": 1, "enable_external_access": "false"})
    migrate.migrate(connection, migrate.migrations(), migrate.views())
    return connection


def check(file: str, query: str, parameters: Mapping[str, object]) -> list[Mistake]:
    """Everything that is wrong with a query; line numbers are the file's when the query was cut from it by `header`."""
    try:
        statements = scratch().cursor().extract_statements(query)
    except duckdb.Error as error:
        return [_from_duckdb(file, query, error)]
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        return [Mistake(file, _first_line(query), "wants exactly one SELECT")]
    used = statements[0].named_parameters
    mistakes = [*_parameters(file, query, used, set(parameters)), *_reads(file, query)]
    return mistakes or _columns(file, query, {name: parameters.get(name, _some(name)) for name in used})


def check_condition(file: str, line: int, condition: str) -> list[Mistake]:
    """`watches` is one condition over a record."""
    query = f"SELECT 1 FROM events WHERE ({condition}\n)"  # noqa: S608  (looked through before it is run)
    try:
        alone = ";" not in condition and len(scratch().cursor().extract_statements(query)) == 1
        found = [mistake.what for mistake in _reads(file, query)] if alone else ["wants one condition, no ;"]
        if not found:
            scratch().cursor().execute(query)
    except duckdb.Error as error:
        found = [_from_duckdb(file, query, error).what]
    return [Mistake(file, line, f"watches: {what}") for what in found]


def _parameters(file: str, query: str, used: set[str], declared: set[str]) -> list[Mistake]:
    positional = sorted(name for name in used if name.isdigit())
    unknown = sorted(used - declared - BOUND - set(positional))
    wrong = [(f"${name}", f"${name} is no parameter of this detector") for name in unknown]
    wrong += [("?", "wants $names, not ?") for _ in positional[:1]]
    wrong += [("", f"parameter {name} is declared and never used") for name in sorted(declared - used)]
    wrong += [("", f"parameter {name} has the name of one that is always bound") for name in sorted(declared & BOUND)]
    if "window_end" not in used:
        wrong.append(("", "$window_end is never used"))
    return [Mistake(file, _line_with(query, text), what) for text, what in wrong]


def _reads(file: str, query: str) -> list[Mistake]:
    tree = _tree(query)
    if tree is None:
        return [Mistake(file, _first_line(query), "is no plain SELECT")]
    own = set(_common_tables(tree))
    wrong: dict[str, str] = {}
    for node in _nodes(tree):
        wrong |= _wrong_node(node, own)
    return [Mistake(file, _line_with(query, text), what) for text, what in wrong.items()]


def _wrong_node(node: dict[str, Any], own: set[str]) -> dict[str, str]:
    kind = str(node.get("type", ""))
    if kind == "BASE_TABLE":
        name = str(node["table_name"])
        plain = not node["schema_name"] and not node["catalog_name"]
        return {} if plain and name.lower() in own | PUBLISHED else {name: f"{name} is no published view"}
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"])
        return {} if name in TABLE_FUNCTIONS else {name: f"{name}() reads what is not published"}
    if kind == "FUNCTION":
        name = str(node["function_name"]).lower()
        return {name: f"{name}() depends on more than its arguments"} if name in _unsteady() | OUTSIDE else {}
    if kind == "COLUMN_REF" and len(node["column_names"]) == 1 and node["column_names"][0].lower() in CLOCKS:
        return {node["column_names"][0]: f"{node['column_names'][0]} is a clock: use $window_start and $window_end"}
    if kind.endswith("_NODE") and kind not in NODES:
        return {"": "wants a SELECT that writes nothing"}
    return {}


@cache
def _unsteady() -> frozenset[str]:
    """Functions that give another result at another time, in every form they have, as DuckDB itself says."""
    rows = (
        scratch()
        .cursor()
        .execute(
            "SELECT function_name FROM duckdb_functions() WHERE stability IS NOT NULL"
            " GROUP BY function_name HAVING bool_and(stability <> 'CONSISTENT')"
        )
    )
    return frozenset(name for (name,) in rows.fetchall())


def _tree(query: str) -> Any:  # noqa: ANN401  (JSON)
    text = scratch().cursor().execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": query}).fetchall()[0][0]
    document = json.loads(text)
    return None if document["error"] else document["statements"]


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _common_tables(tree: object) -> Iterator[str]:
    for node in _nodes(tree):
        if "cte_map" in node:
            yield from (str(entry["key"]).lower() for entry in node["cte_map"]["map"])


def _columns(file: str, query: str, values: dict[str, object]) -> list[Mistake]:
    """Bind and run it on an empty store: DuckDB's own complaint, or what the result lacks."""
    try:
        found = {name: str(kind) for name, kind, *_ in scratch().cursor().execute(query, bound(values)).description}
    except duckdb.Error as error:
        return [_from_duckdb(file, query, error)]
    wanted = WANTED | {name: kind for name, kind in OPTIONAL.items() if name in found}
    return [
        Mistake(file, _first_line(query), f"the result wants a column {name} of type {kind}")
        for name, kind in wanted.items()
        if found.get(name) != kind
    ]


def bound(values: Mapping[str, object]) -> dict[str, Any]:
    """Values as DuckDB takes them: a dict is a MAP, not a STRUCT."""
    kind = duckdb.map_type(duckdb.sqltypes.VARCHAR, duckdb.sqltypes.INTEGER)
    return {name: duckdb.Value(value, kind) if isinstance(value, dict) else value for name, value in values.items()}


def _some(name: str) -> object:
    return timedelta(days=1) if name == "looks_back" else SOME_DAY


def _from_duckdb(file: str, query: str, error: duckdb.Error) -> Mistake:
    text = str(error)
    place = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    what = " ".join(text.split("\n\nLINE", maxsplit=1)[0].split())
    return Mistake(file, int(place[1]) if place else _first_line(query), what)


def _first_line(query: str) -> int:
    return len(query) - len(query.lstrip("\n")) + 1


def _line_with(query: str, text: str) -> int:
    place = re.search(rf"{re.escape(text)}\b" if text[-1:].isalnum() else re.escape(text), query, re.IGNORECASE)
    return query.count("\n", 0, place.start()) + 1 if text and place else _first_line(query)
