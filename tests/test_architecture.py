"""The house: names, sizes, imports, and what is built from it."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import unicodedata
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hsmtrail", "ingest", "parsers", "store", "analytics", "reports")
TRACKED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
)
FILES = [ROOT / name for name in TRACKED.stdout.splitlines() if (ROOT / name).is_file()]
SOURCES = [path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_ships_our_names(package):
    """Generic package names are ours alone where hsmtrail is installed."""
    owners = importlib.metadata.packages_distributions().get(package, ["hsmtrail"])
    assert set(owners) == {"hsmtrail"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path):
    """A file has one noun (350 lines at the very most), a function one idea (50 lines)."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno <= 50, f"{node.name} is long"


def test_no_left_overs():
    """No note to do it later, and no silenced type error without its code."""
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b|# *type: *ignore(?!\[)")
    found = [str(path) for path in SOURCES if words.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_invisible_characters_in_what_people_read():
    """Sources and papers hold no bidirectional or zero-width characters: hostile text in samples and tests is escaped."""
    found = []
    for path in FILES:
        if path.suffix in (".py", ".md", ".sql", ".toml", ".j2", ".css") and "sample_logs" not in path.parts:
            text = path.read_text(encoding="utf-8")
            found += [f"{path}: U+{ord(c):04X}" for c in set(text) if unicodedata.category(c) == "Cf"]
    assert found == []


def test_nothing_points_outside():
    """No machine paths and no registry hosts stand in the repository."""
    pattern = re.compile(
        r"(?<![\w/.])/(wo" + r"rk|ro" + r"ot|fa" + r"rm)/|index-" + r"url|https?://[^\s\"']+/sim" + r"ple\b"
    )
    found = []
    for path in FILES:
        try:
            if pattern.search(path.read_text(encoding="utf-8")):
                found.append(str(path.relative_to(ROOT)))
        except UnicodeDecodeError:
            continue
    assert found == []


def test_locks_name_versions_and_hashes_only():
    """A lock carries no address, and each package has a hash."""
    for path in (ROOT / "locks").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in block, block


def test_every_make_target_has_a_line_of_help():
    """`make help` lists what there is."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "check", "fmt", "golden", "wheel"):
        assert re.search(rf"^{target} — \w", listed, re.MULTILINE), target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution, built from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=150,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_runs_outside_the_checkout(wheel, tmp_path):
    """From a venv of its own: the program starts, knows its detectors and patterns, and has its sample logs."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    site = next((home / "lib").glob("python3.*")) / "site-packages"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    (site / "dependencies.pth").write_text(_site_packages(), encoding="utf-8")

    def run(*words):
        python = home / "bin" / "python"
        done = subprocess.run(
            [python, "-m", "hsmtrail", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [home / "bin" / "python", "-c", "import parsers; print(parsers.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(home) in where
    assert "cases passed" in run("detectors", "test")
    line = "<174>Nov 23 08:15:01 h lunash [7]: info : 0 : Command: hsm show  : admin : Console\n"
    (tmp_path / "line").write_text(line)
    assert '"command": "hsm show"' in run("parse", "line")
    assert (site / "hsmtrail" / "sample_logs" / "stories.toml").exists()


def _site_packages():
    import duckdb

    return str(Path(duckdb.__file__).parent.parent)
