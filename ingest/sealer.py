"""Seals what has ended and is stored, in a thread of the service that yields to all others."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from ingest.archive_manifest import ManifestDamaged
from ingest.follow import receiver_of
from ingest.notices import Notices
from ingest.seal import NotSealed, Stopped, ready, seal
from ingest.spool_segment import segments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger("hsmtrail.sealer")

LOOK_EVERY = 5.0
NICE = 10


class Sealer:
    """`stored` gives the last batch that the store has of each receiver."""

    def __init__(
        self,
        data_dir: Path,
        stored: Callable[[], Mapping[int, int]],
        close_imports: Callable[[], object] = lambda: None,
        every: float = LOOK_EVERY,
    ) -> None:
        self._data_dir, self._stored, self._close_imports, self._every = data_dir, stored, close_imports, every
        self._notices = Notices(log)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave a segment that is half sealed in the spool."""
        self._stopping.set()
        self._thread.join()

    def seal_all(self) -> int:
        """Seal every segment that is ready; how many were."""
        names = [name for name in self._names() if len(segments(self._data_dir / "spool" / name)) > 1]
        if not names:
            return 0
        stored, count = self._stored(), 0
        for name in names:
            receiver = receiver_of(self._data_dir / "spool" / name)
            for first in ready(self._data_dir, name, stored.get(receiver or 0, 0)):
                count += self._seal(name, first)
        return count

    def _seal(self, name: str, first: int) -> bool:
        try:
            sealed = seal(self._data_dir, name, first, self._stopping.is_set)
        except (NotSealed, ManifestDamaged, OSError) as error:
            self._notices.warn("not_sealed", f"spool/{name}/{first}", reason=str(error))
            return False
        log.info("sealed", extra={"facts": {"file": sealed.file, "records": sealed.records, "bytes": sealed.bytes}})
        return True

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # of this thread alone (Linux)
        while not self._stopping.is_set():
            try:
                self._close_imports()
                self.seal_all()
            except Stopped:
                return
            except Exception:
                log.exception("sealing_failed")
            self._stopping.wait(self._every)

    def _names(self) -> list[str]:
        folder = self._data_dir / "spool"
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
