"""detectors."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hsmtrail.commands.options import (
    PLACES,
    ConfigOption,
    Form,
    FormOption,
    configuration,
    print_json,
    print_table,
)
from hsmtrail.failures import Failure, Misuse
from hsmtrail.log import shown

if TYPE_CHECKING:
    from hsmtrail.config import Configuration

detectors = typer.Typer(no_args_is_help=True, help="What is looked for: list, show, test, run, try, approve, coverage.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Detector ids, such as AUTH-01.")]


class CoverageForm(enum.StrEnum):
    """How the coverage is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def add_to(app: typer.Typer) -> None:
    app.add_typer(detectors, name="detectors")


@detectors.command("list")
def list_detectors(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """List every detector with its header and the SHA-256 of its file."""
    from hsmtrail.catalogue import catalogue

    settings = configuration(config)
    _tell_mistakes(settings)
    rows = catalogue(settings)
    if form is Form.JSON:
        print_json(rows)
        return
    version = ("version",) if any(row["version"] for row in rows) else ()
    columns = ("id", "title", "kind", "severity", "every", "enabled", *version, "not_measured")
    print_table("", rows, columns, "no detector")


@detectors.command("show")
def show_detector(
    identifier: Annotated[str, typer.Argument(metavar="ID")], form: FormOption = Form.TABLE, config: ConfigOption = None
) -> None:
    """Show one detector: header, parameters in force, SQL."""
    from hsmtrail.catalogue import catalogue, source

    settings = configuration(config)
    _tell_mistakes(settings)
    entries = [row for row in catalogue(settings) if row["id"] == identifier]
    if not entries:
        raise Misuse(f"there is no detector {identifier}; `hsmtrail detectors list` names them")
    if form is Form.JSON:
        print_json({**entries[0], "sql": source(settings, identifier)})
        return
    typer.echo(source(settings, identifier))


@detectors.command("test")
def test_detectors(identifiers: Ids = None, form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """Run every detector's cases in a database of their own."""
    from hsmtrail.catalogue import run_all_cases

    settings = _perhaps(config)
    _tell_mistakes(settings)
    results = run_all_cases(settings, identifiers or [])
    unknown = sorted(set(identifiers or []) - {row["detector"] for row in results})
    if unknown:
        raise Misuse(f"there is no detector {', '.join(unknown)}; `hsmtrail detectors list` names them")
    failed = [row for row in results if not row["passed"]]
    if form is Form.JSON:
        print_json(results)
    else:
        print_table("failed", failed, ("detector", "case", "trouble"), f"{len(results)} cases passed")
    if failed:
        raise Failure(f"{len(failed)} of {len(results)} cases failed")


@detectors.command("run")
def run_detectors(
    identifiers: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every detector.")] = False,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Run detectors now, and wait until they are done."""
    from hsmtrail.client import ask
    from hsmtrail.errands.detectors import RunDetectors

    if not identifiers and not everything:
        raise Misuse("name detectors, or say --all")
    rows = ask(configuration(config), RunDetectors(ids=identifiers or []))
    if form is Form.JSON:
        print_json(rows)
        return
    print_table("", rows, ("detector", "state", "findings", "seconds", "error"), "nothing ran")


@detectors.command("try")
def try_detector(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, or a day.")] = "30d",
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Show what a detector would have found, and how that differs from what it did. Sends nothing."""
    from hsmtrail.client import ask
    from hsmtrail.errands.detectors import TryDetector

    tried = ask(configuration(config), TryDetector(id=identifier, since=since))
    if form is Form.JSON:
        print_json(tried["rows"])
        return
    columns = ("difference", "severity", "subject", "first_seen", "last_seen", "columns")
    print_table("", tried["rows"], columns, "it found nothing")
    typer.echo(_differences([row["difference"] for row in tried["rows"]]))
    if tried["waiting"]:
        typer.echo(f"{tried['waiting']} newer batches wait to be judged: `hsmtrail detectors run {identifier}`")


def _differences(found: list[str]) -> str:
    told = [f"{found.count(word)} {word}" for word in ("new", "changed", "gone") if word in found]
    return f"difference: {', '.join(told)}" if told else "no difference: it finds what it found"


@detectors.command("approve")
def approve_detectors(
    reason: Annotated[str, typer.Option(help="Why these versions are right: who looked, which ticket.")],
    identifiers: Ids = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every detector.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the versions of detectors into detectors.lock: from then on a changed one is told."""
    from hsmtrail.catalogue import approve

    if not identifiers and not everything:
        raise Misuse("name detectors, or say --all")
    settings = configuration(config)
    changed = approve(settings, identifiers or [], reason)
    typer.echo(f"approved {', '.join(changed)}" if changed else "nothing had changed")


@detectors.command("coverage")
def show_coverage(
    *,
    unserved: Annotated[bool, typer.Option("--open", help="Only what no detector serves.")] = False,
    form: Annotated[CoverageForm, typer.Option("--format", help="For people or for programs.")] = CoverageForm.TABLE,
    config: ConfigOption = None,
) -> None:
    """Show which recommendations, clauses and ATT&CK techniques which detectors serve, and what each cannot see."""
    from hsmtrail.catalogue import coverage_rows

    settings = _perhaps(config)
    _tell_mistakes(settings)
    rows = [row for row in coverage_rows(settings) if not (unserved and row["detectors"])]
    if form is CoverageForm.JSON:
        print_json(rows)
    elif form is CoverageForm.CSV:
        _print_csv(rows)
    else:
        _print_coverage(rows)


def _print_coverage(rows: list[dict[str, Any]]) -> None:
    for kind in ("recommendation", "clause", "technique"):
        demands = [row for row in rows if row["kind"] == kind]
        print_table(f"{kind}s", demands, ("name", "what", "detectors", "otherwise"), f"every {kind} is served")
        typer.echo(f"{sum(bool(row['detectors']) for row in demands)} of {len(demands)} are served by a detector\n")
    blind = [row for row in rows if row["kind"] == "detector"]
    print_table(
        "what detectors cannot see", blind, ("name", "what", "blind_spots", "otherwise"), "every detector is on"
    )


def _print_csv(rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from hsmtrail.formats import as_csv

    flat = [
        {name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
    ]
    sys.stdout.write(as_csv(pa.Table.from_pylist(flat)).decode())


@detectors.command("from-sigma")
def from_sigma(
    rule: Annotated[Path, typer.Argument(metavar="FILE", help="A Sigma rule, or one and the correlation counting it.")],
    out: Annotated[Path, typer.Option(help="Folder for the two files.")] = Path(),
    identifier: Annotated[
        str | None, typer.Option("--id", help="Of the detector; SIGMA-01, or the next that is free, by itself.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Draft a detector from a Sigma rule: FILE becomes .sql and .cases.toml, or is refused with the reason's line."""
    from hsmtrail.from_sigma import write_draft

    for path in write_draft(_perhaps(config), rule, out, identifier):
        typer.echo(path)


def _tell_mistakes(settings: Configuration | None) -> None:
    """A file that is broken is missing from what follows, and that must not look as if it were not there."""
    from hsmtrail.catalogue import mistakes

    for mistake in mistakes(settings):
        typer.echo(f"not in use: {shown(mistake)}", err=True)


def _perhaps(config: Path | None) -> Configuration | None:
    """The configuration when there is one: the built-in detectors need none."""
    return configuration(config) if config is not None or any(place.exists() for place in PLACES) else None
