"""Socket to queryable rows: `hsmtrail serve`, one sender, and the store asked until the last row is there.

    python benchmarks/whole_line.py tcp --lines 1000000
    python benchmarks/whole_line.py udp --rate 100000 --seconds 10

Prints one JSON line. `seconds` is from the first byte sent to the last row queryable, raw lines kept, spool fsynced and
chained, all columns, live detectors on; `behind_last_byte` counts from the last byte sent; `cpu_seconds` of receiver
and service up to the last row, `cpu_seconds_settled` with all that follows (checkpoint, detectors).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from measuring import lines_in, options_of, scratch, sender, sent, show
from product import Product, listener, since

if TYPE_CHECKING:
    from pathlib import Path


def measure(product: Product, lines: Path, protocol: str, count: int, *options: object) -> dict[str, Any]:
    """`product` runs and has no rows yet; `options` are those of send_lines.py."""
    before = product.cpu()
    figures = sent(sender(lines, protocol, product.port(protocol), "--count", count, *options))
    last = product.wait_for(count)
    used = since(before, product.cpu())
    stored = product.stored()
    product.settle()
    counted = product.listener(protocol)
    return {
        "sent": figures["lines"],
        "send_rate": figures["rate"],
        "stored": stored,
        "kernel_dropped": counted["kernel_dropped"],
        "refused": sum(counted["refused"].values()),
        "seconds": round(last - figures["begun"], 3),
        "rows_a_second": round(stored / (last - figures["begun"])),
        "behind_last_byte": round(last - figures["ended"], 3),
        "cpu_seconds": used,
        "cpu_seconds_settled": since(before, product.cpu()),
        "peak_mebibytes": product.memory("VmHWM"),
    }


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("protocol", choices=("tcp", "udp"))
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=0, help="messages a second; 0 is as fast as it goes")
    parser.add_argument("--seconds", type=int, default=10, help="of a paced run")
    wanted = parser.parse_args()
    count = wanted.rate * wanted.seconds if wanted.rate else wanted.lines
    with scratch(wanted.folder) as folder:
        lines = lines_in(folder, count)
        with Product(folder / "hsmtrail", listener(wanted.protocol)) as product:
            show(protocol=wanted.protocol, **measure(product, lines, wanted.protocol, count, "--rate", wanted.rate))


if __name__ == "__main__":
    main()
