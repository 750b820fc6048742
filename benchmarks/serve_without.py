"""hsmtrail that leaves something out, to measure what that costs; for benchmarks only, never for logs.

    HSMTRAIL_WITHOUT=fsync,chain python benchmarks/serve_without.py serve --config hsmtrail.toml

fsync: nothing waits for the disk. chain: no digest is made of what a batch holds; each gets its number in place of one.
detectors: nothing is judged. The product has no such settings and `hsmtrail verify` finds fault with a spool without
a chain: the functions are replaced from outside, in the process that they belong to. Without HSMTRAIL_WITHOUT it is
hsmtrail as it is.
"""

from __future__ import annotations

import itertools
import os
import sys

from hsmtrail import cli, supervise
from ingest import spool_writer

DIGESTS = ("digest", "message_digest")


def leave_out(names: set[str]) -> None:
    if "fsync" in names:
        os.fsync = os.fdatasync = lambda _file: None  # type: ignore[assignment]
    if "chain" in names:
        numbers = itertools.count(1)
        for name in DIGESTS:
            getattr(spool_writer, name)  # it is there, or this measures nothing
            setattr(spool_writer, name, lambda *_, **__: next(numbers).to_bytes(32, "big"))


def judge_nothing() -> None:
    from analytics.duty import Duty

    for name in ("judge_arrivals", "run"):
        getattr(Duty, name)
        setattr(Duty, name, lambda *_, **__: [])


def main() -> None:
    supervise.PROGRAM[:] = [sys.executable, __file__]  # what `serve` starts
    names = set(filter(None, os.environ.get("HSMTRAIL_WITHOUT", "").split(",")))
    if sys.argv[1] == "receive":
        leave_out(names)
    elif sys.argv[1] == "work" and "detectors" in names:
        judge_nothing()
    cli.main()


if __name__ == "__main__":
    main()
