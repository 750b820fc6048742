"""What verifying says, and the chain that it follows over the files of one spool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.spool_batch import FIRST_PREVIOUS, NUMBER_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ingest.spool_key import Keys
    from ingest.spool_segment import StoredBatch

RUNNING = (1 << NUMBER_BITS) - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fault or a note: which file (below data_dir), which bytes (`end` exclusive), and what about them."""

    file: str
    begin: int
    end: int
    what: str
    is_fault: bool = True

    @staticmethod
    def note(file: str, begin: int, end: int, what: str) -> Verdict:
        return Verdict(file, begin, end, what, is_fault=False)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last batch of a spool that was proven, with the receiver's number; how many there are, and their records."""

    name: str
    batch: int
    sha256: str
    batches: int
    records: int


class Chain:
    """Numbers without gap or repeat, each batch chained on the one before, each MAC right, each anchor met."""

    def __init__(self, name: str, keys: Keys | None, anchors: Mapping[int, str]) -> None:
        self._name, self._keys, self._anchors = name, keys, anchors
        self._batch, self._record, self._sha256 = 0, 1, FIRST_PREVIOUS.hex()
        self._number = self._batches = self._records = 0
        self._damaged = False
        self._mac_said = ""

    @property
    def batch(self) -> int:
        """The running number of the last one."""
        return self._batch

    @property
    def is_damaged(self) -> bool:
        """Whether what comes after the last one could not be read, and was named."""
        return self._damaged

    def head(self) -> ChainHead | None:
        if not self._batches:
            return None
        return ChainHead(self._name, self._number, self._sha256, self._batches, self._records)

    def damaged(self) -> None:
        """What could not be read was named already: a gap behind it needs no words of its own."""
        self._damaged = True

    def take(self, place: str, batch: StoredBatch) -> Iterator[Verdict]:
        words = batch.metadata
        number, record = int(words["batch"]), int(words["first_record"]) & RUNNING
        running = number & RUNNING
        for what in self._trouble(running, record, words["previous"]):
            yield Verdict(place, batch.start, batch.end, f"batch {running} {what}")
        trouble = "" if self._keys is None else self._keys.trouble(words)
        if trouble and self._mac_said != place:
            yield Verdict(place, batch.start, batch.end, f"batch {running}: {trouble}")
            self._mac_said = place  # the first of a file stands for all of them
        if self._anchors.get(number, words["sha256"]) != words["sha256"]:
            yield Verdict(place, batch.start, batch.end, f"batch {running} has another SHA-256 than its anchor")
        self._batch, self._record, self._sha256 = running, record + batch.table.num_rows, words["sha256"]
        self._number, self._damaged = number, False
        self._batches += 1
        self._records += batch.table.num_rows

    def _trouble(self, running: int, record: int, previous: str) -> Iterator[str]:
        if running <= self._batch:
            yield f"stands behind batch {self._batch}"
        elif running > self._batch + 1:
            if not self._damaged:
                yield f"comes after {self._batch}: those between are missing"
        elif previous != self._sha256:
            yield "is chained on another batch than the one before it"
        elif record != self._record:
            yield f"begins with record {record} in place of {self._record}"
