"""detectors, findings."""

from __future__ import annotations

from typing import Annotated

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.failures import Failure, Misuse
from hsmtrail.words import Disposition, State

detectors = typer.Typer(no_args_is_help=True, help="What is looked for: list, show, test, run, try.")
findings = typer.Typer(no_args_is_help=True, help="What was found: list, show, acknowledge, close.")
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Detector ids, such as AUTH-01.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(detectors, name="detectors")
    app.add_typer(findings, name="findings")


@detectors.command("list")
def list_detectors(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """List every detector with its header and the SHA-256 of its file."""
    from hsmtrail.catalogue import catalogue

    rows = catalogue(configuration(config))
    if form is Form.JSON:
        print_json(rows)
        return
    print_table("", rows, ("id", "title", "kind", "severity", "every", "enabled", "not_measured"), "no detector")


@detectors.command("show")
def show_detector(
    identifier: Annotated[str, typer.Argument(metavar="ID")], form: FormOption = Form.TABLE, config: ConfigOption = None
) -> None:
    """Show one detector: header, parameters in force, SQL."""
    from hsmtrail.catalogue import catalogue, source

    settings = configuration(config)
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
    from hsmtrail.commands.options import PLACES

    settings = configuration(config) if config is not None or any(place.exists() for place in PLACES) else None
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


@findings.command("list")
def list_findings(
    states: Annotated[list[State] | None, typer.Option("--state", help="Repeat it for several.")] = None,
    detector: Annotated[str | None, typer.Option(help="Of one detector.")] = None,
    since: Annotated[str | None, typer.Option(help="Last seen since: 7d, or a day.")] = None,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """List findings; all but superseded ones."""
    from hsmtrail.client import ask
    from hsmtrail.errands.findings import ListFindings

    rows = ask(configuration(config), ListFindings(states=states or [], detector=detector, since=since))
    if form is Form.JSON:
        print_json(rows)
        return
    print_table("", rows, ("id", "detector", "severity", "state", "subject", "first_seen", "last_seen"), "no findings")


@findings.command("show")
def show_finding(
    number: Annotated[int, typer.Argument(metavar="ID")], form: FormOption = Form.TABLE, config: ConfigOption = None
) -> None:
    """Show one finding with its history and the lines behind it."""
    from hsmtrail.client import ask
    from hsmtrail.errands.findings import ShowFinding

    finding = ask(configuration(config), ShowFinding(id=number))
    if form is Form.JSON:
        print_json(finding)
        return
    facts = [{"what": key, "value": value} for key, value in finding.items() if key not in ("evidence", "history")]
    print_table("", facts, ("what", "value"), "")
    print_table("history", finding["history"], ("at", "action", "by", "note"), "no history")
    print_table("evidence", finding["evidence"], ("record_id", "event_at", "raw"), "no records")


Identifier = Annotated[int, typer.Argument(metavar="ID")]
Note = Annotated[str, typer.Option(help="What you know about it.")]


@findings.command("ack")
def acknowledge_finding(number: Identifier, note: Note = "", config: ConfigOption = None) -> None:
    """Say that somebody looks after it."""
    from hsmtrail.client import ask
    from hsmtrail.errands.findings import AcknowledgeFinding

    finding = ask(configuration(config), AcknowledgeFinding(id=number, note=note))
    typer.echo(f"finding {finding['id']} is {finding['state']}")


@findings.command("close")
def close_finding(
    number: Identifier,
    disposition: Annotated[Disposition, typer.Option(help="What it was.")],
    note: Note = "",
    config: ConfigOption = None,
) -> None:
    """Close it, and say what it was."""
    from hsmtrail.client import ask
    from hsmtrail.errands.findings import CloseFinding

    finding = ask(configuration(config), CloseFinding(id=number, disposition=disposition, note=note))
    typer.echo(f"finding {finding['id']} is {finding['state']}: {finding['disposition']}")
