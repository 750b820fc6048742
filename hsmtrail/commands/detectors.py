"""detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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
    from pathlib import Path

    from hsmtrail.config import Configuration

detectors = typer.Typer(no_args_is_help=True, help="What is looked for: list, show, test, run, try, approve, coverage.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Detector ids, such as AUTH-01.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(detectors, name="detectors")


@detectors.command("list")
def list_detectors(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """List every detector with its header and the SHA-256 of its file."""
    from hsmtrail.catalogue import catalogue

    settings = configuration(config)
    tell_mistakes(settings)
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
    tell_mistakes(settings)
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

    settings = perhaps(config)
    tell_mistakes(settings)
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


def tell_mistakes(settings: Configuration | None) -> None:
    """A file that is broken is missing from what follows, and that must not look as if it were not there."""
    from hsmtrail.catalogue import mistakes

    for mistake in mistakes(settings):
        typer.echo(f"not in use: {shown(mistake)}", err=True)


def perhaps(config: Path | None) -> Configuration | None:
    """The configuration when there is one: the built-in detectors need none."""
    return configuration(config) if config is not None or any(place.exists() for place in PLACES) else None
