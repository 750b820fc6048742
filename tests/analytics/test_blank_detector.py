"""The detector to copy in the documentation is one: it can be read, and its cases hold."""

import re
from pathlib import Path

from analytics.cases import run_cases
from analytics.detector import load

PAGE = Path(__file__).parents[2] / "docs" / "writing-detectors.md"


def test_the_blank_detector_of_the_documentation_works(tmp_path):
    """Copied as it stands."""
    blocks = dict(re.findall(r"```(sql|toml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    (tmp_path / "something_in_words.sql").write_text(blocks["sql"], encoding="utf-8")
    (tmp_path / "something_in_words.cases.toml").write_text(blocks["toml"], encoding="utf-8")
    results = run_cases(load(tmp_path / "something_in_words.sql"))
    assert [(result.name, result.trouble) for result in results] == [
        ("three accounts within an hour", ""),
        ("one joiner", ""),
    ]
