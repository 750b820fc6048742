"""Socket to queryable rows, for real: `hsmtrail serve`, a sender, and the store asked until the last row is there.

    python benchmarks/whole_line.py tcp --lines 1000000
    python benchmarks/whole_line.py udp --rate 100000 --seconds 10

Prints one JSON line: rows a second from the first byte sent to the last row queryable, CPU seconds of both processes,
kernel drops. Raw lines kept, spool fsynced and chained, all columns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "tests"), str(Path(__file__).parent)]

from support.installation import BASIC, Site  # noqa: E402  (the tests' own installation)

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mebibytes(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split("VmHWM:")[1].split()[0]) / 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=("tcp", "udp"))
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=0, help="messages a second; 0 is as fast as it goes")
    parser.add_argument("--seconds", type=int, default=10, help="of a paced run")
    wanted = parser.parse_args()
    count = wanted.rate * wanted.seconds if wanted.rate else wanted.lines
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Site(Path(folder)), wanted.protocol, count, wanted.rate)))


def measure(site, protocol, count, rate):
    lines = site.folder / "lines"
    subprocess.run([sys.executable, HERE / "generate_lines.py", lines, "--lines", str(count)], check=True)
    site.write(BASIC)
    site.start()
    try:
        return run(site, lines, protocol, count, rate)
    finally:
        site.stop()


def run(site, lines, protocol, count, rate):
    status = site.running("receiver", "service")
    pids = {part: status[part]["pid"] for part in ("receiver", "service")}
    before = {part: cpu_seconds(pid) for part, pid in pids.items()}
    sender = [sys.executable, HERE / "send_lines.py", lines, protocol, "127.0.0.1", str(site.port(protocol))]
    sent = json.loads(subprocess.run([*sender, "--rate", str(rate)], check=True, capture_output=True).stdout)
    last = wait_for(site, count)
    listener = next(item for item in site.status()["receiver"]["listeners"] if item["name"] == protocol)
    return {
        "protocol": protocol,
        "sent": sent["lines"],
        "send_rate": sent["rate"],
        "stored": site.query("SELECT count(*) AS n FROM records")[0]["n"],
        "kernel_dropped": listener["kernel_dropped"],
        "seconds": round(last - sent["begun"], 3),
        "rows_a_second": round(count / (last - sent["begun"])),
        "behind_last_byte": round(last - sent["ended"], 3),
        "cpu_seconds": {part: round(cpu_seconds(pid) - before[part], 2) for part, pid in pids.items()},
        "peak_mebibytes": {part: peak_mebibytes(pid) for part, pid in pids.items()},
    }


def wait_for(site, count, patience=60.0):
    """CLOCK_MONOTONIC when the last row could be counted; asked by one connection that stays open."""
    from hsmtrail.client import running_service
    from hsmtrail.config import load

    service = running_service(load(site.config))
    asked = {"sql": "SELECT count(*) AS n FROM records", "format": "json"}
    end = time.monotonic() + patience
    seen, quiet = 0, time.monotonic()
    while time.monotonic() < end:
        now = json.loads(service.post("/api/query", asked).body)[0]["n"]
        if now >= count:
            break
        if now != seen:
            seen, quiet = now, time.monotonic()
        if time.monotonic() - quiet > 5:
            break  # datagrams were lost: the figures say how many
        time.sleep(0.05)
    return time.monotonic()


if __name__ == "__main__":
    main()
