"""From the first wrong Security Officer password on the wire to the alert that a mail server and a webhook have.

    python benchmarks/alert_latency.py                  60 strikes at 200 lines/s, 30 at 20,000 lines/s: 3 minutes
    python benchmarks/alert_latency.py --rates 200      only the quiet site

Each strike is the first one of its own device: one line over TCP, at moments in no step with anything. Around it a
signing workload comes over UDP from a process of its own. A mail counts when the server has all of it, a call when the
webhook has its body; both servers are in this process, on loopback. `seconds` are from the send of the line to there;
`stages` say where they went, by what the store knows: until the line was fsynced in the spool (`spooled`), stored,
judged (the finding and its alert written), and from there until the slower of the two had it (`told`). `missing`:
strikes that nobody was told of within a minute. Everything as installed: fsync, chain, all detectors.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from generate_lines import lines
from measuring import machine, options_of, percentile, scratch, show, until
from product import Product, listener, since
from soak import OPERATIONS, WRONG_PASSWORD

from hsmtrail.demo_receivers import Receivers

if TYPE_CHECKING:
    from aiohttp import web

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="
SINKS = """
[[alert.email]]
name = "duty"
smtp = "127.0.0.1:{mail_port}"
from = "hsmtrail@example.org"
to = ["duty@example.org"]
tls = "none"
[[alert.webhook]]
name = "chat"
url = "{webhook_url}"
secret_env = "HSMTRAIL_BENCH_SECRET"
"""
FIRST_HSM, HSMS = 10, 90
"""The background's devices have lower numbers."""

COUNTS, SPACINGS = {200: 60}, {200: 1.2}
OTHERWISE = (30, 2.0)
"""Strikes, and mean seconds between two of them."""

TICK, WARM_UP_SECONDS, PATIENCE = 0.005, 8, 60.0
SUBJECT = re.compile(r"AUTH-01 .* on (\S+) ")
STAGES = """
    SELECT findings.device AS device, epoch(batches.committed_at) AS spooled, epoch(batches.stored_at) AS stored,
        epoch(findings.opened_at) AS judged
    FROM findings
    JOIN finding_records ON finding_records.finding = findings.id
    JOIN records USING (record_id)
    JOIN batches ON batches.batch = records.batch
    WHERE findings.detector = 'AUTH-01'
"""


class Watched(Receivers):
    """Keeps when each device's strike was told, by mail and by webhook (CLOCK_REALTIME)."""

    def __init__(self) -> None:
        super().__init__(SECRET)
        self.mailed: dict[str, float] = {}
        self.called: dict[str, float] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd calls it so)
        answer = await super().handle_DATA(server, session, envelope)
        if found := SUBJECT.search(self.mails[-1].subject):
            self.mailed.setdefault(found[1], time.time())
        return answer

    async def _called(self, request: web.Request) -> web.Response:
        await request.read()
        moment = time.time()
        answer = await super()._called(request)
        data = self.calls[-1].document.get("data", {})
        if data.get("detector") == "AUTH-01":
            self.called.setdefault(data["device"], moment)
        return answer


def background(port: int, rate: int, seconds: int) -> None:
    """`rate` datagrams a second until it is ended."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    supply = lines(rate * seconds, rate, 3, int(time.time()), OPERATIONS)
    begun = time.monotonic()
    for sent, text in enumerate(supply):
        while (time.monotonic() - begun) * rate < sent:
            time.sleep(TICK)
        sender.send(text.encode())


def strike(port: int, number: int, chance: random.Random, spacing: float) -> float:
    """One line, after a while; the moment at which it left."""
    time.sleep(chance.uniform(0.2, 1.8) * spacing)
    text = WRONG_PASSWORD.format(now=datetime.now(UTC), hsm=FIRST_HSM + number)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        moment = time.time()
        connection.sendall(text.encode() + b"\n")
    return moment


def measured(product: Product, told: Watched, rate: int, strikes: int) -> dict[str, Any]:
    count, spacing = strikes or COUNTS.get(rate, OTHERWISE[0]), SPACINGS.get(rate, OTHERWISE[1])
    seconds = round(WARM_UP_SECONDS + count * spacing + 2 * PATIENCE)
    sending = multiprocessing.get_context("spawn").Process(
        target=background, args=(product.port("udp"), rate, seconds), daemon=True
    )
    sending.start()
    time.sleep(WARM_UP_SECONDS)
    chance, before = random.Random(5), product.cpu()
    sent = {f"luna-hsm{FIRST_HSM + n}": strike(product.port("tcp"), n, chance, spacing) for n in range(count)}
    waited_from = time.monotonic()
    while len(told.mailed) + len(told.called) < 2 * count and time.monotonic() - waited_from < PATIENCE:
        time.sleep(TICK)
    sending.terminate()
    sending.join()
    used = since(before, product.cpu())
    until(lambda: product.stored() >= product.spooled(), PATIENCE, "storing the rest", 0.5)
    stages = {row["device"]: row for row in product.query(STAGES)}
    return {
        "rate": rate,
        "strikes": count,
        "missing": {"mail": count - len(told.mailed), "webhook": count - len(told.called)},
        "seconds": {"mail": _spread(sent, told.mailed), "webhook": _spread(sent, told.called)},
        "stages": _stages(sent, stages, told),
        "cpu_seconds": used,
        "stored": product.stored(),
        "kernel_dropped": product.listener("udp")["kernel_dropped"],
    }


def _spread(sent: dict[str, float], arrived: dict[str, float]) -> dict[str, float]:
    waited = [arrived[device] - moment for device, moment in sent.items() if device in arrived]
    return _shares(waited)


def _stages(sent: dict[str, float], stages: dict[str, dict[str, Any]], told: Watched) -> dict[str, dict[str, float]]:
    """Each from the one before it."""
    steps: dict[str, list[float]] = {"spooled": [], "stored": [], "judged": [], "told": []}
    for device, moment in sent.items():
        if device in stages and device in told.mailed and device in told.called:
            known = stages[device]
            last = max(told.mailed[device], told.called[device])
            moments = [moment, known["spooled"], known["stored"], known["judged"], last]
            for step, begin, end in zip(steps.values(), moments, moments[1:], strict=False):
                step.append(end - begin)
    return {name: _shares(step) for name, step in steps.items()}


def _shares(values: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    return {name: round(percentile(values, share), 3) for name, share in shares.items()} if values else {}


def devices() -> str:
    numbers = range(FIRST_HSM, FIRST_HSM + HSMS)
    return "".join(f'[[device]]\nname = "luna-hsm{n}"\nserials = ["1507{n}"]\n' for n in numbers)


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=[200, 20_000], help="lines a second around the strikes")
    parser.add_argument("--strikes", type=int, default=0, help="at each rate, at most 90; 0 is 60 or 30")
    wanted = parser.parse_args()
    os.environ["HSMTRAIL_BENCH_SECRET"] = SECRET
    for rate in wanted.rates:
        with scratch(wanted.folder) as folder, Watched() as told:
            show(machine=machine(folder))
            sinks = SINKS.format(mail_port=told.mail_port, webhook_url=told.webhook_url)
            text = listener("udp") + listener("tcp") + sinks + devices()
            with Product(folder / "hsmtrail", text) as product:
                show(**measured(product, told, rate, wanted.strikes))


if __name__ == "__main__":
    main()
