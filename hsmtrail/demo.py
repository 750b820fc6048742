"""`hsmtrail demo`: the whole line on the sample week, over real sockets of this machine, in under a minute."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hsmtrail import samples
from hsmtrail.change_files import read_changes
from hsmtrail.client import Service, running_service
from hsmtrail.config import Configuration, load
from hsmtrail.config_checks import split_address
from hsmtrail.demo_receivers import Receivers
from hsmtrail.demo_screen import Screen
from hsmtrail.demo_sending import Wires
from hsmtrail.demo_verdict import read_finding, verdict
from hsmtrail.errands.baseline import ApproveBaseline
from hsmtrail.errands.changes import AddChanges
from hsmtrail.errands.detectors import RunDetectors
from hsmtrail.errands.findings import ListFindings
from hsmtrail.errands.report import MakeReport
from hsmtrail.errands.status import ShowStatus
from hsmtrail.failures import Failure, Misuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hsmtrail.demo_verdict import Verdict
    from hsmtrail.errands import Errand
    from hsmtrail.samples import SampleLine

Seen = TypeVar("Seen")

SOURCES = {"hsm-ams-1": "127.0.0.11", "hsm-ams-2": "127.0.0.12", "hsm-fra-1": "127.0.0.13"}
"""Loopback addresses that stand for the devices' own."""

START_SECONDS, STORE_SECONDS, DELIVERY_SECONDS, STOP_SECONDS = 30.0, 40.0, 20.0, 20.0
BASELINE_AT = timedelta(hours=12)
"""Monday noon: what was set up in the morning is approved."""

CONFIGURATION = """\
# Written by `hsmtrail demo`.
data_dir = "data"

[[listener]]
name = "udp"
protocol = "udp"
address = "127.0.0.1:0"

[[listener]]
name = "tcp"
protocol = "tcp"
address = "127.0.0.1:0"

[[alert.email]]
name = "duty"
smtp = "127.0.0.1:{mail_port}"
from = "hsmtrail@example.org"
to = ["duty@example.org"]
tls = "none"

[[alert.webhook]]
name = "chat"
url = "{webhook_url}"
secret_file = "data/webhook.secret"

[report]
organisation = "hsmtrail demo"

[web]
address = "127.0.0.1:0"

"""


@dataclass(frozen=True, slots=True)
class Results:
    """What one run of the line gave."""

    sent: int
    status: dict[str, Any]
    pack: dict[str, Any]
    verdict: Verdict


def run(directory: Path | None, *, keep: bool, today: date | None = None) -> int:
    """0: every story was told and nothing else above low; 1 otherwise. The pack stays in any case."""
    folder = _folder(directory)
    screen = Screen()
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    monday = samples.last_complete_week(today or datetime.now(UTC).date())
    with Receivers(secret) as receivers:
        configuration = _configured(folder, receivers, secret)
        with _served(configuration) as service:
            results = _line(service, configuration, monday, screen)
        screen.deliveries(receivers.mails, receivers.calls)
    packs = [Path(results.pack[kind]) for kind in ("html", "json", "manifest")]
    if not keep:
        packs = _only_the_pack(folder, packs)
    screen.verdict(results.verdict)
    screen.places(packs[0], folder / "hsmtrail.toml" if keep else None)
    good = results.verdict.good and bool(receivers.mails) and all(call.verified for call in receivers.calls)
    return 0 if good and receivers.calls and not results.status["service"]["deliveries"]["dead"] else 1


def _folder(directory: Path | None) -> Path:
    """The one asked for, or a new one: demo, demo-2, …; never one that holds a configuration."""
    if directory is None:
        names = (Path("demo" if number == 1 else f"demo-{number}") for number in range(1, 1000))
        directory = next(name for name in names if not name.exists())
    if (directory / "hsmtrail.toml").exists() or (directory / "data").exists():
        raise Misuse(f"{directory} already holds a configuration or data; choose another folder with --dir")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misuse(f"{directory}: cannot be made: {error.strerror}") from None
    return directory.resolve()


def _configured(folder: Path, receivers: Receivers, secret: str) -> Configuration:
    """hsmtrail.toml with the sample's devices, which also send from loopback addresses."""
    text = (samples.sample_folder() / "devices.toml").read_text(encoding="utf-8")
    for device, source in SOURCES.items():
        text = text.replace(f'hosts = ["{device}"', f'hosts = ["{source}", "{device}"')
    head = CONFIGURATION.format(mail_port=receivers.mail_port, webhook_url=receivers.webhook_url)
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "webhook.secret").write_text(secret, encoding="utf-8")
    path = folder / "hsmtrail.toml"
    path.write_text(head + text, encoding="utf-8")
    return load(path)


