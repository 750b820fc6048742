"""What may be asked: one statement that reads. The other layers are the read-only transaction, the limits of the
instance, the time and the size; this one reads the statement itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import duckdb

from store.functions import (
    NAMES_A_TABLE,
    TABLE_FUNCTIONS,
    function_refused,
    table_function_refused,
    table_refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 100_000
NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
REFERENCES = frozenset(
    {"BASE_TABLE", "TABLE_FUNCTION", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF", "CTE"}
)
CLASSES = frozenset(
    """
    BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT DEFAULT FUNCTION LAMBDA LAMBDA_REF OPERATOR
    PARAMETER POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW
    """.split()  # noqa: SIM905
)
SHOWN = frozenset({"tables", "databases", "schemas", "__show_tables_expanded"})

COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
WORD = re.compile(r"\w+")
EXPLAIN = re.compile(r"explain\b", re.IGNORECASE)
OPTIONS = re.compile(r"\(\s*format\s+'?\w+'?\s*\)", re.IGNORECASE)
ASKS = frozenset(
    {"select", "from", "values", "with", "pivot", "pivot_wider", "unpivot", "describe", "summarize", "show"}
)
WRITES = frozenset(
    """
    alter analyze attach call checkpoint commit copy create deallocate delete detach drop execute export import insert
    install into load merge pragma prepare reset rollback set truncate update use vacuum
    """.split()  # noqa: SIM905
)
ALLOWED = (
    "one statement that reads: SELECT, FROM, VALUES, WITH, EXPLAIN, DESCRIBE, SUMMARIZE, SHOW TABLES, PIVOT, UNPIVOT"
)


class Refused(Exception):  # noqa: N818  (what the user is told)
    """The statement may not be asked; one sentence says why."""


def check(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refused unless the text is one statement that only reads what may be read; duckdb.Error when it is no SQL."""
    if len(sql) > LONGEST or "\0" in sql:
        raise Refused(f"a statement has at most {LONGEST:,} characters, and no NUL")
    if 'u&"' in sql.lower():
        raise Refused('names written as U&"…" are not allowed')
    statements = _statements(cursor, sql)
    kinds = [statement.type.name for statement in statements]
    if kinds == ["SELECT"]:
        _check_select(cursor, sql)
    elif kinds == ["EXPLAIN"]:
        _check_explain(cursor, sql)
    elif _is_pivot(statements):
        _check_words(cursor, sql)
    else:
        raise Refused(f"{', '.join(kinds) or 'nothing'} was asked; allowed is {ALLOWED}")


def _statements(cursor: duckdb.DuckDBPyConnection, sql: str) -> list[duckdb.Statement]:
    """An error of syntax in something that would write is a refusal: older versions do not know every way to write."""
    try:
        return cursor.extract_statements(sql)
    except duckdb.Error:
        words = {word.lower() for word in WORD.findall(sql)}
        if words & WRITES:
            raise Refused(f"{', '.join(sorted(words & WRITES)).upper()} is no reading; allowed is {ALLOWED}") from None
        raise


def _is_pivot(statements: list[duckdb.Statement]) -> bool:
    """PIVOT without its values: 1.5 makes types from the data first, without a text of their own; 2.0 says MULTI."""
    kinds = [statement.type.name for statement in statements]
    if kinds == ["MULTI"]:
        return True
    generated = not any(statement.query for statement in statements)
    return generated and len(kinds) > 1 and set(kinds[:-1]) == {"CREATE"} and kinds[-1] == "SELECT"


def _check_select(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    tree = _tree(cursor, sql)
    if tree["error"]:
        raise Refused(f"this statement cannot be examined; allowed is {ALLOWED}")
    try:
        for node in _nodes(tree["statements"]):
            _check_node(node)
    except KeyError as missing:
        raise Refused(f"this statement cannot be examined: {missing}") from None


def _tree(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    ((text,),) = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(text)
    return tree


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion: it may be deep."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_node(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if isinstance(kind, str):
        _check_kind(node, kind)
    name = node.get("function_name")
    if isinstance(name, str) and function_refused(name):
        raise Refused(f"the function {name} is not allowed")


def _check_kind(node: dict[str, Any], kind: str) -> None:
    if kind.endswith("_NODE") and kind not in NODES:
        raise Refused(f"{kind.removesuffix('_NODE')} is no reading; allowed is {ALLOWED}")
    if "class" in node and node["class"] not in CLASSES:
        raise Refused(f"expressions of the kind {node['class']} are not allowed")
    if "sample" in node and "alias" in node and kind not in REFERENCES:
        raise Refused(f"{kind} is not allowed in place of a table")
    if kind == "BASE_TABLE":
        _check_table(node["table_name"])
    elif kind == "TABLE_FUNCTION":
        _check_table_function(node["function"])
    elif kind == "SHOW_REF":
        _check_shown(node)


def _check_table(name: str) -> None:
    if table_refused(name):
        raise Refused(f"{name} may not be read")


def _check_table_function(call: dict[str, Any]) -> None:
    name = call["function_name"]
    if table_function_refused(name):
        raise Refused(f"the function {name} is not allowed")
    if name.lower() not in NAMES_A_TABLE:
        return
    for text in _texts(call["children"] if "children" in call else call["arguments"]):  # 1.5 and 2.0
        for part in re.split(r"[.\"\s]+", text):
            _check_table(part)


def _texts(tree: object) -> Iterator[str]:
    for node in _nodes(tree):
        for value in node.values():
            yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _check_shown(node: dict[str, Any]) -> None:
    name = str(node.get("table_name", "")).strip('"')
    if node["show_type"] not in ("DESCRIBE", "SUMMARY", "SHOW_FROM") and name not in SHOWN:  # 2.0 shows settings so
        raise Refused(f"SHOW {name} is not allowed; DESCRIBE {name} may be")


def _check_explain(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    """EXPLAIN cannot be examined itself; what it explains can."""
    rest = _without_start(EXPLAIN, sql)
    inner = _without_start(OPTIONS, rest) if rest.startswith("(") and OPTIONS.match(rest) else rest
    statements = _statements(cursor, inner)
    if [statement.type.name for statement in statements] != ["SELECT"]:
        raise Refused("EXPLAIN may explain one SELECT, and not ANALYZE it")
    _check_select(cursor, inner)


def _without_start(start: re.Pattern[str], sql: str) -> str:
    """What follows the first word or so, comments and blanks before and behind it left out."""
    text = _without_comments(sql)
    found = start.match(text)
    return _without_comments(text[found.end() :]) if found else ""


def _without_comments(sql: str) -> str:
    place = 0
    while found := COMMENT.match(sql, place):
        place = found.end()
    return sql[place:]


def _check_words(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    """A PIVOT that takes its columns from the data cannot be examined: no word in it may be one that is refused."""
    words = {word.lower() for word in WORD.findall(sql)}
    first = WORD.search(_without_comments(sql))
    if first is None or first[0].lower() not in ASKS:
        raise Refused(f"this statement cannot be examined; allowed is {ALLOWED}")
    named = cursor.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        " WHERE function_type IN ('table', 'table_macro', 'pragma')"
    ).fetchall()
    refused = {name for (name,) in named} - TABLE_FUNCTIONS
    for word in sorted(words):
        if word in WRITES | refused or function_refused(word) or table_refused(word):
            raise Refused(f"{word} is not allowed together with PIVOT without IN (…)")
