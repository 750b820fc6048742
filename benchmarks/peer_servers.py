"""The peers as processes, out of the folder that peers/fetch.sh filled: configured, started, measured, stopped."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from measuring import HERE, cpu_of, family_of, free_port, mebibytes, until

PEERS = HERE / "peers"


@dataclass(frozen=True, slots=True)
class Kind:
    """`command` and `files` (of benchmarks/peers) as one peer wants them; {root} is where it was unpacked."""

    name: str
    command: tuple[str, ...]
    files: tuple[str, ...]
    socket: socket.SocketKind = socket.SOCK_STREAM


RSYSLOG = Kind(
    "rsyslog",
    ("{root}/usr/sbin/rsyslogd", "-n", "-f", "rsyslog.conf", "-i", "{folder}/pid", "-M", "{modules}"),
    ("rsyslog.conf", "rsyslog.rulebase"),
)
SYSLOG_NG = Kind(
    "syslog-ng",
    (
        *("{root}/usr/sbin/syslog-ng", "-F", "-f", "syslog-ng.conf", "--module-path", "{root}/usr/lib/syslog-ng/3.38"),
        *("-p", "{folder}/pid", "-R", "{folder}/persist", "-c", "{folder}/control"),
    ),
    ("syslog-ng.conf", "syslog-ng.patterndb.xml"),
)
AIOSYSLOGD = Kind(
    "aiosyslogd",
    ("{peers}/aiosyslogd/bin/python", "-c", "from aiosyslogd.server import main; main()"),
    ("aiosyslogd.toml",),
    socket.SOCK_DGRAM,
)


class Peer:
    """One peer in a folder of its own; `with` waits until it listens, and stops it."""

    def __init__(self, kind: Kind, peers: Path, folder: Path) -> None:
        folder.mkdir()
        self.kind, self.folder, self.port = kind, folder, free_port(kind.socket)
        self.rows_file = folder / "rows.json"
        root = peers.resolve() / "root"
        for name in kind.files:
            text = (PEERS / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace("@PORT@", str(self.port)).replace("@FOLDER@", str(folder)))
        modules = next(iter(root.glob("usr/lib/*/rsyslog")), root)
        places = {"root": root, "peers": peers.resolve(), "modules": modules, "folder": folder}
        self._command = [word.format(**places) for word in kind.command]
        libraries = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu"), root / "usr/lib/syslog-ng"]
        self._environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))}

    def __enter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            until(self._listens, 20, self.kind.name)
        except BaseException:
            self.__exit__()
            sys.stderr.write((self.folder / "log").read_text(errors="replace")[-2000:])
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"{self.kind.name} ended")
        return bool(sockets(self.kind.socket, self.port))

    def cpu(self) -> float:
        return cpu_of(family_of(self._process.pid))

    def peak_mebibytes(self) -> float:
        return round(sum(mebibytes(pid, "VmHWM") for pid in family_of(self._process.pid)), 1)

    def kernel_dropped(self) -> int:
        return sum(int(row[-1]) for row in sockets(self.kind.socket, self.port))

    def octets(self) -> int:
        """Written so far as JSON."""
        return self.rows_file.stat().st_size if self.rows_file.exists() else 0

    def rows(self) -> int:
        """In SQLite so far (aiosyslogd, which writes a file a month)."""
        try:
            file = next(self.folder.glob("rows*.sqlite3"))
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                return int(connection.execute("SELECT max(ID) FROM SystemEvents").fetchone()[0] or 0)
        except (StopIteration, sqlite3.Error):
            return 0


def sockets(kind: socket.SocketKind, port: int) -> list[list[str]]:
    """The kernel's lines on what is bound to a port of ours (proc(5))."""
    table = Path("/proc/net/udp" if kind == socket.SOCK_DGRAM else "/proc/net/tcp")
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()]
    return [row for row in rows if row[1].endswith(f":{port:04X}")]
