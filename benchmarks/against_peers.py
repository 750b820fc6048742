"""hsmtrail beside what a user would build instead: TCP lines to queryable rows, in turn, round after round.

    sh benchmarks/peers/fetch.sh /var/tmp/peers                          (once; Debian 12)
    python benchmarks/against_peers.py /var/tmp/peers                    1,000,000 lines, 3 rounds, about 3 minutes

Peers: rsyslog with mmnormalize, syslog-ng with patterndb; each writes JSON that DuckDB then loads with read_json
(configuration in benchmarks/peers). All get the same file over one connection, as fast as they take it.

`seconds` is from the first byte sent to the last row queryable. For a peer that is to the last byte of JSON written,
plus the loading; neither the wait until one knows that it is done nor the start of the loading program counts.
hsmtrail keeps raw lines, fsyncs and chains, fills all columns and runs its live detectors; the peers keep 21
columns, no raw line, and never fsync. `cpu` are CPU seconds up to then, for hsmtrail also with all that follows.
One JSON line a run; the last one has medians and ratios (peer / hsmtrail). Read them with the `machine` line, and
mistrust rounds that differ by more than a tenth.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import HERE, last_growth, lines_in, machine, medians, options_of, scratch, sender, sent, show
from peer_servers import RSYSLOG, SYSLOG_NG, Kind, Peer
from product import Product, listener
from whole_line import measure

QUIET_SECONDS = 2.0
FIGURES = ("seconds", "cpu")


def round_of_product(folder: Path, lines: Path, count: int) -> dict[str, Any]:
    with Product(folder, listener("tcp")) as product:
        figures = measure(product, lines, "tcp", count)
    cpu, settled = figures.pop("cpu_seconds"), figures.pop("cpu_seconds_settled")
    return {**figures, "cpu": sum(cpu.values()), "cpu_settled": sum(settled.values()), "cpu_by_part": cpu}


def round_of_peer(kind: Kind, peers: Path, folder: Path, lines: Path) -> dict[str, Any]:
    with Peer(kind, peers, folder) as peer:
        before = peer.cpu()
        sending = sender(lines, "tcp", peer.port)
        written = last_growth(peer.octets, sending, QUIET_SECONDS)
        figures, cpu, peak = sent(sending), peer.cpu() - before, peer.peak_mebibytes()
    loaded = load(peer.rows_file, folder / "rows.duckdb")
    return {
        "sent": figures["lines"],
        "send_rate": figures["rate"],
        "stored": loaded["rows"],
        "seconds": round(written - figures["begun"] + loaded["seconds"], 3),
        "cpu": round(cpu + loaded["cpu"], 2),
        "seconds_by_part": {"write": round(written - figures["begun"], 3), "load": round(loaded["seconds"], 3)},
        "cpu_by_part": {"write": round(cpu, 2), "load": round(loaded["cpu"], 2)},
        "peak_mebibytes": peak,
    }


def load(rows: Path, store: Path) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "peers" / "load_rows.py"), str(rows), str(store)]
    return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("peers", type=Path, help="the folder that peers/fetch.sh filled")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        compare(folder, wanted.peers, wanted.lines, wanted.rounds)


def compare(folder: Path, peers: Path, count: int, rounds: int) -> None:
    lines = lines_in(folder, count)
    results: dict[str, list[dict[str, Any]]] = {"hsmtrail": [], "rsyslog": [], "syslog-ng": []}
    for number in range(1, rounds + 1):
        for who, known in results.items():
            place = folder / f"{who}-{number}"
            kind = {"rsyslog": RSYSLOG, "syslog-ng": SYSLOG_NG}.get(who)
            one = round_of_peer(kind, peers, place, lines) if kind else round_of_product(place, lines, count)
            if one["stored"] != count:
                raise SystemExit(f"{who} has {one['stored']} whole rows of {count} lines: nothing to compare")
            known.append(one)
            show(round=number, who=who, **one)
    summary(results)


def summary(results: dict[str, list[dict[str, Any]]]) -> None:
    ours = medians(results["hsmtrail"], (*FIGURES, "cpu_settled"))
    show(medians={"hsmtrail": ours, **{who: medians(results[who], FIGURES) for who in ("rsyslog", "syslog-ng")}})
    ratios = {}
    for who in ("rsyslog", "syslog-ng"):
        peer = medians(results[who], FIGURES)
        settled = round(peer["cpu"] / ours["cpu_settled"], 2)
        ratios[who] = {**{name: round(peer[name] / ours[name], 2) for name in FIGURES}, "cpu_settled": settled}
    show(ratios=ratios)


if __name__ == "__main__":
    main()
