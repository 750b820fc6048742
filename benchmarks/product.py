"""hsmtrail as it is installed: its configuration, its processes, and a connection to it that stays open."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from measuring import cpu_seconds, mebibytes, until

from ingest.spool_head import read_head

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (sys.executable, "-m", "hsmtrail")
START_SECONDS, STOP_SECONDS, QUIET_SECONDS = 60, 60, 5.0
POLL, LONGEST_POLL = 0.02, 0.5
HEAD = 'data_dir = "data"\n[web]\naddress = "127.0.0.1:0"\n'
COUNT = "SELECT count(*) AS n FROM records"
STORED = "SELECT coalesce(sum(rows), 0) AS n FROM batches"


def listener(protocol: str, **keys: object) -> str:
    """One [[listener]], called by its protocol, on a free port of loopback."""
    text = f'[[listener]]\nname = "{protocol}"\nprotocol = "{protocol}"\naddress = "127.0.0.1:0"\n'
    return text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())


class Product:
    """`hsmtrail serve` in a folder of its own; `with` waits until it answers, and stops it."""

    def __init__(self, folder: Path, configuration: str, program: tuple[str, ...] = PROGRAM, **more: str) -> None:
        folder.mkdir()
        self.folder, self._log = folder, folder / "serve.log"
        self.data, self.spool = folder / "data", folder / "data" / "spool" / "main"
        file = folder / "hsmtrail.toml"
        file.write_text(HEAD + configuration, encoding="utf-8")
        self._command = [*program, "serve", "--config", str(file)]
        self._environment = {**os.environ, **more}

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self.serve = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        try:
            until(self._answers, START_SECONDS, "hsmtrail serve")
        except BaseException:
            self.__exit__()
            sys.stderr.write(self._log.read_text(encoding="utf-8", errors="replace")[-2000:])
            raise
        self.pids = {"receiver": self.receiver()["pid"], "service": _read(self.data / "service.json")["pid"]}
        return self

    def __exit__(self, *_: object) -> None:
        self.serve.send_signal(signal.SIGTERM)
        try:
            self.serve.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.serve.kill()
            self.serve.wait()

    def _answers(self) -> bool:
        if self.serve.poll() is not None:
            raise SystemExit("hsmtrail serve ended")
        try:
            address = _read(self.data / "service.json")
            self._token = (self.data / "local.token").read_text(encoding="utf-8").strip()
            self._connection = http.client.HTTPConnection(address["host"], address["port"], timeout=60)
            return bool(self.receiver()["listeners"]) and self.stored() >= 0
        except (OSError, KeyError, ValueError):
            return False

    def query(self, sql: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request("POST", "/api/query", json.dumps({"sql": sql, "format": "json"}), headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise SystemExit(body.decode(errors="replace"))
        return list(json.loads(body))

    def stored(self) -> int:
        return int(self.query(COUNT)[0]["n"])

    def spooled(self) -> int:
        """Lines in the published spool."""
        head = read_head(self.spool)
        return head.next_record - 1 if head else 0

    def queryable(self) -> int:
        """Rows by the store's own list of batches, which a commit brings with their rows: a question of 5 ms."""
        return int(self.query(STORED)[0]["n"])

    def wait_for(self, count: int, patience: float = 600.0) -> float:
        """CLOCK_MONOTONIC when that many rows could be asked for; when datagrams were lost, the last of the others.

        Nothing comes any more when the store has all of the spool and neither grew for 5 s. The rows themselves are
        counted once, at the end: that costs 18 ms of a processor for two million, which the product would use.
        """
        began = time.monotonic()
        seen, moment, end = (-1, -1), began, began + patience
        while time.monotonic() < end:
            if (now := (self.queryable(), self.spooled())) != seen:
                seen, moment = now, time.monotonic()
            stored, spooled = now
            if stored >= count or (stored == spooled and time.monotonic() - moment > QUIET_SECONDS):
                self._counted(stored)
                return moment
            remaining = (time.monotonic() - began) * (count - stored) / max(stored, 1)
            time.sleep(min(max(remaining / 4, POLL), LONGEST_POLL))
        raise SystemExit(f"{seen[0]} of {seen[1]} spooled lines were stored in {patience:g} s")

    def _counted(self, rows: int) -> None:
        if (there := self.stored()) < rows:
            raise SystemExit(f"the store's batches have {rows} rows, of which {there} can be counted")

    def receiver(self) -> dict[str, Any]:
        """What the receiver last wrote of itself; at most half a second old."""
        return _read(self.spool / "status.json")

    def listener(self, name: str) -> dict[str, Any]:
        return next(one for one in self.receiver()["listeners"] if one["name"] == name)

    def port(self, name: str) -> int:
        return int(self.listener(name)["address"].rpartition(":")[2])

    def cpu(self) -> dict[str, float]:
        return {part: cpu_seconds(pid) for part, pid in self.pids.items()}

    def memory(self, field: str = "VmRSS") -> dict[str, float]:
        return {part: mebibytes(pid, field) for part, pid in self.pids.items()}

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until what follows the last row (checkpoint, detectors) is done: a second with little work."""
        before, end = sum(self.cpu().values()), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1.0)
            now = sum(self.cpu().values())
            if now - before < 0.1:
                return
            before = now


def since(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    return {part: round(now[part] - before[part], 2) for part in now}


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
