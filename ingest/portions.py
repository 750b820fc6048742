"""What listeners hand over: lines with where they came from, several portions to one table of the spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from ingest.counters import Taken
from ingest.spool_batch import SPOOL_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Places = NDArray[np.int64]

CUT, INCOMPLETE = "cut", "incomplete"
BYTES_PER_LINE = 16
"""What a waiting line takes beside its own bytes: its place and its moment."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from; `peer_identity` is the certificate's, where there is one."""

    listener: str
    transport: str
    peer: str
    peer_port: int | None
    peer_identity: str = ""


@dataclass(frozen=True, slots=True)
class Portion:
    """Lines of one listener that arrived together; `received_at` in microseconds since 1970.

    `sources[which[i]]` is where line i comes from; None: all from sources[0]. `troubles` has the lines that are not
    as they were sent.
    """

    raw: pa.BinaryArray
    received_at: Places | int
    sources: tuple[Source, ...]
    which: Places | None = None
    troubles: tuple[tuple[int, str], ...] = ()

    @property
    def size(self) -> int:
        return int(self.raw.nbytes) + BYTES_PER_LINE * len(self.raw)

    @property
    def taken(self) -> Taken:
        cut = sum(trouble == CUT for _, trouble in self.troubles)
        return Taken(self.sources[0].listener, len(self.raw), cut)


def gathered(block: bytes | memoryview, starts: Places, ends: Places) -> pa.BinaryArray:
    """The pieces of a block, one after another in new memory; the gaps between them fall out."""
    lines = len(starts)
    bounds = np.empty(2 * lines + 1, np.int32)
    bounds[:-1:2], bounds[1::2], bounds[-1] = starts, ends, len(block)
    pieces = pa.BinaryArray.from_buffers(pa.binary(), 2 * lines, [None, pa.py_buffer(bounds), pa.py_buffer(block)])
    return pieces.take(pa.array(np.arange(0, 2 * lines, 2, dtype=np.int32)))


def spool_table(portions: Sequence[Portion]) -> pa.RecordBatch:
    """Rows of SPOOL_SCHEMA, in order."""
    if not portions:
        return pa.RecordBatch.from_pylist([], schema=SPOOL_SCHEMA)
    numbers: dict[Source, int] = {}
    rows = [_source_numbers(portion, numbers) for portion in portions]
    which = pa.array(np.concatenate(rows))

    def column(value: Callable[[Source], object], kind: pa.DataType) -> pa.Array:
        return pa.array([value(source) for source in numbers], kind).take(which)

    moments = np.concatenate([np.broadcast_to(np.int64(p.received_at), len(p.raw)) for p in portions])
    return pa.record_batch(
        [
            pa.array(moments).cast(pa.timestamp("us")),
            column(lambda source: source.listener, pa.string()),
            column(lambda source: source.transport, pa.string()),
            column(lambda source: source.peer, pa.string()),
            column(lambda source: source.peer_port, pa.uint16()),
            column(lambda source: source.peer_identity, pa.string()),
            _troubles(portions, len(moments)),
            pa.concat_arrays([portion.raw for portion in portions]),
        ],
        schema=SPOOL_SCHEMA,
    )


def _source_numbers(portion: Portion, numbers: dict[Source, int]) -> Places:
    own = np.array([numbers.setdefault(source, len(numbers)) for source in portion.sources], np.int64)
    return np.full(len(portion.raw), own[0]) if portion.which is None else own[portion.which]


def _troubles(portions: Sequence[Portion], rows: int) -> pa.Array:
    words = [""]
    which = np.zeros(rows, np.int64)
    start = 0
    for portion in portions:
        for line, trouble in portion.troubles:
            if trouble not in words:
                words.append(trouble)
            which[start + line] = words.index(trouble)
        start += len(portion.raw)
    return pa.array(words, pa.string()).take(pa.array(which))
