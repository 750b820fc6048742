"""Options that many commands have, and how their results are printed."""

from __future__ import annotations

import enum
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hsmtrail.config import Configuration

INSTANT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{6}Z$")
"""People read UTC to the second; programs get the whole moment."""

PLACES = (Path("hsmtrail.toml"), Path("/etc/hsmtrail/hsmtrail.toml"))

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration; hsmtrail.toml here, then /etc/hsmtrail/hsmtrail.toml."),
]


class Form(enum.StrEnum):
    """How a result is printed: for people or for programs."""

    TABLE = "table"
    JSON = "json"


FormOption = Annotated[Form, typer.Option("--format", help="For people or for programs.")]


def find_configuration(given: Path | None) -> Path:
    """The file that a command uses; Misuse when there is none."""
    if given is not None:
        return given
    for place in PLACES:
        if place.exists():
            return place
    raise Misuse(f"no configuration: neither {PLACES[0]} nor {PLACES[1]} is there. `hsmtrail init` writes one.")


def configuration(given: Path | None) -> Configuration:
    from hsmtrail.config import load

    return load(find_configuration(given))


def print_json(document: object) -> None:
    """On standard output, whole or not at all."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_table(title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str], empty: str) -> None:
    """A table for a terminal; `empty` is the sentence for no rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hsmtrail.log import shown

    console = Console()
    if not rows:
        console.print(Text(empty))
        return
    table = Table(title=Text(title), title_justify="left", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(_text(row.get(column)))) for column in columns))
    console.print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return INSTANT.sub(r"\1 \2", value) if isinstance(value, str) else str(value)
