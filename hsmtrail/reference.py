"""The reference pages that are made from the code: `make docs` writes them, a test says when they are stale."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from hsmtrail.catalogue import catalogue
from hsmtrail.cli import app
from hsmtrail.config import Configuration
from hsmtrail.console_page import console_page
from hsmtrail.context import SAYS
from hsmtrail.coverage_page import coverage_page
from hsmtrail.sigma_page import sigma_page
from parsers.decoding import text_of
from parsers.header_examples import header_examples
from parsers.vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = "<!-- Made by `make docs` from the code; edit the code. -->\n\n"


def pages() -> dict[str, str]:
    """File name to text."""
    return {
        "commands.md": MADE + "# Commands\n\n" + "\n".join(_commands()),
        "configuration.md": MADE + "# Configuration\n\n" + "\n".join(_tables()),
        "coverage.md": MADE + "# Coverage\n\n" + "\n".join(coverage_page()),
        "detectors.md": MADE + "# Detectors\n\n" + "\n".join(_detectors()),
        "meaning.md": MADE + "# Meaning\n\n" + "\n".join(_meaning()),
        "console.md": MADE + console_page(),
        "sigma.md": MADE + "# Sigma rules\n\n" + "\n".join(sigma_page()),
        "headers.md": MADE + "# Syslog headers\n\n" + "\n".join(_headers()),
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
        for need, what in row["needs"].items():
            yield f"**Not measured** without {SAYS[need][0]}: {what}.\n"
        yield f"**What to do:**\n\n{row['runbook'].strip()}\n"
        for name, parameter in row.get("parameters", {}).items():
            yield f"- `{name}` = `{parameter['value']}`: {parameter['why']}"
        yield ""


def _headers() -> Iterator[str]:
    yield "What is read from the examples of the RFCs, and from headers that are wrong. No line is dropped for either."
    yield "The lines are received at 2026-11-23 08:15:01 UTC, from a device whose zone is UTC.\n"
    for kind, examples in groupby(header_examples(), key=lambda example: example.kind):
        yield f"## {kind[0].upper()}{kind[1:]}\n\n| example | line | becomes |\n|---|---|---|"
        for example in examples:
            fields = "<br>".join(f"{name} {_cell(_plain(value))}" for name, value in example.fields.items())
            yield f"| {example.what} | {_cell(text_of(example.raw))} | {fields} |"
        yield ""


MEANING = """What the vendor's words become. The tables are `parsers/tables/*.csv`, each row with its source.

- **A session's free text** in the audit log is `log_external`, unless it holds `operation LUNA_…`, which is a record
  whose form is not known yet: it keeps its event. What an application wrote is never read for columns.
- **`details.zone`** is the offset of the appliance's clock, learned where a record's raw block and its text differ by
  it: `SELECT DISTINCT device, details->>'zone' FROM audit_records` shows it for each device.
- **`details.partition_serial`** is said for HSMs of the generations 5 and 6 (serial below 500000, no role number in the
  record), where it is the HSM's serial and the container in three digits, for Luna Cloud HSM, which prints it, and for
  partitions whose `[[partition]]` names a serial: a line names its partition by container, serial or label.
- **Roles by number** (`parsers/tables/roles.csv`): 0 and 1 are `co` and `po` in an application partition, `admin` and
  `so` in the admin partition. A record that names a container speaks of an application partition, unless its actor is
  the SO, it creates, deletes, resizes or sets a policy of that container, or a `[[partition]]` of that device and
  container has `kind = "admin"`.
- **`details.policy`** is the manual's wording of the policy that a command sets.
- **Luna Cloud HSM**: `action`, `status`, `clientip`, `hsmid`, `partid` and the key's OUID have columns, `role` is the
  word as it stands (SO is `so`), everything else is in `details` under the vendor's name.
- **Wrapped records**: in imported files, lines of nothing but 40 or more hexadecimal digits below an audit record are
  its MAC and raw block, and one message with it.
- **Commands of a backup token** are `backup`, of the cluster `network_set`, of remote PEDs `network_set` or a
  connection, `hsm tamper clear` is `transport_mode_set` like the tamper key's events, `sysconf forcesologin` is
  `policy_set`.
"""


def _meaning() -> Iterator[str]:
    yield MEANING
    for command_class, members in groupby(vocabulary(), key=lambda meant: meant.command_class):
        yield f"## {command_class}\n\n| operation | events and alarms | commands |\n|---|---|---|"
        for meant in members:
            vendor, commands = (
                ", ".join(f"`{word}`" for word in words) for words in ((*meant.events, *meant.alarms), meant.commands)
            )
            yield f"| `{meant.operation}` | {vendor} | {commands} |"
        yield ""


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    """As code in a cell of a table, with what cannot be seen written out."""
    seen = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return f"`{seen.replace('|', chr(92) + '|')}`" if text else "(empty)"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
