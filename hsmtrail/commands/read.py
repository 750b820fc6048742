"""parse, import."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json
from hsmtrail.failures import Misuse


class Framing(enum.StrEnum):
    """How messages are told apart."""

    LF = "lf"
    OCTET_COUNTED = "octet-counted"
    NUL = "nul"


def add_to(app: typer.Typer) -> None:
    app.command("parse")(parse)
    app.command("import")(import_files)


def parse(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A file; `-` is standard input.")] = "-",
    framing: Annotated[Framing, typer.Option(help="How messages are told apart.")] = Framing.LF,
    received_at: Annotated[
        str | None, typer.Option(help="When a socket would have got them, UTC; now by itself.")
    ] = None,
    peer: Annotated[str, typer.Option(help="Who would have sent them.")] = "",
    config: ConfigOption = None,
) -> None:
    """Print what each line becomes, as JSON lines. Needs no configuration."""
    from hsmtrail.moments import moment
    from hsmtrail.parse import now, print_records

    settings = configuration(config) if config is not None else None
    at = moment(received_at) if received_at else now()
    if file == "-":
        print_records(sys.stdin.buffer, framing.value, at, peer, settings)
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  (closed below, apart from the error of opening)
    except OSError as error:
        raise Misuse(f"{file}: {error.strerror}") from None
    with stream:
        print_records(stream, framing.value, at, peer, settings)


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files; plain or gzip.")],
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Bring in log files: into the spool like everything else, then into the store."""
    from hsmtrail.importing import import_paths

    result = import_paths(configuration(config), paths, progress=form is Form.TABLE)
    if form is Form.JSON:
        print_json(result)
        return
    typer.echo(
        f"{result['files']} files, {result['lines']:,} lines: {result['new']:,} new, "
        f"{result['copies']:,} copies, {result['unparsed']:,} unparsed"
    )
