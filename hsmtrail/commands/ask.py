"""query, status, report."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hsmtrail.commands.options import ConfigOption, Form, FormOption, configuration, print_json, print_table
from hsmtrail.failures import Failure

if TYPE_CHECKING:
    import pyarrow as pa

    from hsmtrail.config import Configuration


class QueryForm(enum.StrEnum):
    """How a query's result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"
    PARQUET = "parquet"


def add_to(app: typer.Typer) -> None:
    for command in (query, status, report):
        app.command()(command)


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One statement that reads; `-` takes it from standard input.")
    ],
    form: Annotated[QueryForm, typer.Option("--format", help="How the result is written.")] = QueryForm.TABLE,
    rows: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    seconds: Annotated[float, typer.Option(min=0.001, max=3600, help="Stop after so long.")] = 30.0,
    config: ConfigOption = None,
) -> None:
    """Ask the store in SQL, while lines pour in."""
    from hsmtrail import formats

    text = sys.stdin.read() if sql == "-" else sql
    wanted = "arrow" if form is QueryForm.TABLE else form.value
    limit = rows or formats.row_limit(form.value)
    body, truncated = _query(configuration(config), text, wanted, limit, seconds)
    if form is QueryForm.TABLE:
        _print_arrow(body)
    elif form in (QueryForm.CSV, QueryForm.JSON) and sys.stdout.isatty():
        sys.stdout.buffer.write(formats.for_a_terminal(body))
    else:
        sys.stdout.buffer.write(body)
    if truncated:
        typer.echo(f"hsmtrail: the result was cut at {limit} rows; --rows takes more", err=True)


def _query(settings: Configuration, sql: str, form: str, rows: int, seconds: float) -> tuple[bytes, bool]:
    from hsmtrail.client import local_desk, running_service

    service = running_service(settings)
    if service is not None:
        asked = {"sql": sql, "format": form, "rows": rows, "seconds": seconds}
        answer = service.post("/api/query", asked)
        return answer.body, answer.truncated
    with local_desk(settings) as desk:
        return _query_here(desk, sql, form, rows, seconds)


def _query_here(desk: Any, sql: str, form: str, rows: int, seconds: float) -> tuple[bytes, bool]:  # noqa: ANN401
    from hsmtrail.failures import Misuse
    from hsmtrail.formats import WRITERS
    from store.query import QueryFailed, Refused, Stopped, run_query

    try:
        result = run_query(desk.db, sql, None, seconds=seconds, rows=rows, asked_by=desk.user)
    except Refused as error:
        raise Misuse(str(error)) from None
    except (Stopped, QueryFailed) as error:
        raise Failure(str(error)) from None
    return WRITERS[form](result.table), result.truncated


def _print_arrow(body: bytes) -> None:
    import pyarrow as pa
    from rich.console import Console

    from hsmtrail.formats import as_table

    table: pa.Table = pa.ipc.open_stream(body).read_all()
    Console().print(as_table(table))


def status(form: FormOption = Form.TABLE, config: ConfigOption = None) -> None:
    """Show listeners, rates, losses, lag, the last runs and deliveries."""
    from hsmtrail.client import ask
    from hsmtrail.errands.status import ShowStatus

    answer = ask(configuration(config), ShowStatus())
    if form is Form.JSON:
        print_json(answer)
        return
    receiver, service = answer["receiver"], answer["service"]
    typer.echo(f"hsmtrail {answer['version']}")
    typer.echo(f"receiver  {_running(receiver)}, spool {receiver.get('spool_bytes', 0):,} bytes")
    print_table("", [_listener(item) for item in receiver["listeners"]], LISTENER_COLUMNS, "no listener")
    typer.echo(
        f"service   {_running(service)}, lag {service['lag_seconds']:.1f} s, {service['records']:,} records, "
        f"{service['copies']:,} copies, {service['unknown']:,} unread"
    )
    print_table("clocks, as raw blocks tell them", service["zones"], ZONE_COLUMNS, "no raw block has told a zone yet")
    typer.echo(f"balance   {_balance(service['balance'])}")
    _print_reading(service)
    _print_evidence(answer["evidence"], receiver.get("blocked", ""))
    print_table("last runs", service["runs"], ("detector", "state", "finished_at", "error"), "no detector ran yet")
    deliveries = service["deliveries"]
    typer.echo(
        "alerts    " + ", ".join(f"{number} {state}" for state, number in deliveries.items() if state != "last_error")
    )
    if deliveries.get("last_error"):
        from hsmtrail.log import shown

        typer.echo(f"          last trouble: {shown(deliveries['last_error'])}")


