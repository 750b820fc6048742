"""init, check, serve, receive, work, demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsmtrail.commands.options import ConfigOption, find_configuration
from hsmtrail.failures import Misuse


def add_to(app: typer.Typer) -> None:
    for command in (init, check, serve, receive, work, demo):
        app.command()(command)


def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")] = Path()) -> None:
    """Write a commented hsmtrail.toml."""
    from hsmtrail.template import write_configuration

    path = write_configuration(directory)
    typer.echo(f"Wrote {path}. Name your HSMs in it, then run: hsmtrail check --config {path}")


def check(
    config: ConfigOption = None,
    *,
    files: Annotated[bool, typer.Option("--files", help="Only the files, not ports and folders.")] = False,
) -> None:
    """Check configuration, patterns, detectors, ports and folders: all mistakes at once."""
    from hsmtrail.check import examine

    report = examine(find_configuration(config), machine=not files)
    for line in report.notes:
        typer.echo(line)
    for mistake in report.mistakes:
        typer.echo(mistake, err=True)
    if report.mistakes:
        count = f"{len(report.mistakes)} mistake" + ("" if len(report.mistakes) == 1 else "s")
        raise Misuse(f"{count} found; nothing was started")


def serve(config: ConfigOption = None) -> None:
    """Run the receiver and the service, and start either again when it ends. SIGHUP goes to both."""
    from hsmtrail import log, supervise

    path = find_configuration(config)
    if supervise.wrong_files(path):
        raise typer.Exit(supervise.USED_WRONGLY)
    log.configure()
    raise typer.Exit(supervise.serve(path))


def receive(config: ConfigOption = None) -> None:
    """Run the receiver alone: sockets to spool. SIGHUP: go on by what the configuration says now."""
    from hsmtrail import log, receiver
    from hsmtrail.config import load
    from hsmtrail.wiring_receiver import receiver_settings, settings_again

    path = find_configuration(config)
    settings = receiver_settings(load(path))
    log.configure()
    raise typer.Exit(receiver.run(settings, lambda: settings_again(path)))


def work(config: ConfigOption = None) -> None:
    """Run the service alone: spool to store, detectors, alerts, packs, HTTP. SIGHUP: begin again with what is new."""
    from hsmtrail import log, privileges, service
    from hsmtrail.config import load

    path = find_configuration(config)
    settings = load(path)
    log.configure()
    account = privileges.whom_to_become(settings.receiver.user, settings.receiver.group)
    if account is not None:
        privileges.give(settings.below(), account)
        privileges.become(account)
    raise typer.Exit(service.run(settings))


def demo(
    directory: Annotated[Path | None, typer.Option("--dir", help="Where it works; a new folder by itself.")] = None,
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave configuration and data there.")] = False,
) -> None:
    """Run the whole line on the sample logs over real loopback sockets."""
    from hsmtrail.demo import run

    raise typer.Exit(run(directory, keep=keep))
