"""The papers: complete, short, and not stale."""

import re
from pathlib import Path

import pytest

from hsmtrail.reference import pages

ROOT = Path(__file__).parent.parent


MADE = [
    "commands.md",
    "configuration.md",
    "console.md",
    "coverage.md",
    "detectors.md",
    "headers.md",
    "meaning.md",
    "sigma.md",
]


@pytest.mark.parametrize("name", MADE)
def test_reference_pages_are_what_the_code_says(name):
    """`make docs` was run after the last change."""
    assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == pages()[name]


def test_the_readme_is_short_and_its_links_lead_somewhere():
    """At most 120 lines; every relative link is a file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 120
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_decision_is_one_page():
    """Numbered, titled, at most 80 lines."""
    papers = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(papers) >= 10
    for paper in papers:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", paper.name)
        assert paper.read_text(encoding="utf-8").count("\n") <= 80
