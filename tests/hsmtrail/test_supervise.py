"""The two processes are kept running, and end with `serve`."""

import os
import signal
import sys
from pathlib import Path

from hsmtrail.supervise import Child
from support.installation import eventually


def child(program):
    return Child("trial", [sys.executable, "-c", program])


def test_a_child_that_ends_is_started_again_after_a_pause():
    """The pause doubles while it keeps ending, and starts short again after a steady minute."""
    trial = child("raise SystemExit(1)")
    trial.tend(0.0)
    eventually(lambda: trial.process.poll() is not None)
    trial.tend(1.0)
    assert (trial.process, trial.pause) == (None, 1.0)
    trial.tend(1.5)
    assert trial.process is None
    trial.tend(2.1)
    eventually(lambda: trial.process.poll() is not None)
    trial.tend(70.0)
    assert trial.pause == 0.5


def test_a_child_that_refuses_is_not_started_again():
    """Exit status 2 means that starting it again would not help."""
    trial = child("raise SystemExit(2)")
    trial.tend(0.0)
    eventually(lambda: trial.process.poll() is not None)
    trial.tend(100.0)
    assert trial.refused
    assert trial.process is None


def test_a_child_that_ran_and_then_refuses_is_tried_again():
    """A file was broken after the start: the other process goes on, and this one comes back when it is mended."""
    trial = child("raise SystemExit(1)")
    trial.tend(0.0)
    eventually(lambda: trial.process.poll() is not None)
    trial.tend(0.5)
    trial.arguments[-1] = "raise SystemExit(2)"
    for moment in (2.0, 10.0):
        trial.tend(moment)
        eventually(lambda: trial.process.poll() is not None)
        trial.tend(moment + 1)
        assert not trial.refused
    trial.arguments[-1] = "import signal; signal.pause()"
    trial.tend(60.0)
    assert trial.process.poll() is None
    trial.stop()


def test_a_child_is_stopped_by_sigterm():
    """Stopping waits for a clean end."""
    trial = child("import signal; signal.pause()")
    trial.tend(0.0)
    trial.stop()
    assert trial.process.returncode == -signal.SIGTERM


def test_both_processes_come_back_and_end_with_serve(site):
    """Killed children are replaced; when serve itself is killed, they end too."""
    serve = site.start()
    before = site.running("receiver", "service")
    for part in ("receiver", "service"):
        os.kill(before[part]["pid"], signal.SIGKILL)

    def replaced():
        status = site.status()
        if not status:
            return None
        new = [
            status[part]["running"] and status[part]["pid"] != before[part]["pid"] for part in ("receiver", "service")
        ]
        return status if all(new) else None

    status = eventually(replaced, 60)
    serve.kill()
    serve.wait()
    for part in ("receiver", "service"):
        pid = status[part]["pid"]
        eventually(lambda pid=pid: not alive(pid), 40)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with Path(f"/proc/{pid}/stat").open() as stat:
        return stat.read().rsplit(") ", 1)[1][0] != "Z"
