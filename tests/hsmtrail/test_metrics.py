"""Prometheus: whatever the receiver counts has a line."""

import itertools
import re

from hsmtrail.metrics import exposition
from ingest.receiving import ListenerSettings, Receiver, ReceiverSettings

SERVICE = {
    "records": 1,
    "copies": 2,
    "unknown": 3,
    "lag_seconds": 0.5,
    "deliveries": {"waiting": 4, "delivered": 5, "dead": 6},
}


def numbered(node, numbers):
    """The same document with another number in each place that has one, and two reasons wherever there may be some."""
    if isinstance(node, dict):
        return {key: numbered(value, numbers) for key, value in (node or {"one": 0, 'an"other': 0}).items()}
    if isinstance(node, list):
        return [numbered(value, numbers) for value in node]
    return next(numbers) if isinstance(node, int) and not isinstance(node, bool) else node


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    elif isinstance(node, int) and not isinstance(node, bool):
        yield path, node


def test_every_figure_of_the_receiver_has_a_line(tmp_path):
    """Also those that somebody adds: each number of the status is found, sums aside."""
    listeners = tuple(ListenerSettings(kind, kind, "127.0.0.1", 0) for kind in ("udp", "tcp"))
    receiver = Receiver(ReceiverSettings(tmp_path, listeners))
    receiver.start()
    status = {**receiver.status(), "running": True}
    receiver.stop()
    status = numbered(status, itertools.count(1000))
    text = exposition({"receiver": status, "service": SERVICE})
    values = {int(value) for value in re.findall(r" (\d+)$", text, re.MULTILINE)}
    for listener in status["listeners"]:
        missing = {path for path, number in leaves(listener) if number not in values}
        assert missing == {("connections", "refused")}  # the sum of its reasons
    missing = {path for path, number in leaves(status) if number not in values and path[0] != "listeners"}
    assert missing == {("pid",), ("last_batch",)}
    assert "hsmtrail_receiver_running 1" in text
    assert "hsmtrail_receiver_blocked 0" in text


def test_the_form_is_prometheus_own():
    """Each figure has its help and its type once, before its values; labels are escaped."""
    text = exposition({"receiver": {"running": False, "listeners": []}, "service": SERVICE})
    names = re.findall(r"^# TYPE (\S+) (?:counter|gauge)$", text, re.MULTILINE)
    assert len(names) == len(set(names)) > 10
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line.startswith("# ") or re.fullmatch(r'[a-z_]+(\{([a-z]+="(?:[^"\\]|\\.)*",?)+\})? [0-9.]+', line), line
