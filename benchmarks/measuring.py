"""What the benchmarks share: what processes used (proc(5)), a place on a real disk, medians, what the machine is."""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = ("duckdb", "polars", "pyarrow", "numpy")


def family_of(pid: int) -> list[int]:
    """A process and all that descends from it."""
    try:
        words = [(task / "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
    return [pid, *(member for word in words for child in word.split() for member in family_of(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of one process since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of(pids: Iterable[int]) -> float:
    return sum(map(cpu_seconds, pids))


def mebibytes(pid: int, field: str = "VmRSS") -> float:
    """Resident memory now, or its peak with "VmHWM"."""
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split(f"{field}:")[1].split()[0]) / 1024, 1)


def until(question: Callable[[], Any], seconds: float, what: str, pause: float = 0.02) -> Any:
    """Ask until the answer is true; that answer."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
    return answer


def last_growth(size: Callable[[], int], sending: subprocess.Popen[str], quiet: float, pause: float = 0.01) -> float:
    """CLOCK_MONOTONIC of the last change of size(), once it was still for `quiet` seconds after the sender ended."""
    seen, moment, ended = -1, time.monotonic(), None
    while ended is None or time.monotonic() - max(moment, ended) < quiet:
        if (now := size()) != seen:
            seen, moment = now, time.monotonic()
        if ended is None and sending.poll() is not None:
            ended = time.monotonic()
        time.sleep(pause)
    return moment


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sender(lines: Path, protocol: str, port: int, *options: object) -> subprocess.Popen[str]:
    """send_lines.py at work; `sent` waits for its figures."""
    command = [sys.executable, HERE / "send_lines.py", lines, protocol, "127.0.0.1", port, *options]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)


def sent(sending: subprocess.Popen[str]) -> dict[str, Any]:
    printed, _ = sending.communicate()
    if sending.returncode:
        raise SystemExit("the sender failed")
    return dict(json.loads(printed))


def lines_in(folder: Path, count: int, **options: object) -> Path:
    """A file of so many generated lines."""
    file = folder / "lines"
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, str(HERE / "generate_lines.py"), str(file), "--lines", str(count), *words]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return file


def medians(rounds: Sequence[dict[str, Any]], names: Iterable[str]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in names}


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def options_of(doc: str | None) -> argparse.ArgumentParser:
    """What every benchmark is told; its docstring is its help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="scratch folder on the disk that is to be measured")
    return parser


@contextmanager
def scratch(parent: Path | None) -> Iterator[Path]:
    """A folder that is gone afterwards; what a tmpfs would make of fsync is no measurement."""
    with tempfile.TemporaryDirectory(prefix="hsmtrail-", dir=parent) as name:
        kind = filesystem(Path(name))
        if kind in ("tmpfs", "ramfs"):
            raise SystemExit(f"{name} is {kind}: name a folder on a disk with --folder")
        yield Path(name)


def filesystem(path: Path) -> str:
    done = subprocess.run(["stat", "--file-system", "--format", "%T", path], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def machine(folder: Path) -> dict[str, Any]:
    """What a figure must be read with."""
    model = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model.partition(": ")[2],
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "filesystem": filesystem(folder),
        "rmem_default": int(Path("/proc/sys/net/core/rmem_default").read_text()),
        "rmem_max": int(Path("/proc/sys/net/core/rmem_max").read_text()),
        "load_before": os.getloadavg()[0],
    }


def show(**facts: object) -> None:
    """One JSON line."""
    print(json.dumps(facts), flush=True)
