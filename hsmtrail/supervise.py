"""`hsmtrail serve`: the receiver and the service as two processes; whichever ends is started again."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger("hsmtrail.serve")

PROGRAM = [sys.executable, "-m", "hsmtrail"]
PR_SET_PDEATHSIG = 1
KEEP_MEMORY = {
    "receive": {"MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(16 << 20)},
    "work": {"_RJEM_MALLOC_CONF": "dirty_decay_ms:10000,muzzy_decay_ms:10000"},
}
"""What each child's allocator is told: use freed memory again, instead of giving it back to the kernel at once.

The receiver's is glibc's (mallopt(3)): its blocks of 1 MiB cost 0.06 µs a line in page faults, a tenth of its time.
The service's is that of polars: half of the page faults and a tenth of the processor time of a busy loader; after 10 s
an idle service gives it back."""

USED_WRONGLY = 2
"""Exit status of a child that will not start: starting it again would not help."""

LONGEST_PAUSE = 30.0
"""Seconds between starts of a child that keeps ending; the pause doubles from half a second."""

STEADY = 60.0
"""Seconds after which a child counts as well, and the pause is short again."""

GRACE = 30.0
"""Seconds that a child has to stop cleanly before it is killed."""


def die_with_parent() -> None:
    """Between fork and exec: the kernel ends this child when `serve` ends, however that happens (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(slots=True)
class Child:
    """One process that is kept running."""

    role: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.5
    due: float = 0.0
    refused: bool = field(default=False)
    ran: bool = field(default=False)

    def start(self, now: float) -> None:
        environment = {**KEEP_MEMORY.get(self.role, {}), **os.environ}
        self.process = subprocess.Popen(self.arguments, env=environment, preexec_fn=die_with_parent)  # noqa: PLW1509, S603  (our own program; prctl only)
        self.started = now
        log.info("started", extra={"facts": {"role": self.role, "pid": self.process.pid}})

    def tend(self, now: float) -> None:
        """Notice that it ended, and start it again when its pause is over."""
        if self.process is not None and self.process.poll() is not None:
            self._ended(now, self.process.returncode)
        if self.process is None and not self.refused and now >= self.due:
            self.start(now)

    def _ended(self, now: float, status: int) -> None:
        """One that refuses at its first start refuses for good; one that ran before waits for files to be mended."""
        self.process = None
        self.ran = self.ran or status != USED_WRONGLY
        self.refused = not self.ran
        self.pause = 0.5 if now - self.started > STEADY else min(self.pause * 2, LONGEST_PAUSE)
        self.due = now + self.pause
        log.error("ended", extra={"facts": {"role": self.role, "status": status, "again_in_seconds": self.pause}})

    def reload(self) -> None:
        """One that is not running reads everything when it starts."""
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            log.exception("killed", extra={"facts": {"role": self.role}})
            self.process.kill()
            self.process.wait()


def wrong_files(configuration: Path) -> bool:
    """Whether a mistake in a file would keep a child from starting; all are on standard error then.

    A process of its own looks, so that this one, which runs for months, loads no database.
    """
    looked = subprocess.run(  # noqa: S603  (our own program)
        [*PROGRAM, "check", "--files", "--config", os.fspath(configuration)], stdout=subprocess.DEVNULL, check=False
    )
    return looked.returncode == USED_WRONGLY


def children(configuration: Path) -> list[Child]:
    return [Child(role, [*PROGRAM, role, "--config", os.fspath(configuration)]) for role in ("receive", "work")]


def serve(configuration: Path, pause: Callable[[float], None] = time.sleep) -> int:
    """Run both until SIGTERM or SIGINT; 2 when one of them refuses to start, with its reason on standard error.

    SIGHUP makes both read their files again; from a terminal that is closed it ends everything.
    """
    stopping: list[int] = []
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopping.append(got))
    signal.signal(signal.SIGHUP, lambda got, _frame: (stopping if sys.stderr.isatty() else asked).append(got))
    both = children(configuration)
    while not stopping and not any(child.refused for child in both):
        if asked:
            asked.clear()
            for child in both:
                child.reload()
        for child in both:
            child.tend(time.monotonic())
        pause(0.1)
    for child in reversed(both):  # the service first: what the receiver still takes waits in the spool
        child.stop()
    return USED_WRONGLY if any(child.refused for child in both) else 0
