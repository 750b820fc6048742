"""The command line: one function per command, in hsmtrail/commands/."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from pydantic import ValidationError

import hsmtrail
from hsmtrail.commands import ask, decide, detector_files, detectors, evidence, read, run, watch
from hsmtrail.config import ConfigurationError
from hsmtrail.failures import Failure, sentence

app = typer.Typer(
    name="hsmtrail",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The security log of Thales Luna HSMs: kept as evidence, read into columns, watched and reviewed.",
)


def _version(wanted: bool) -> None:  # noqa: FBT001  (typer gives it so)
    if wanted:
        typer.echo(f"hsmtrail {hsmtrail.__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which one this is.")
    ] = False,
) -> None:
    """The security log of Thales Luna HSMs: kept as evidence, read into columns, watched and reviewed."""


for group in (run, ask, read, detectors, detector_files, watch, decide, evidence):
    group.add_to(app)


def main() -> None:
    """Run one command; a user's mistake is a sentence and an exit status, never a traceback."""
    try:
        app()
    except ConfigurationError as error:
        _end(str(error), 2)
    except ValidationError as error:
        _end(sentence(error), 2)
    except Failure as failure:
        _end(str(failure), failure.status)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nothing is left to say
        sys.exit(1)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def _end(said: str, status: int) -> None:
    sys.stderr.write(f"hsmtrail: {said}\n")
    sys.exit(status)
