"""What detectors cost beside the loading: 20,000 lines a second over TCP, with them and without.

    python benchmarks/with_detectors.py             30 s, 2 rounds of both, about 3 minutes
    python benchmarks/with_detectors.py --rate 0 --lines 1000000        as fast as it goes

In turn: hsmtrail as installed, and the same program whose service asks no detector (serve_without.py; there is no
such setting). `rows_a_second` is from the first byte sent to the last row queryable, `behind_last_byte` how far the
last row was behind the last byte, `service` its CPU seconds up to then and `settled` with the judgement of what came
last. The last line has the medians, and by how many percent the rate is lower and the CPU higher with detectors.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from measuring import HERE, lines_in, machine, medians, options_of, scratch, show
from product import Product, listener
from whole_line import measure

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (sys.executable, str(HERE / "serve_without.py"))
WAYS = {"with": "", "without": "detectors"}
FIGURES = ("rows_a_second", "behind_last_byte", "service", "settled")


def one_round(way: str, folder: Path, lines: Path, count: int, rate: int) -> dict[str, Any]:
    with Product(folder, listener("tcp"), PROGRAM, HSMTRAIL_WITHOUT=WAYS[way]) as product:
        figures = measure(product, lines, "tcp", count, "--rate", rate)
    if figures["stored"] != count:
        raise SystemExit(f"{figures['stored']} of {count} lines are stored")
    used, settled = figures["cpu_seconds"]["service"], figures["cpu_seconds_settled"]["service"]
    return {name: figures[name] for name in FIGURES[:2]} | {"service": used, "settled": settled}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="lines a second; 0 is as fast as it goes")
    parser.add_argument("--lines", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=2)
    wanted = parser.parse_args()
    with scratch(wanted.folder) as folder:
        show(machine=machine(folder))
        lines = lines_in(folder, wanted.lines)
        results: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for number in range(1, wanted.rounds + 1):
            for way, known in results.items():
                known.append(one_round(way, folder / f"{way}-{number}", lines, wanted.lines, wanted.rate))
                show(round=number, way=way, **known[-1])
        told = {way: medians(rounds, FIGURES) for way, rounds in results.items()}
        lower = 100 * (1 - told["with"]["rows_a_second"] / told["without"]["rows_a_second"])
        more = 100 * (told["with"]["settled"] / told["without"]["settled"] - 1)
        show(medians=told, rate_lower_percent=round(lower, 1), cpu_more_percent=round(more, 1))


if __name__ == "__main__":
    main()
