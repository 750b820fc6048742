"""Regular expressions are RE2's: DuckDB says which it knows."""

from __future__ import annotations

import duckdb

from analytics.manners import scratch


def trouble(expression: str) -> str:
    """Why it is none; '' for one that is."""
    try:
        scratch().cursor().execute("SELECT regexp_matches('', $expression)", {"expression": expression})
    except (duckdb.Error, UnicodeEncodeError) as error:
        return f"RE2 does not know this regular expression: {str(error).splitlines()[0][:200]}"
    return ""
