"""detectors: which versions were approved, what they cover, drafts of new ones."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hsmtrail.commands.detectors import Ids, detectors, perhaps, tell_mistakes
from hsmtrail.commands.options import ConfigOption, configuration, print_json, print_table
from hsmtrail.failures import Misuse


class CoverageForm(enum.StrEnum):
    """How the coverage is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def add_to(_app: typer.Typer) -> None:
    """Beside the other commands of `hsmtrail detectors`."""
    detectors.command("approve")(approve_detectors)
    detectors.command("coverage")(show_coverage)
    detectors.command("from-sigma")(from_sigma)


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


def show_coverage(
    *,
    unserved: Annotated[bool, typer.Option("--open", help="Only what no detector serves.")] = False,
    form: Annotated[CoverageForm, typer.Option("--format", help="For people or for programs.")] = CoverageForm.TABLE,
    config: ConfigOption = None,
) -> None:
    """Show which recommendations, clauses and ATT&CK techniques which detectors serve, and what each cannot see."""
    from hsmtrail.catalogue import coverage_rows

    settings = perhaps(config)
    tell_mistakes(settings)
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

    for path in write_draft(perhaps(config), rule, out, identifier):
        typer.echo(path)
