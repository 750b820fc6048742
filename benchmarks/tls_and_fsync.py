"""What TLS costs, and what durability costs: the whole line over TCP, over TLS, and over TCP without fsync and chain.

    python benchmarks/tls_and_fsync.py              1,000,000 lines, 3 rounds of four, about 4 minutes

In turn: `tcp` as installed; `tls`; `no_chain` without digests; `bare` without digests and fsync. The last two are
the same program with two functions of the receiver taken out from outside (serve_without.py); there is no such setting.

`queryable` is from the first byte sent (after the handshake) to the last row queryable, `spooled` to the last line in
the published spool: the receiver alone, with the service working beside it. The last line has medians and costs in
percent: tls over tcp, tcp over no_chain (chain), tcp over bare (fsync and chain). Durability hides behind the service
where that is slower, so `queryable` says what a user sees and `spooled` and `receiver_cpu` what it takes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from measuring import HERE, lines_in, machine, medians, options_of, scratch, sender, sent, show, until
from product import Product, listener, since

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (sys.executable, str(HERE / "serve_without.py"))
WAYS = {"tcp": "", "tls": "", "no_chain": "chain", "bare": "chain,fsync"}
COSTS = {"tls": ("tls", "tcp"), "chain": ("tcp", "no_chain"), "fsync_and_chain": ("tcp", "bare")}
FIGURES = ("queryable", "spooled", "receiver_cpu")
LOOK_EVERY = 0.005
PATIENCE = 300.0
CERTIFICATE = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"


def certificate(folder: Path) -> dict[str, str]:
    """Keys of a TLS listener: a certificate that signed itself."""
    files = {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")}
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", files["certificate"], "-keyout", files["key"]]
    subprocess.run(["openssl", *CERTIFICATE.split(), *names], check=True, capture_output=True)
    return files


def one_round(way: str, folder: Path, lines: Path, count: int, keys: dict[str, str]) -> dict[str, Any]:
    protocol, options = ("tls", ("--authority", keys["certificate"])) if way == "tls" else ("tcp", ())
    configuration = listener(protocol, **(keys if way == "tls" else {}))
    with Product(folder, configuration, PROGRAM, HSMTRAIL_WITHOUT=WAYS[way]) as product:
        before = product.cpu()
        sending = sender(lines, protocol, product.port(protocol), *options)
        until(lambda: product.spooled() >= count, PATIENCE, "the last line in the spool", LOOK_EVERY)
        in_spool, used = time.monotonic(), since(before, product.cpu())
        stored = product.wait_for(count)
        begun = sent(sending)["begun"]
        if product.stored() != count:
            raise SystemExit(f"{product.stored()} of {count} lines are stored")
    return {
        "queryable": round(stored - begun, 3),
        "spooled": round(in_spool - begun, 3),
        "receiver_cpu": used["receiver"],
    }


def costs(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """In percent, of the medians."""
    middle = {way: medians(rounds, FIGURES) for way, rounds in results.items()}
    show(medians=middle)
    return {
        name: {figure: round(100 * (middle[more][figure] / middle[less][figure] - 1), 1) for figure in FIGURES}
        for name, (more, less) in COSTS.items()
        if more in middle and less in middle
    }


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    wanted = parser.parse_args()
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        lines, keys = lines_in(folder, wanted.lines), certificate(folder)
        results: dict[str, list[dict[str, Any]]] = {way: [] for way in wanted.ways}
        for number in range(1, wanted.rounds + 1):
            for way, known in results.items():
                known.append(one_round(way, folder / f"{way}-{number}", lines, wanted.lines, keys))
                show(round=number, way=way, **known[-1])
        show(cost_percent=costs(results))


if __name__ == "__main__":
    main()
