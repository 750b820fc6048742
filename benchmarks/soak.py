"""Half an hour of 20,000 lines a second with all detectors on: does anything grow, lag or stall?

    python benchmarks/soak.py                       30 minutes, about 7 GB of scratch
    python benchmarks/soak.py --minutes 2           to see that it works; too short for a verdict on memory
    python benchmarks/soak.py --record soak.jsonl   keeps the sample of each second

The lines are those of a signing workload, made and sent one by one over UDP by a process of its own (about a quarter
of a core), stamped with the clock; every minute brings one wrong password, so that detectors have something to find. A
sample a second: resident memory of receiver and service, lines in the spool that the store does not have yet, sizes
of store and log, kernel drops, how late the sender was. Two things are exact, from `batches`: the pause between one
group commit and the next (a stalled receiver shows here, and as kernel drops) and the delay from spool to store.

The last line is the verdict (soak_verdict.py), each part with the figures it was drawn from. Memory and lag are
compared between the middle and the last third, since the first fills the caches. Lines that are not in its file yet
(up to 256 MB of its log), questions and blocks of the store share DuckDB's memory_limit; what it knows of each column's
pieces, 2 bytes a record, comes on top of it. Runs of detectors that failed are shown with their reason.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generate_lines import Operation, lines
from measuring import machine, options_of, scratch, show
from product import Product, listener, since
from soak_verdict import Limits, verdict

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

OPERATIONS: dict[str, Operation] = {
    "LUNA_SIGN_SINGLEPART": (50, "key"),
    "LUNA_ENCRYPT_SINGLEPART": (15, "key"),
    "LUNA_DECRYPT_SINGLEPART": (15, "key"),
    "LUNA_VERIFY_SINGLEPART": (6, "key"),
    "LUNA_OPEN_SESSION": (7, ""),
    "LUNA_CLOSE_SESSION": (7, ""),
}
WRONG_PASSWORD = (
    "<132>{now:%b} {now.day:2d} {now:%H:%M:%S} luna-hsm{hsm} hsmlogd[2063]: 1,{now:%y/%m/%d %H:%M:%S},S/N 1507{hsm}"
    " session 7 Access 2147483651:2669 SO operation LUNA_LOGIN returned LUNA_RET_UM_PIN_INCORRECT(0x00A00000)"
    " (using PIN (entry=LUNA_ENTRY_DATA_AREA))"
)
TICK = 0.005
STORED = "SELECT coalesce(max(first_record + rows), 0) & 281474976710655 AS next FROM batches"
BY_MINUTE = """
    WITH steps AS (
        SELECT committed_at, stored_at, rows,
            date_diff('microsecond', lag(committed_at) OVER (ORDER BY batch), committed_at) / 1e6 AS pause
        FROM batches
    )
    SELECT date_diff('minute', (SELECT min(committed_at) FROM batches), committed_at) AS minute,
        sum(rows)::BIGINT AS rows,
        median(pause) AS pause, max(pause) AS longest_pause,
        median(date_diff('microsecond', committed_at, stored_at)) / 1e6 AS delay,
        max(date_diff('microsecond', committed_at, stored_at)) / 1e6 AS longest_delay
    FROM steps WHERE committed_at BETWEEN '{begun}' AND '{ended}' GROUP BY 1 ORDER BY 1
"""
FOUND = "SELECT count(*) AS n FROM findings"
FAILED = """
    SELECT detector, started_at, date_diff('millisecond', started_at, finished_at) / 1e3 AS seconds, error
    FROM runs WHERE state = 'failed' ORDER BY 2
"""
RAN = "SELECT detector, count(*) AS runs, count_if(state = 'failed') AS failed FROM runs GROUP BY 1 ORDER BY 1"


def send(port: int, rate: int, seconds: int, told: Connection) -> None:
    """`rate` datagrams a second; tells each second how many were sent and how late the latest was."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect(("127.0.0.1", port))
    supply = lines(rate * seconds, rate, 3, int(time.time()), OPERATIONS)
    begun, sent = time.monotonic(), 0
    for second in range(seconds):
        late = 0.0
        while sent < rate * (second + 1):
            due = min(int((time.monotonic() - begun) * rate) + 1, rate * (second + 1))
            late = max(late, time.monotonic() - begun - sent / rate)
            for _ in range(due - sent):
                sender.send(next(supply).encode())
            sent = max(sent, due)
            time.sleep(TICK)
        if second % 60 == 0:
            sender.send(wrong_password(second // 60))
        told.send((sent + second // 60 + 1, round(late, 3)))
    told.close()


def wrong_password(minute: int) -> bytes:
    """Of the Security Officer, on another HSM each minute."""
    return WRONG_PASSWORD.format(now=datetime.now(UTC), hsm=10 + minute % 90).encode()


def sample(product: Product, told: Connection, begun: float) -> dict[str, Any]:
    """Waits for the sender's second to be over."""
    sent, late = told.recv()
    return {
        "second": round(time.monotonic() - begun, 1),
        "sent": sent,
        "sender_late": late,
        "waiting": max(0, product.spooled() + 1 - int(product.query(STORED)[0]["next"])),
        "kernel_dropped": product.listener("udp")["kernel_dropped"],
        "memory": product.memory(),
        "store_mebibytes": size(product.data / "store.duckdb"),
        "log_mebibytes": size(product.data / "store.duckdb.wal"),
    }


def size(path: Path) -> float:
    return round(path.stat().st_size / (1 << 20), 1) if path.exists() else 0.0


def soak(product: Product, rate: int, seconds: int, record: Path | None) -> dict[str, Any]:
    told, telling = multiprocessing.Pipe(duplex=False)
    sending = multiprocessing.get_context("spawn").Process(
        target=send, args=(product.port("udp"), rate, seconds, telling), daemon=True
    )
    sending.start()
    telling.close()
    before, begun = product.cpu(), time.monotonic()
    samples = [sample(product, told, begun)]  # the first second holds the start of the sender
    began_at = moment()
    with ExitStack() as stack:
        file = stack.enter_context(record.open("w", encoding="utf-8")) if record else None
        while len(samples) < seconds:
            samples.append(sample(product, told, begun))
            if file:
                file.write(json.dumps(samples[-1]) + "\n")
    ended_at, used = moment(), since(before, product.cpu())
    sending.join()
    product.wait_for(samples[-1]["sent"])
    return {
        "samples": samples,
        "minutes": product.query(BY_MINUTE.format(begun=began_at, ended=ended_at)),
        "stored": product.stored(),
        "kernel_dropped": product.listener("udp")["kernel_dropped"],
        "findings": product.query(FOUND)[0]["n"],
        "failed_runs": sum(one["failed"] for one in product.query(RAN)),
        "failed": product.query(FAILED),
        "detectors": len(product.query(RAN)),
        "cpu_percent": {part: round(100 * value / seconds, 1) for part, value in used.items()},
    }


def moment() -> str:
    """Now, as `batches` has it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat()


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second")
    parser.add_argument("--record", type=Path, help="file for the sample of each second, JSON lines")
    wanted = parser.parse_args()
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        with Product(folder / "hsmtrail", listener("udp")) as product:
            run = soak(product, wanted.rate, round(wanted.minutes * 60), wanted.record)
            for minute in run["minutes"]:
                show(**{name: round(value, 3) for name, value in minute.items()})
            show(**{name: value for name, value in run.items() if name not in {"samples", "minutes"}})
            show(verdict=verdict(run, Limits()))


if __name__ == "__main__":
    main()
