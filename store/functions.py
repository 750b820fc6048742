"""Which of DuckDB's functions and internal tables a question may use: none that touches a file, the network, a
setting, a secret, our memory, or that runs SQL out of a text (which the guard could not read).
"""

from __future__ import annotations

import re

TABLE_FUNCTIONS = frozenset(
    """
    duckdb_columns duckdb_constraints duckdb_coordinate_systems duckdb_dependencies duckdb_functions duckdb_indexes
    duckdb_keywords duckdb_memory duckdb_optimizers duckdb_schemas duckdb_sequences duckdb_tables duckdb_types
    duckdb_views generate_series generate_subscripts histogram histogram_values icu_calendar_names json_each json_tree
    pg_timezone_names pragma_collations pragma_platform pragma_show pragma_storage_info pragma_table_info
    pragma_version range repeat repeat_row summary test_all_types test_vector_types unnest
    """.split()  # noqa: SIM905  (a table of words reads best as one)
)
"""Allowed where a table stands; a newer DuckDB's are refused until they are named here."""

NAMES_A_TABLE = frozenset({"histogram", "histogram_values", "pragma_show", "pragma_storage_info", "pragma_table_info"})
"""Table functions whose first argument is the name of a table."""

REFUSED = frozenset(
    """
    add_parquet_key checkpoint current_setting force_checkpoint getenv json_execute_serialized_sql
    json_serialize_plan nextval query query_table setval which_secret write_log
    """.split()  # noqa: SIM905
)
"""Functions of values that are refused by name …"""

REFUSED_PATTERN = re.compile(
    r"__|(?:read|write|copy|load|install|attach|detach|import|export|enable|disable|truncate|set)_(?!bit)|.*_scan(?:_dumb)?$"
    r"|scan_|sniff_|http|glob$|.*secret|.*_setting|parquet_(?!.*variant)|python_|.*_checkpoint"
)
"""… and by what they are called, so that a newer DuckDB's are refused as well."""

TABLES = frozenset(
    """
    duckdb_columns duckdb_constraints duckdb_indexes duckdb_schemas duckdb_tables duckdb_types duckdb_views
    pg_am pg_attrdef pg_attribute pg_class pg_collation pg_constraint pg_depend pg_description pg_enum pg_index
    pg_indexes pg_namespace pg_proc pg_sequence pg_sequences pg_tables pg_tablespace pg_type pg_views
    """.split()  # noqa: SIM905
)
"""Internal tables that may be read, among those whose names begin as INTERNAL says."""

INTERNAL = ("duckdb_", "pg_", "pragma_")
OUTSIDE = re.compile(r"[/\\*?:]|\.[a-z0-9]{2,8}$")
"""A file or an address in place of a table's name."""


def function_refused(name: str) -> bool:
    """For a function of values."""
    plain = name.lower()
    return plain in REFUSED or REFUSED_PATTERN.match(plain) is not None


def table_function_refused(name: str) -> bool:
    return name.lower() not in TABLE_FUNCTIONS


def table_refused(name: str) -> bool:
    """Where a table's name stands."""
    plain = name.lower()
    return (plain.startswith(INTERNAL) and plain not in TABLES) or OUTSIDE.search(plain) is not None
