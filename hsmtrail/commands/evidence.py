"""verify, recover."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.failures import Failure


def add_to(app: typer.Typer) -> None:
    for command in (verify, recover):
        app.command()(command)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """What this user may not read is a sentence."""
    try:
        yield
    except PermissionError as error:
        raise Failure(f"{error.filename}: {error.strerror}; run this as the user that hsmtrail runs as") from None


def verify(
    anchor: Annotated[
        list[str] | None, typer.Option(metavar="BATCH=SHA256", help="A head that was sent out; repeat it for several.")
    ] = None,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Prove the evidence byte for byte, and the store against it; the service may run. Exit status 1: a fault."""
    from hsmtrail.verify import progress
    from hsmtrail.verify import verify as prove

    with progress(shown=form is Form.TABLE) as show, _readable():
        found = prove(configuration(config), show, anchor)
    if form is Form.JSON:
        print_json(found)
    else:
        _print(found)
    if not found["ok"]:
        count = len(found["faults"])
        raise Failure(f"{count} fault{'' if count == 1 else 's'} found; docs/evidence.md says what to do")


def _print(found: dict[str, Any]) -> None:
    for title in ("faults", "notes"):
        if found[title]:
            rows = [{**one, "bytes": f"{one['begin']}-{one['end']}" if "end" in one else ""} for one in found[title]]
            print_table(title, rows, ("file", "bytes", "what"), "")
    for head in found["heads"]:
        typer.echo(f"{head['name']}: {head['batches']:,} batches, {head['records']:,} records, head {head['sha256']}")
    if found["manifest"]:
        typer.echo(f"archive: head of the manifest {found['manifest']}")
    typer.echo(f"MACs {found['macs']}")
    if found["store"]:
        typer.echo(f"store: {found['store']['records']:,} records as they were received")
    if found["ok"]:
        typer.echo("nothing is wrong")


def recover(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """Make the store again from archive and spool, while the service is stopped; the old one is set aside."""
    from hsmtrail.recover import progress
    from hsmtrail.recover import recover as rebuild

    with progress(shown=form is Form.TABLE) as show, _readable():
        made = rebuild(configuration(config), show)
    if form is Form.JSON:
        print_json(made)
    else:
        _print_recovered(made)
    if not made["ok"]:
        raise Failure("a part of the evidence is damaged or missing: what was whole is in the store, the rest is named")


def _print_recovered(made: dict[str, Any]) -> None:
    if made["damaged"]:
        rows = [{**one, "bytes": f"{one['begin']}-{one['end']}"} for one in made["damaged"]]
        print_table("damaged", rows, ("file", "bytes", "what"), "")
    print_table("missing", made["missing"], ("spool", "first_batch", "last_batch"), "no batch is missing")
    if made["not_carried"]:
        lost = [{"table": table, "why": why} for table, why in made["not_carried"].items()]
        print_table("not carried over from the old store", lost, ("table", "why"), "")
    if made.get("note"):
        typer.echo(made["note"])
    typer.echo(
        f"{made['records']:,} records in {made['batches']:,} batches, {made['copies']:,} copies; "
        f"{sum(made['carried'].values()):,} rows carried over"
    )
    typer.echo(f"findings judged again: {made['findings_changed']} changed")
    for path in made["aside"]:
        typer.echo(f"set aside: {path}")
