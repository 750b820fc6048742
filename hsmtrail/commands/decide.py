"""baseline, changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.words import ChangeKind

baseline = typer.Typer(no_args_is_help=True, help="The approved configuration: show, approve.")
changes = typer.Typer(no_args_is_help=True, help="Approved changes: add, import, list.")
Devices = Annotated[list[str] | None, typer.Option("--device", help="A device; repeat it for several.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(baseline, name="baseline")
    app.add_typer(changes, name="changes")


@baseline.command("show")
def show_baseline(
    device: Devices = None,
    at: Annotated[str | None, typer.Option(help="As observed at that moment, UTC.")] = None,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Show each setting as approved and as last observed."""
    from hsmtrail.client import ask
    from hsmtrail.errands.baseline import ShowBaseline

    rows = ask(configuration(config), ShowBaseline(devices=device or [], at=at))
    if form is Form.JSON:
        print_json(rows)
        return
    columns = ("device", "setting", "partition", "approved", "observed", "observed_at", "verdict")
    shown = [{**row, "verdict": " since ".join(filter(None, (row["verdict"], row.get("since"))))} for row in rows]
    print_table("", shown, columns, "no setting was observed yet")


@baseline.command("approve")
def approve_baseline(
    reason: Annotated[str, typer.Option(help="Why this is right, with the ticket.")],
    device: Devices = None,
    setting: Annotated[list[str] | None, typer.Option(help="A setting; repeat it for several.")] = None,
    at: Annotated[str | None, typer.Option(help="As observed at that moment, UTC; now by itself.")] = None,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Approve what is observed: all of it, some devices, or some settings."""
    from hsmtrail.client import ask
    from hsmtrail.errands.baseline import ApproveBaseline

    answer = ask(
        configuration(config), ApproveBaseline(devices=device or [], settings=setting or [], reason=reason, at=at)
    )
    if form is Form.JSON:
        print_json(answer)
        return
    typer.echo(f"approved {len(answer['approved'])} settings")


@changes.command("add")
def add_change(
    device: Annotated[list[str], typer.Option("--device", help="A device; repeat it for several.")],
    begin: Annotated[str, typer.Option("--from", help="Begin, UTC.")],
    end: Annotated[str, typer.Option("--to", help="End, UTC.")],
    ticket: Annotated[str, typer.Option(help="The change's number.")],
    kind: Annotated[ChangeKind, typer.Option(help="What it is for.")] = ChangeKind.CHANGE,
    note: Annotated[str, typer.Option(help="What is done.")] = "",
    config: ConfigOption = None,
) -> None:
    """Record an approved change; past ones too."""
    from hsmtrail.client import ask
    from hsmtrail.errands.changes import AddChange

    change = AddChange(devices=device, begin=begin, end=end, ticket=ticket, kind=kind, note=note)
    answer = ask(configuration(config), change)
    typer.echo(f"recorded {ticket} for {', '.join(row['device'] for row in answer)}")


@changes.command("import")
def import_changes(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON: device, from, to, ticket, kind, note.")],
    config: ConfigOption = None,
) -> None:
    """Record the approved changes of a CSV or JSON file: all of them, or none and why."""
    from hsmtrail.change_files import read_changes
    from hsmtrail.client import ask
    from hsmtrail.errands.changes import AddChanges

    added = ask(configuration(config), AddChanges(changes=read_changes(file)))
    typer.echo(f"recorded {len(added)} changes")


@changes.command("list")
def list_changes(device: Devices = None, form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """List recorded changes, newest first."""
    from hsmtrail.client import ask
    from hsmtrail.errands.changes import ListChanges

    rows = ask(configuration(config), ListChanges(devices=device or []))
    if form is Form.JSON:
        print_json(rows)
        return
    print_table("", rows, ("id", "device", "from", "to", "ticket", "kind", "note"), "no change is recorded")