def _balance(sums: dict[str, int]) -> str:
    """The ledger as one line: what came in is where it should be, or by how much it is not."""
    said = (
        f"{sums['sent']:,} sent = {sums['kernel_dropped']:,} dropped by the kernel + {sums['refused']:,} refused "
        f"+ {sums['spooled']:,} spooled; {sums['stored']:,} stored"
    )
    if not sums["minutes_off"]:
        return f"{said}: it balances"
    return (
        f"{said}: DOES NOT BALANCE, {sums['unaccounted']:,} unaccounted for, {sums['not_stored']:,} not stored "
        f"in {sums['minutes_off']:,} minutes; the view custody_balance has them"
    )


def _print_evidence(evidence: dict[str, Any], blocked: str) -> None:
    """Where the chain stands, and for how long there is room."""
    if blocked:
        typer.echo(f"evidence  BLOCKED ({blocked}): TCP is not read, UDP is refused and counted")
    for alarm in evidence["alarms"]:
        typer.echo(f"evidence  ALARM: {alarm}")
    room = f"room for {evidence['days_left']:,} days" if "days_left" in evidence else "no forecast yet"
    typer.echo(f"evidence  {evidence['archive_bytes']:,} bytes sealed, {evidence['free_bytes']:,} free, {room}")
    for head in evidence["heads"]:
        typer.echo(f"          head of {head['name']}: batch {head['batch']}, SHA-256 {head['sha256']}")
    if evidence["manifest"]:
        typer.echo(f"          head of the archive's manifest: {evidence['manifest']}")


def _print_reading(service: dict[str, Any]) -> None:
    """Patterns and detectors that are broken, and what no pattern knows."""
    _print_mistakes("patterns", "the files are not in force, the last good set is", service)
    _print_mistakes("detectors", "what is wrong is not in force, its last good text is", service)
    forms = service["unknown_forms"]
    if not forms["forms"]:
        return
    title = f"{forms['forms']:,} forms of message that no pattern knows, since {forms['since'][:10]}: the most frequent"
    print_table(title, forms["frequent"], FORM_COLUMNS, "")
    print_table("the newest", forms["newest"], FORM_COLUMNS, "")


def _print_mistakes(what: str, since: str, service: dict[str, Any]) -> None:
    mistakes = service[what]["mistakes"]
    if mistakes:
        typer.echo(f"{what:<10}BROKEN: {since}")
    for mistake in mistakes:
        typer.echo(f"          {mistake}")


ZONE_COLUMNS = ("device", "zone", "configured", "records", "first_seen", "last_seen")
FORM_COLUMNS = ("device", "family", "records", "first_seen", "last_seen", "form", "example")
LISTENER_COLUMNS = ("listener", "address", "received", "spooled", "refused", "cut", "dropped", "connections")


def _listener(item: dict[str, Any]) -> dict[str, Any]:
    """One line of a terminal: what is nought among reasons and connections is left out."""
    counted = {name: number for name, number in item["connections"].items() if number}
    what = item["protocol"] if item["name"] == item["protocol"] else f"{item['name']} ({item['protocol']})"
    return {**item, "listener": what, "dropped": item["kernel_dropped"], "connections": counted}


def _running(process: dict[str, Any]) -> str:
    return f"runs (pid {process['pid']})" if process["running"] else "does not run"


def report(
    week: Annotated[str | None, typer.Option(help="An ISO week, such as 2026-W47.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day, or moment, in UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day, or moment, after the last.")] = None,
    form: FormOption = Form.TABLE,
    config: ConfigOption = None,
) -> None:
    """Make the review pack of a period; without one, of the last complete week."""
    from hsmtrail.client import ask
    from hsmtrail.errands.report import MakeReport

    answer = ask(configuration(config), MakeReport(week=week, begin=begin, end=end))
    if form is Form.JSON:
        print_json(answer)
        return
    typer.echo(f"{answer['period']}: {answer['verdict']}")
    typer.echo(answer["html"])
