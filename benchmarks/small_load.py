"""A quiet site: how soon a line can be queried, what an idle hsmtrail costs.

    python benchmarks/small_load.py                 a minute idle, a minute of 200 lines/s over TCP: about 3 minutes

`idle_cpu_percent` (of one core) of receiver and service while nothing comes and nobody asks. Then each line is sent by
itself and its moment kept; a connection to the HTTP API that stays open asks for count(*) every 20 ms. A line counts as
queryable when an answer that holds it has arrived, so the figures hold the question too. `resident_mebibytes` at the
end of idle and of load. Everything as installed: fsync, chain, live detectors.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from generate_lines import lines
from measuring import machine, options_of, percentile, scratch, show
from product import Product, listener, since

ASK_EVERY = 0.02
WARM_UP_SECONDS = 10


class Sender(threading.Thread):
    """One line at a time, `rate` a second; `moments` has when each left (CLOCK_MONOTONIC)."""

    def __init__(self, protocol: str, port: int, rate: int, count: int) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
        self._socket.connect(("127.0.0.1", port))
        self._lines = [text.encode() + (b"" if protocol == "udp" else b"\n") for text in lines(count, rate, seed=11)]
        self._rate = rate
        self.moments: list[float] = []

    def run(self) -> None:
        begun = time.monotonic()
        for number, octets in enumerate(self._lines):
            time.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
            self.moments.append(time.monotonic())
            self._socket.sendall(octets)
        self._socket.close()


def idle(product: Product, seconds: int) -> dict[str, Any]:
    before, begun = product.cpu(), time.monotonic()
    time.sleep(seconds)
    used, lasted = since(before, product.cpu()), time.monotonic() - begun
    return {
        "idle_cpu_percent": {part: round(100 * value / lasted, 2) for part, value in used.items()},
        "resident_mebibytes_idle": product.memory(),
    }


def delays(product: Product, sender: Sender, count: int) -> list[float]:
    """Seconds from leaving the sender to standing in an answer, one for each line."""
    sender.start()
    waited: list[float] = []
    while len(waited) < count:
        there, now = product.stored(), time.monotonic()
        waited += [now - moment for moment in sender.moments[len(waited) : there]]
        if not sender.is_alive() and now - sender.moments[-1] > 30:
            raise SystemExit(f"{there} of {count} lines were stored 30 s after the last was sent")
        time.sleep(ASK_EVERY)
    sender.join()
    return waited


def loaded(product: Product, protocol: str, rate: int, seconds: int) -> dict[str, Any]:
    sender = Sender(protocol, product.port(protocol), rate, rate * seconds)
    before = product.cpu()
    waited = delays(product, sender, rate * seconds)
    begun, ended = sender.moments[0], sender.moments[-1]
    return {
        "lines": len(waited),
        "rate": round(len(waited) / (ended - begun), 1),
        "milliseconds": {name: round(1000 * percentile(waited, share)) for name, share in SHARES.items()},
        "cpu_seconds": since(before, product.cpu()),
        "resident_mebibytes": product.memory(),
        "peak_mebibytes": product.memory("VmHWM"),
    }


SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "worst": 1.0}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--protocol", choices=("tcp", "udp"), default="tcp")
    parser.add_argument("--rate", type=int, default=200, help="lines a second")
    parser.add_argument("--seconds", type=int, default=60, help="of load")
    parser.add_argument("--idle", type=int, default=60, help="seconds of idling before")
    wanted = parser.parse_args()
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        with Product(folder / "hsmtrail", listener(wanted.protocol)) as product:
            time.sleep(min(WARM_UP_SECONDS, wanted.idle))
            show(**idle(product, wanted.idle))
            show(**loaded(product, wanted.protocol, wanted.rate, wanted.seconds))


if __name__ == "__main__":
    main()
