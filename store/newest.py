"""The commonest question, `SELECT … FROM events … ORDER BY … LIMIT n`, asked so that few columns are read.

DuckDB would put together every column of every record before it sorts: `records` is a join, and only over a plain
table does it fetch the other columns last. So the records are chosen first, by the columns that choose and sort them,
and then fetched by their ids.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

VIEWS = frozenset(
    {"records", "events", "unknown", "unknown_forms", "audit_records", "lunash_commands", "logins"}
)  # one row for each record
MOST = 10_000
"""Of more records than these the ids are no shorter way."""

OTHERWISE = ("group_expressions", "group_sets", "having", "sample", "qualify")
"""Parts of a question that this is not for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A statement and its parameters."""

    sql: str
    parameters: Sequence[object] | Mapping[str, object] | None


def fetched_last(cursor: duckdb.DuckDBPyConnection, asked: Question) -> Question:
    """A question with the same answer in the same transaction; the same one when it is of another kind."""
    tree = _tree(cursor, asked.sql)
    if tree["error"] or len(tree["statements"]) != 1 or not _is_newest(tree["statements"][0]["node"]):
        return asked
    node = tree["statements"][0]["node"]
    id_only = _tree(cursor, "SELECT record_id FROM records")["statements"][0]["node"]["select_list"]
    tree["statements"][0]["node"] = {**node, "select_list": id_only}
    try:
        ids_only = _sql(cursor, tree)
    except ValueError:  # a number like 1e400: JSON has no word for infinity
        return asked
    found = cursor.execute(ids_only, asked.parameters or None).fetchmany(MOST + 1)
    if len(found) > MOST:
        return asked
    ids = ", ".join(str(int(number)) for (number,) in found) or "NULL"
    chosen = _tree(cursor, f"SELECT record_id FROM records WHERE record_id IN ({ids})")  # noqa: S608  (numbers)
    where = chosen["statements"][0]["node"]["where_clause"]
    tree["statements"][0]["node"] = {**node, "modifiers": node["modifiers"][:1], "where_clause": where}
    return Question(_sql(cursor, {**tree, "statements": [{**tree["statements"][0], "named_param_map": []}]}), None)


def _sql(cursor: duckdb.DuckDBPyConnection, tree: dict[str, Any]) -> str:
    ((text,),) = cursor.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree, allow_nan=False)]).fetchall()
    return str(text)


def _tree(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    ((text,),) = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(text)
    return tree


def _is_newest(node: dict[str, Any]) -> bool:
    """Plain columns of one view of records, sorted by plain columns, with a limit."""
    if node["type"] != "SELECT_NODE" or node["cte_map"]["map"] or any(node[part] for part in OTHERWISE):
        return False
    if node["aggregate_handling"] != "STANDARD_HANDLING":  # GROUP BY ALL
        return False
    if [modifier["type"] for modifier in node["modifiers"]] != ["ORDER_MODIFIER", "LIMIT_MODIFIER"]:
        return False
    table = node["from_table"]
    orders = [order["expression"] for order in node["modifiers"][0]["orders"]]
    return (
        table["type"] == "BASE_TABLE"
        and table["table_name"].lower() in VIEWS
        and not (table["sample"] or table["column_name_alias"])
        and all(order["class"] == "COLUMN_REF" for order in orders)
        and all(_is_plain(column) for column in node["select_list"])
    )


def _is_plain(column: dict[str, Any]) -> bool:
    """A column by its own name, or all of them."""
    if column["class"] == "STAR":
        return not (column["columns"] or column["expr"] or column["replace_list"] or column["rename_list"])
    return column["class"] == "COLUMN_REF" and not column["alias"]
