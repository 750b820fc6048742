"""parse, import, reparse."""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.failures import Failure, Misuse
from hsmtrail.log import shown

FEW_RANGES = 5
"""Of missing numbers, for people."""


class Framing(enum.StrEnum):
    """How messages are told apart."""

    LF = "lf"
    OCTET_COUNTED = "octet-counted"
    NUL = "nul"


class ParseForm(enum.StrEnum):
    """How an explanation is written."""

    TEXT = "text"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    app.command("parse")(parse)
    app.command("import")(import_files)
    app.command("reparse")(reparse)


def parse(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="A file; `-` is standard input.")] = "-",
    framing: Annotated[Framing, typer.Option(help="How messages are told apart.")] = Framing.LF,
    received_at: Annotated[
        str | None, typer.Option(help="When a socket would have got them, UTC; now by itself.")
    ] = None,
    peer: Annotated[str, typer.Option(help="Who would have sent them.")] = "",
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Instead, which pattern knows it, or how far the best one came.")
    ] = False,
    form: Annotated[ParseForm | None, typer.Option("--format", help="Of explanations: text by itself.")] = None,
    config: ConfigOption = None,
) -> None:
    """Print what each line becomes, as JSON lines. Needs no configuration; --config brings the site's own patterns."""
    from hsmtrail.moments import moment
    from hsmtrail.parse import now, print_explanations, print_records

    if form is ParseForm.TEXT and not explain:
        raise Misuse("--format text goes with --explain; records are JSON lines")
    settings = configuration(config) if config is not None else None
    at = moment(received_at) if received_at else now()
    with _opened(file) as stream:
        if explain:
            print_explanations(stream, framing.value, settings, as_json=form is ParseForm.JSON)
        else:
            print_records(stream, framing.value, at, peer, settings)


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  (closed below, apart from the error of opening)
    except OSError as error:
        raise Misuse(f"{file}: {error.strerror}") from None
    with stream:
        yield stream


def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Log files, audit files (hsm_SERIAL_NUMBER.log), `tarlogs` archives, exports of the cloud, "
            "folders of them; plain, gzip, tar or zip.",
        ),
    ],
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Bring in log files: into the spool like everything else, then into the store."""
    from hsmtrail.importing import import_paths

    result = import_paths(configuration(config), paths, progress=form is Form.TABLE)
    if form is Form.JSON:
        print_json(result)
    else:
        _print_import(result)
    if result["failed"]:
        raise Failure(f"{_counted(len(result['failed']), 'log')} could not be read whole; all the rest is imported")


def _print_import(result: dict[str, Any]) -> None:
    typer.echo(
        f"{_counted(result['files'], 'file')}, {_counted(result['logs'], 'log')}, {_counted(result['lines'], 'line')}: "
        f"{result['new']:,} new, {result['copies']:,} copies, {result['unparsed']:,} unparsed"
    )
    audit = [{**one, "missing_numbers": _ranges(one)} for one in result["audit"]]
    if audit:
        print_table("audit records, over the time that these files span", audit, AUDIT_COLUMNS, "")
    for note in result["left_out"]:
        typer.echo(f"left out: {shown(note['file'])} {shown(note['why'])}")
    for note in result["failed"]:
        typer.echo(f"NOT READ: {shown(note['file'])} {shown(note['why'])}", err=True)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


AUDIT_COLUMNS = ("device", "serial", "first", "last", "first_at", "last_at", "present", "missing", "missing_numbers")


def _ranges(one: dict[str, Any]) -> str:
    told = one["ranges"][:FEW_RANGES]
    more = one["holes"] - len(told)
    return ", ".join(told) + (f" and {more:,} more" if more else "")


def reparse(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """Derive history again from the spool with the newest patterns. Stop it at any moment: it goes on from there."""
    from hsmtrail.reparse import progress
    from hsmtrail.reparse import reparse as read_again

    with progress(shown=form is Form.TABLE) as show:
        summary = read_again(configuration(config), show)
    if form is Form.JSON:
        print_json(summary)
    else:
        _print_summary(summary)
    if summary["detectors_failed"]:
        raise Failure(f"{', '.join(summary['detectors_failed'])} could not judge the changes; run it again for that")


def _print_summary(summary: dict[str, Any]) -> None:
    told = [row for row in summary["changes"] if row["changed"] or row["renewed"]]
    rows = [
        {"before": _reading(row["before"]), "after": _reading(row["after"]), **_counts(row)}
        for row in sorted(told, key=lambda row: -row["changed"])
    ]
    print_table("", rows, ("before", "after", "changed", "only_version"), "nothing had to be changed")
    typer.echo(
        f"pattern set {summary['patterns']}: {summary['records']:,} records, {summary['changed']:,} changed, "
        f"{summary['renewed']:,} only in pattern_version, {summary['unchanged']:,} unchanged; "
        f"{summary['read']:,} of them read by this run"
    )
    if summary["missing"]:
        typer.echo(f"{summary['missing']:,} records stay as they were: the spool does not have them any more")
    typer.echo(f"findings judged again: {summary['findings_changed']} changed")


def _reading(side: dict[str, str]) -> str:
    pattern = f"{side['pattern']} {side['pattern_version']}" if side["pattern"] else side["family"]
    return pattern if side["status"] == "parsed" else f"{pattern} ({side['status']})"


def _counts(row: dict[str, Any]) -> dict[str, str]:
    return {"changed": f"{row['changed']:,}", "only_version": f"{row['renewed']:,}"}
