"""The reference pages that are made from the code: `make docs` writes them, a test says when they are stale."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from hsmtrail.catalogue import catalogue
from hsmtrail.cli import app
from hsmtrail.config import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = "<!-- Made by `make docs` from the code; edit the code. -->\n\n"


def pages() -> dict[str, str]:
    """File name to text."""
    return {
        "commands.md": MADE + "# Commands\n\n" + "\n".join(_commands()),
        "configuration.md": MADE + "# Configuration\n\n" + "\n".join(_tables()),
        "detectors.md": MADE + "# Detectors\n\n" + "\n".join(_detectors()),
    }


def _commands() -> Iterator[str]:
    group = typer.main.get_command(app)
    with typer.Context(group, info_name="hsmtrail") as context:
        yield from _group(group, context, "hsmtrail")


def _group(group: Any, context: Any, path: str) -> Iterator[str]:  # noqa: ANN401  (click's own types)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _group(command, context, f"{path} {name}")
        else:
            yield from _command(command, f"{path} {name}")


def _command(command: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    words = [item.metavar or item.name.upper() for item in command.params if not _is_option(item)]
    yield f"## `{' '.join([path, *words])}`\n"
    yield f"{(command.help or '').strip()}\n"
    for option in filter(_is_option, command.params):
        if option.name != "help":
            names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
            yield f"- {names}: {option.help or ''}"
    yield ""


def _is_option(parameter: Any) -> bool:  # noqa: ANN401
    return bool(parameter.param_type_name == "option")


def _tables() -> Iterator[str]:
    yield "One TOML file. `hsmtrail check` names every mistake in it at once.\n"
    yield from _table("top level", Configuration)


def _table(title: str, model: type[BaseModel]) -> Iterator[str]:
    nested = []
    yield f"## {title}\n\n{(model.__doc__ or '').strip()}\n"
    yield "| key | default | meaning |\n|---|---|---|"
    for name, field in model.model_fields.items():
        inner, many = _inner(field.annotation)
        key = field.alias or name
        if inner is not None:
            nested.append((_title(title, key, many=many), inner))
        elif name != "path":
            default = "required" if field.default is PydanticUndefined else f"`{field.default!r}`"
            yield f"| `{key}` | {default} | {field.description or ''} |"
    yield ""
    for inner_title, inner in nested:
        yield from _table(inner_title, inner)


def _title(above: str, key: str, *, many: bool) -> str:
    base = "" if above == "top level" else above.strip("`[]") + "."
    name = "detectors.ID" if key == "detectors" else base + key
    return f"`[[{name}]]`" if many else f"`[{name}]`"


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:  # noqa: ANN401
    """The model behind a key, and whether the key is an array of tables."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    models = [
        item for item in getattr(annotation, "__args__", ()) if isinstance(item, type) and issubclass(item, BaseModel)
    ]
    return (models[0], getattr(annotation, "__origin__", None) is list) if models else (None, False)


def _detectors() -> Iterator[str]:
    for row in catalogue(None):
        yield f"## {row['id']} {row['title']}\n"
        yield f"`{row['name']}.sql`, {row['kind']}, {row['severity']}, {row['every']}, back {row['looks_back']}.\n"
        yield f"{row['finds'].strip()}\n"
        yield f"**Cannot see:** {row['blind_spots'].strip()}\n"
        yield f"**What to do:**\n\n{row['runbook'].strip()}\n"
        for name, parameter in row.get("parameters", {}).items():
            yield f"- `{name}` = `{parameter['value']}`: {parameter['why']}"
        yield ""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
