"""Many lines at once: what the service calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from parsers import line as lines_
from parsers.columns import PARSED

if TYPE_CHECKING:
    from parsers.inventory import Inventory
    from parsers.patterns import Patterns


class Parser:
    """Parses batches of received lines to the columns PARSED."""

    def __init__(self, patterns: Patterns, inventory: Inventory) -> None:
        self.patterns = patterns
        self.inventory = inventory
        self._engine = lines_.Expressions()

    def parse(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Same rows, same order, columns PARSED; never raises for any bytes.

        `lines` has received_at, peer, peer_identity, raw and trouble.
        """
        rows = [
            lines_.parse(lines_.Received(raw, received_at, peer, identity, trouble), self.patterns, self.inventory, self._engine)
            for raw, received_at, peer, identity, trouble in lines.select(
                "raw", "received_at", "peer", "peer_identity", "trouble"
            ).iter_rows()
        ]
        return pl.DataFrame(rows, schema=PARSED, orient="row")
