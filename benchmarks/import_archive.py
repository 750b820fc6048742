"""Import of an audit archive that overlaps syslog by half: how long, is the half copies, and do the gaps close?

    python benchmarks/import_archive.py [--records 500000] [--rounds 3] [--stopped]

Each round: `hsmtrail serve` takes every second thousand of the records over TCP, as `audit remotehost` sends them; then
`hsmtrail import` brings the HSM's own files, packed as `audit log tarlogs` packs them. The time is that of the whole
command, from its start until all is stored; the processor's that of the command and the service. `--stopped`: while no
service runs, so that the command stores them itself and judges the gaps as well. Prints one JSON line a round.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from support.audit_archive import DEVICE, half  # noqa: E402  (the tests' own)
from support.installation import BASIC, Site, as_process, eventually  # noqa: E402

PER_SECOND, PER_FILE, RUN = 100, 9000, 1000


def measure(folder, archive, sent, *, stopped):
    site = Site(folder)
    site.write(BASIC + DEVICE)
    site.start()
    try:
        site.running("receiver", "service")
        with socket.create_connection(("127.0.0.1", site.port("tcp"))) as connection:
            connection.sendall(sent)
        lines = sent.count(b"\n")
        eventually(lambda: site.status()["service"]["records"] >= lines, 120)
        site.json("detectors", "run", "LOGS-02")
        before = gaps(site)
        if stopped:
            site.stop()
        service = 0 if stopped else site.status()["service"]["pid"]
        begun, worked = time.monotonic(), processor(service)
        done = as_process("import", str(archive), "--format", "json", "--config", str(site.config))
        seconds, worked = time.monotonic() - begun, processor(service) - worked
        result = json.loads(done.stdout)
        site.json("detectors", "run", "LOGS-02")
        kept = {key: value for key, value in result.items() if isinstance(value, int)}
        missing = sum(one["missing"] for one in result["audit"])
        said = {"seconds": round(seconds, 2), "processor_seconds": round(worked, 2), **kept, "missing": missing}
        return {**said, "gaps_before": before, "gaps_after": gaps(site)}
    finally:
        site.stop()


def processor(service):
    """Seconds of the commands that have ended, and of the service."""
    ended = os.times()
    seconds = ended.children_user + ended.children_system
    if service:
        fields = Path(f"/proc/{service}/stat").read_text().rsplit(") ", 1)[1].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def gaps(site):
    """Findings of LOGS-02 that are open, and the numbers that they miss."""
    found = [one for one in site.json("findings", "list") if one["detector"] == "LOGS-02" and one["state"] == "open"]
    return [len(found), sum(one["columns"]["missing"] for one in found)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stopped", action="store_true", help="import while no service runs")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive, sent = half(Path(folder), wanted.records, PER_SECOND, PER_FILE, RUN)
        for number in range(wanted.rounds):
            place = Path(folder, str(number))
            place.mkdir()
            print(json.dumps(measure(place, archive, sent, stopped=wanted.stopped)), flush=True)


if __name__ == "__main__":
    main()
