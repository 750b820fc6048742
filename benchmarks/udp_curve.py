"""What UDP loses at which rate: one paced sender, fresh processes for each run, losses counted by the kernel.

    sh benchmarks/peers/fetch.sh /var/tmp/peers                                 (once, for aiosyslogd; Debian 12)
    python benchmarks/udp_curve.py > curve.jsonl                                the whole curve, about 5 minutes
    python benchmarks/udp_curve.py --rates 9000 --seconds 60 --buffer kernel    with the kernel's default buffer
    python benchmarks/udp_curve.py --rates 27000 --seconds 60                   with a tuned one
    python benchmarks/udp_curve.py --highest /var/tmp/peers                     beside aiosyslogd, about 8 minutes
    python benchmarks/plot_curve.py curve.jsonl docs/udp-loss.svg

`--buffer kernel` gives the listener what a program that asks for nothing gets (net.core.rmem_default); `tuned` is
the product's own default, 128 MiB where the process may (root, CAP_NET_ADMIN), else as far as net.core.rmem_max goes.

One JSON line a run. `send_rate` is what really left; send_lines.py says how it paces, send_datagrams.py what it costs.
`lost` = sent - stored; `unexplained` is what neither the kernel's count of drops nor the receiver's of refusals says
of them: 0 for hsmtrail, or something is wrong. `behind` are the seconds from the last datagram sent to the last row
queryable. `--highest` halves the span between a rate that loses nothing and one that does, for hsmtrail and the peer in
turn, and prints the ratio. A rate counts when every datagram of its run is a row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from measuring import last_growth, lines_in, machine, options_of, scratch, sender, sent, show
from peer_servers import AIOSYSLOGD, Peer
from product import Product, listener
from whole_line import measure

RATES = (4_500, 9_000, 27_000, 50_000, 100_000, 150_000, 200_000, 250_000, 350_000)
KERNEL_DEFAULT = Path("/proc/sys/net/core/rmem_default")
PEER_QUIET_SECONDS = 4.0
STEPS = 5
SPANS = {"hsmtrail": (100_000, 500_000), "aiosyslogd": (2_000, 60_000)}


def buffer(name: str) -> dict[str, int]:
    """Keys of the listener; the kernel doubles what it is asked for, its default is already doubled (socket(7))."""
    return {"receive_buffer": int(KERNEL_DEFAULT.read_text()) // 2} if name == "kernel" else {}


def product_at(rate: int, seconds: int, folder: Path, lines: Path, buffer_name: str = "tuned") -> dict[str, Any]:
    with Product(folder, listener("udp", **buffer(buffer_name))) as product:
        figures = measure(product, lines, "udp", rate * seconds, "--rate", rate)
    return {"buffer": buffer_name, "behind": figures["behind_last_byte"], **figures}


def peer_at(rate: int, seconds: int, folder: Path, lines: Path, peers: Path) -> dict[str, Any]:
    with Peer(AIOSYSLOGD, peers, folder) as peer:
        before = peer.cpu()
        sending = sender(lines, "udp", peer.port, "--count", rate * seconds, "--rate", rate)
        last = last_growth(peer.rows, sending, PEER_QUIET_SECONDS, 0.05)
        figures, cpu, dropped = sent(sending), peer.cpu() - before, peer.kernel_dropped()
        return {
            "buffer": "its own",
            "behind": round(last - figures["ended"], 3),
            "sent": figures["lines"],
            "send_rate": figures["rate"],
            "stored": peer.rows(),
            "kernel_dropped": dropped,
            "cpu_seconds": round(cpu, 2),
        }


def show_run(who: str, rate: int, figures: dict[str, Any]) -> dict[str, Any]:
    lost = figures["sent"] - figures["stored"]
    unexplained = lost - figures["kernel_dropped"] - figures.get("refused", 0)
    one = {"who": who, "rate": rate, "lost": lost, "unexplained": unexplained, **figures}
    show(**one)
    return one


def curve(folder: Path, lines: Path, rates: list[int], seconds: int, buffer_name: str) -> None:
    for rate in rates:
        show_run("hsmtrail", rate, product_at(rate, seconds, folder / f"{rate}", lines, buffer_name))


def highest(folder: Path, lines: Path, seconds: int, buffer_name: str, peers: Path) -> None:
    """Both in turn, one step each."""
    spans, best = dict(SPANS), dict.fromkeys(SPANS, 0)
    for step in range(STEPS):
        for who, (low, high) in spans.items():
            rate, place = round((low * high) ** 0.5), folder / f"{who}-{step}"
            if who == "hsmtrail":
                one = show_run(who, rate, product_at(rate, seconds, place, lines, buffer_name))
            else:
                one = show_run(who, rate, peer_at(rate, seconds, place, lines, peers))
            lossless = one["lost"] == 0
            best[who] = max(best[who], one["send_rate"]) if lossless else best[who]
            spans[who] = (rate, high) if lossless else (low, rate)
    show(highest=best, ratio=round(best["hsmtrail"] / best["aiosyslogd"], 1) if best["aiosyslogd"] else None)


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rates", type=lambda text: [int(word) for word in text.split(",")], default=list(RATES))
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--buffer", choices=("tuned", "kernel"), default="tuned")
    parser.add_argument("--highest", type=Path, metavar="PEERS", help="find the highest rates beside aiosyslogd")
    wanted = parser.parse_args()
    most = max(high for _, high in SPANS.values()) if wanted.highest else max(wanted.rates)
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        lines = lines_in(folder, most * wanted.seconds)
        if wanted.highest:
            highest(folder, lines, wanted.seconds, wanted.buffer, wanted.highest)
        else:
            curve(folder, lines, wanted.rates, wanted.seconds, wanted.buffer)


if __name__ == "__main__":
    main()