@contextmanager
def _served(configuration: Configuration) -> Iterator[Service]:
    """`hsmtrail serve` as a process of its own, until the end of the block; its log goes to data/demo.log."""
    command = [sys.executable, "-m", "hsmtrail", "serve", "--config", str(configuration.path)]
    with configuration.below("demo.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  (our own program)
        try:
            yield _once(
                lambda: _ready(configuration, process), START_SECONDS, "the service did not start", configuration
            )
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(configuration: Configuration, process: subprocess.Popen[bytes]) -> Service | None:
    if process.poll() is not None:
        raise Failure(f"`hsmtrail serve` ended at once: {_last_words(configuration)}")
    service = running_service(configuration)
    if service is None:
        return None
    receiver = _ask(service, ShowStatus())["receiver"]
    bound = [listener for listener in receiver["listeners"] if not listener["address"].endswith(":0")]
    return service if receiver["running"] and len(bound) == len(configuration.listener) else None


def _line(service: Service, configuration: Configuration, monday: date, screen: Screen) -> Results:
    """Send, judge, wait until everybody has been told, report."""
    folder = samples.sample_folder()
    lines = samples.shifted_lines(folder, monday)
    screen.started(monday, len(lines))
    _import_changes(service, configuration, folder, monday)
    noon = datetime.combine(monday, datetime.min.time()) + BASELINE_AT
    listeners = _ask(service, ShowStatus())["receiver"]["listeners"]
    ports = {item["protocol"]: split_address(item["address"])[1] for item in listeners}
    with Wires(samples.senders(folder), SOURCES, ports) as wires:
        sent = _sent(service, configuration, wires, [line for line in lines if line.sent_at < noon], 0)
        _ask(service, ApproveBaseline(reason="as set up on Monday (CHG-1041)", at=f"{noon.isoformat()}Z"))
        sent = _sent(service, configuration, wires, [line for line in lines if line.sent_at >= noon], sent)
    _ask(service, RunDetectors())
    screen.stored(_ask(service, ShowStatus()))
    status = _once(lambda: _delivered(service), DELIVERY_SECONDS, "alerts are still waiting", configuration)
    pack = _ask(service, MakeReport())
    found = map(read_finding, _ask(service, ListFindings()))
    return Results(sent, status, pack, verdict(samples.shifted_stories(folder, monday), found))


def _import_changes(service: Service, configuration: Configuration, folder: Path, monday: date) -> None:
    path = configuration.below("changes.csv")
    path.write_text(samples.shifted_changes(folder, monday), encoding="utf-8")
    _ask(service, AddChanges(changes=read_changes(path)))


def _sent(service: Service, configuration: Configuration, wires: Wires, lines: list[SampleLine], before: int) -> int:
    """Send and wait until all are stored; the number sent so far. Failure when a line was lost."""
    sent = before + wires.send(lines)
    _once(lambda: _stored(service, sent), STORE_SECONDS, f"not all of {sent} lines were stored", configuration)
    return sent


def _stored(service: Service, sent: int) -> bool:
    status = _ask(service, ShowStatus())
    nothing_lost(status["receiver"]["listeners"])
    return bool(status["service"]["records"] == sent)


def nothing_lost(listeners: list[dict[str, Any]]) -> None:
    """Failure when a listener dropped, refused or cut a line."""
    lost = sum(item["kernel_dropped"] + sum(item["refused"].values()) + item["cut"] for item in listeners)
    if lost:
        raise Failure(f"{lost} lines were lost on the way: {json.dumps(listeners)}")


def _delivered(service: Service) -> dict[str, Any] | None:
    status: dict[str, Any] = _ask(service, ShowStatus())
    return None if status["service"]["deliveries"]["waiting"] else status


def _ask(service: Service, errand: Errand) -> Any:  # noqa: ANN401  (JSON, as the errand defines it)
    return json.loads(service.post(f"/api/errands/{errand.name()}", errand.model_dump(mode="json")).body)


def _once(look: Callable[[], Seen | None], seconds: float, otherwise: str, configuration: Configuration) -> Seen:
    """Look again and again until there is something to see; Failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise Failure(f"{otherwise} within {seconds:.0f} s: {_last_words(configuration)}")
        time.sleep(0.1)
    return seen


def _last_words(configuration: Configuration) -> str:
    try:
        said = configuration.below("demo.log").read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    except OSError:
        return "it said nothing"
    return " | ".join(said[-3:]) or "it said nothing"


def _only_the_pack(folder: Path, packs: list[Path]) -> list[Path]:
    """Move the pack out of the data, and remove everything else that the demo wrote."""
    moved = [Path(shutil.move(pack, folder / pack.name)) for pack in packs]
    shutil.rmtree(folder / "data")
    (folder / "hsmtrail.toml").unlink()
    return moved
