"""`kill -9` of the service at random moments: every spooled line is stored exactly once, and the receiver never stops."""

import os
import random
import signal
import socket
import threading

from support.installation import eventually

ROUNDS = int(os.environ.get("HSMTRAIL_KILL_ROUNDS", "3"))
"""20 are shown before a release; 5 on every run."""

LINES = int(os.environ.get("HSMTRAIL_KILL_LINES", "50000"))


def send(port, lines, done):
    """Numbered lines over one connection, in pieces, until all are sent."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for begin in range(0, lines, 500):
            part = range(begin, min(begin + 500, lines))
            connection.sendall(b"".join(b"<174>Nov 23 08:15:01 hsm-1 counter[7]: number %d\n" % n for n in part))
            done.wait(0.004)
    done.set()


def pid_of_service(site):
    status = site.status()
    return status["service"]["pid"] if status and status["service"]["running"] else None


def test_a_killed_service_loses_and_repeats_nothing(site):
    """The service is killed again and again under load; afterwards each line is there once, with no gap in the ids."""
    site.start()
    first = site.running("receiver", "service")["receiver"]["pid"]
    done, chance = threading.Event(), random.Random(11)
    sender = threading.Thread(target=send, args=(site.port("tcp"), LINES, done))
    sender.start()
    for _ in range(ROUNDS):
        pid = eventually(lambda: pid_of_service(site), 60)
        done.wait(chance.uniform(0.0, 0.7))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: pid_of_service(site) not in (None, pid), 60)
    done.wait(120)
    sender.join()
    eventually(lambda: site.query("SELECT count(*) AS n FROM records")[0]["n"] >= LINES, 60)
    row = site.query(
        "SELECT count(*) AS n, count(DISTINCT message) AS texts, count(DISTINCT record_id) AS ids,"
        " max(record_id) - min(record_id) + 1 AS span, min(record_id) & 281474976710655 AS first FROM records"
    )[0]
    assert row == {"n": LINES, "texts": LINES, "ids": LINES, "span": LINES, "first": 1}
    assert site.status()["receiver"]["pid"] == first
