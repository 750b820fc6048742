"""findings."""

from __future__ import annotations

from typing import Annotated

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.words import Disposition, State

findings = typer.Typer(no_args_is_help=True, help="What was found: list, show, acknowledge, close.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(findings, name="findings")


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
