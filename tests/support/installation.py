"""A real `hsmtrail serve` on loopback, asked as its users ask it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.typed import typed

PROGRAM = [sys.executable, "-m", "hsmtrail"]

ROLES = ("serve", "receive", "work")
"""What runs until it is stopped, and so as a process of its own; every other command is typed in this one."""


def eventually(question, seconds=60.0):
    """Ask until the answer is true; the last answer is in the failure."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {question}, last answer {answer!r}")
        time.sleep(0.02)
    return answer


def as_process(*words, text=True, **options):
    """The program as the machine starts it."""
    command = [*PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=text, timeout=120, check=False, **options)


@dataclass
class Site:
    """One installation: a folder, its configuration, and what runs there."""

    folder: Path
    text: str = ""
    processes: list = field(default_factory=list)

    @property
    def config(self):
        return self.folder / "hsmtrail.toml"

    def write(self, text):
        self.text = text
        self.config.write_text(text, encoding="utf-8")

    def command(self, *words, check=True, **options):
        run = as_process if words[0] in ROLES else typed
        done = run(*words, "--config", str(self.config), **options)
        if check and done.returncode:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr}")
        return done

    def json(self, *words):
        return json.loads(self.command(*words, "--format", "json").stdout)

    def query(self, sql):
        return self.json("query", sql)

    def start(self, role="serve"):
        log = (self.folder / f"{role}.log").open("ab")
        process = subprocess.Popen([*PROGRAM, role, "--config", str(self.config)], stderr=log, stdout=log)
        log.close()
        self.processes.append(process)
        return process

    def status(self):
        done = self.command("status", "--format", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def log(self, role="serve"):
        return (self.folder / f"{role}.log").read_text(encoding="utf-8", errors="replace")

    def running(self, *parts):
        """Wait until the parts run; the status then."""

        def ask():
            status = self.status()
            return status if status and all(status[part]["running"] for part in parts) else None

        try:
            return eventually(ask, 60)
        except AssertionError:
            raise AssertionError(self.log()) from None

    def port(self, name):
        """The port that a listener really has."""
        status = json.loads((self.folder / "data" / "spool" / "main" / "status.json").read_text())
        address = next(item["address"] for item in status["listeners"] if item["name"] == name)
        return int(address.rsplit(":", 1)[1])

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


BASIC = """
data_dir = "data"
[[listener]]
name = "udp"
protocol = "udp"
address = "127.0.0.1:0"
[[listener]]
name = "tcp"
protocol = "tcp"
address = "127.0.0.1:0"
[web]
address = "127.0.0.1:0"
"""


@contextmanager
def environment(**values):
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key)
            else:
                os.environ[key] = value
