"""baseline, changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.log import shown
from hsmtrail.words import ChangeKind

baseline = typer.Typer(no_args_is_help=True, help="The configuration: show it, approve it, bring console output.")
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
    """Show each setting as approved and as last told or seen, and which of the two."""
    from hsmtrail.client import ask
    from hsmtrail.errands.baseline import ShowBaseline

    rows = ask(configuration(config), ShowBaseline(devices=device or [], at=at))
    if form is Form.JSON:
        print_json(rows)
        return
    columns = ("device", "setting", "partition", "approved", "observed", "source", "verdict")
    told = [
        {
            **row,
            "source": _source(row),
            "verdict": " since ".join(filter(None, (row["verdict"], _second(row.get("since", ""))))),
        }
        for row in rows
    ]
    print_table("", told, columns, "no setting was observed yet")


def _source(row: dict[str, Any]) -> str:
    """Told or observed, and when; seen again when; what had stood before console output showed another value."""
    if "source" not in row:
        return ""
    said = f"{row['source']} {_second(row['observed_at'])}"
    said += f", not {row['before']} as before" if "before" in row else ""
    return said + (f", seen again {_second(row['confirmed_at'])}" if "confirmed_at" in row else "")


def _second(instant: str) -> str:
    return instant[:19].replace("T", " ")


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


@baseline.command("observe")
def observe_console(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Saved console output; its prompts may stay.")],
    device: Annotated[str, typer.Option(help="The device that printed it.")],
    at: Annotated[str, typer.Option(help="When it was printed, UTC.")],
    partition: Annotated[str, typer.Option(help="The partition of output that names none, such as LunaCM's.")] = "",
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Import what console output shows of a device at a moment: all files, or none and why."""
    from hsmtrail.client import ask
    from hsmtrail.console_files import read_files
    from hsmtrail.errands.observations import ObserveConsole

    brought = {"device": device, "at": at, "partition": partition, "files": read_files(files)}
    rows = ask(configuration(config), ObserveConsole.model_validate(brought))
    if form is Form.JSON:
        print_json(rows)
        return
    for row in rows:
        typer.echo(
            shown(f"{row['file']}: observation {row['id']} ({row['outcome']}), {row['settings']} settings of {device}")
        )
        for one in row["left_out"]:
            typer.echo(shown(f"  line {one['line']} left out: {one['why']}: {one['text']}"))


@baseline.command("observations")
def list_observations(device: Devices = None, form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """List imported console output, the newest moment first."""
    from hsmtrail.client import ask
    from hsmtrail.errands.observations import ListObservations

    rows = ask(configuration(config), ListObservations(devices=device or []))
    if form is Form.JSON:
        print_json(rows)
        return
    columns = ("id", "device", "at", "file", "sha256", "settings", "left_out", "imported_by", "withdrawn_at")
    print_table("", rows, columns, "no console output was imported")


@baseline.command("withdraw")
def withdraw_observation(
    number: Annotated[int, typer.Argument(metavar="ID", help="Of the observation.")],
    reason: Annotated[str, typer.Option(help="Why it counts for nothing.")],
    config: ConfigOption = None,
) -> None:
    """Take back console output that was of another device or moment; it is kept, and counts for nothing."""
    from hsmtrail.client import ask
    from hsmtrail.errands.observations import WithdrawObservation

    ask(configuration(config), WithdrawObservation(id=number, reason=reason))
    typer.echo(f"observation {number} is withdrawn")


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
