"""What every listener is given: where lines go, where refusals are counted, where limits are said."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.counters import Ledger
    from ingest.notices import Notices
    from ingest.pending import Pending
    from ingest.portions import Portion


def microseconds() -> int:
    """Now, since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Intake:
    pending: Pending
    ledger: Ledger
    notices: Notices
    clock: Callable[[], int] = field(default=microseconds)

    def deliver(self, portion: Portion, *, patient: bool) -> None:
        """To the spool; refused and counted when that is blocked and this listener does not wait for it."""
        if not self.pending.put(portion, patient=patient):
            self.refuse(portion.sources[0].listener, self.pending.blocked or "disk_full", len(portion.raw))

    def refuse(self, listener: str, reason: str, messages: int, peer: str = "") -> None:
        """Count them, and say so: once a minute for each reason and sender."""
        self.ledger.refuse(listener, reason, messages)
        facts = {"peer": peer} if peer else {}
        self.notices.warn("refused", listener, f"{reason} {peer}", reason=reason, **facts)
