"""The table of bad input: every row has its test, under the name that it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line.split("|")[1:-1]
    for line in (ROOT / "docs" / "reference" / "bad-input.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "what be" not in line
]
TESTS = set(
    re.findall(r"^def (test_\w+)", "\n".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py")), re.MULTILINE)
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_every_row_is_tested(row):
    """Its last column names tests that are there."""
    names = set(re.findall(r"test_\w+", row[-1]))
    assert names
    assert names <= TESTS
