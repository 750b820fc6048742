"""A newcomer's walk through docs/writing-patterns.md: every command and file of it, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "writing-patterns.md"
BLOCK = re.compile(r"(?:[^\n]*`([\w/]+\.toml)`:\n\n)?```(console|toml)\n(.*?)```", re.DOTALL)


@pytest.fixture
def run(tmp_path):
    """A shell in an empty folder, in which `hsmtrail` is the command."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "hsmtrail"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hsmtrail "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "site").mkdir()
    path = f"{program.parent}:{os.environ['PATH']}"

    def shell(command):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path / "site",
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout)
        return done.stdout

    return shell


def as_printed(expected):
    """The output that the page shows; … stands for anything."""
    return ".*".join(re.escape(part) for part in expected.split("…"))


def test_the_page_leads_from_an_unknown_line_to_a_tested_pattern(run, tmp_path):
    """Each command ends well and prints what the page says."""
    commands = 0
    for file, kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "toml":
            assert file, "each file of the page is named in the line before it"
            (tmp_path / "site" / file).write_text(text, encoding="utf-8")
            continue
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            commands += 1
            printed = run(command)
            assert re.search(as_printed(expected.rstrip("\n")), printed, re.DOTALL), (command, printed)
    assert commands >= 8
