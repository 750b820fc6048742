"""The only place that opens DuckDB."""

import importlib.util
import sys

import pyarrow as pa

if importlib.util.find_spec("pandas") is None:
    # DuckDB tries to import pandas anew for each value that it is given, each id in a list of evidence too. Told once
    # that there is none, it writes findings of 9,300 records in a twentieth of the time.
    pa.array([0])  # pyarrow looks for pandas once, at its first list, and would take that None for the module
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # None is how Python keeps "not there"
