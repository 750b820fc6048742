"""The whole pack as one golden file: a reviewer sees every change of it."""

import os
from pathlib import Path

from reports.pack import make_pack
from reports.render import render
from support.shelf import WEEK

GOLDEN = Path(__file__).parents[1] / "golden" / "pack.html"


def test_golden_pack(lively, settings):
    """The pack of the lively week is the golden one, to the byte; `make golden` renews it."""
    made = render(make_pack(lively.con, WEEK, settings))
    if os.environ.get("GOLDEN") == "renew":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(made, encoding="utf-8")
    assert made == GOLDEN.read_text(encoding="utf-8")
