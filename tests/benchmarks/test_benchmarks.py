"""The benchmarks' own reasoning: a verdict that can be bad, a picture that shows what was measured."""

import socket
import sys
import time
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def as_scripts(monkeypatch):
    """They find each other as scripts do."""
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])


def soaked(memory=lambda second: 100.0, delay=lambda minute: 0.2, **other):
    """Thirty minutes of samples, ten seconds apart."""
    seconds = range(0, 1800, 10)
    samples = [
        {"sent": second + 10, "sender_late": 0.01, "memory": {"receiver": 90.0, "service": memory(second)}}
        for second in seconds
    ]
    minutes = [{"delay": delay(minute), "longest_delay": 3.0, "longest_pause": 0.1} for minute in range(30)]
    known = {"stored": 1800, "kernel_dropped": 0, "findings": 3, "failed_runs": 0}
    return {"samples": samples, "minutes": minutes, **known, **other}


@pytest.mark.parametrize(
    ("run", "bad"),
    [
        (soaked(), set()),
        (soaked(memory=lambda second: 100 + 200 * min(second, 500) / 500), set()),
        (soaked(memory=lambda second: 100 + second / 10), {"memory_of_service"}),
        (soaked(delay=lambda minute: 0.2 + minute / 20), {"lag"}),
        (soaked(delay=lambda minute: 2.0 if minute == 12 else 0.2), set()),
        (soaked(kernel_dropped=1), {"receiver"}),
        (soaked(minutes=[{"delay": 0.2, "longest_delay": 0.3, "longest_pause": 0.8}]), {"receiver"}),
        (soaked(stored=1799), {"lines"}),
        (soaked(findings=0), {"lines"}),
        (soaked(failed_runs=1), {"lines"}),
    ],
    ids=[
        "steady",
        "caches fill",
        "memory grows",
        "lag rises",
        "one bad minute",
        "drop",
        "stall",
        "loss",
        "blind",
        "failed",
    ],
)
def test_the_verdict_of_a_soak_names_what_is_wrong(run, bad):
    """Growth in the first third fills caches; later growth, loss, stalls and blind detectors are bad."""
    from soak_verdict import Limits, verdict

    said = verdict(run, Limits())
    assert {name for name, part in said.items() if name != "good" and not part["good"]} == bad
    assert said["good"] == (not bad)


def test_the_picture_of_the_curve_has_a_line_for_each_program_and_a_point_for_each_run(tmp_path):
    """Loss goes upwards, rates go to the right, hostile names stay text."""
    from plot_curve import drawing

    runs = [
        {"who": who, "buffer": "tuned", "send_rate": rate, "sent": 1000, "lost": lost}
        for who, rate, lost in [("a", 4500, 0), ("a", 100_000, 30), ("<b>", 9000, 10)]
    ]
    tree = ET.fromstring(drawing(runs))
    circles = [mark for mark in tree if mark.tag.endswith("circle")]
    places = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in circles]
    assert places[0][0] < places[2][0] < places[1][0]
    assert places[0][1] > places[2][1] > places[1][1]
    assert len([mark for mark in tree if mark.tag.endswith("polyline")]) == 2
    assert "<b>, tuned buffer" in [mark.text for mark in tree]


def test_lines_are_the_same_for_the_same_seed_and_no_two_are_alike():
    """Sequence numbers of each HSM go up by one."""
    from generate_lines import lines

    made = list(lines(3000, 1000, 7))
    assert made == list(lines(3000, 1000, 7))
    assert len(set(made)) == 3000
    assert 200 < sum(map(len, made)) / 3000 < 240


def test_what_a_benchmark_leaves_out_is_what_the_receiver_calls():
    """A function that was renamed would be measured as free."""
    from serve_without import DIGESTS

    from ingest import spool_writer

    assert all(callable(getattr(spool_writer, name)) for name in DIGESTS)


@pytest.fixture
def receiving():
    """A UDP socket of loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        yield receiver


@pytest.fixture
def sample(tmp_path):
    """Lines as send_lines.py reads them, and the same as a list."""
    from generate_lines import lines
    from send_lines import read

    texts = list(lines(3000, 1000, 7))
    file = tmp_path / "lines"
    file.write_text("\n".join(texts) + "\n", encoding="ascii")
    return read(file, 0), [text.encode() for text in texts]


def taken(receiver):
    """All that waits in a socket."""
    datagrams = []
    while True:
        try:
            datagrams.append(receiver.recv(65536))
        except BlockingIOError:
            return datagrams


@pytest.mark.parametrize("singly", [True, False], ids=["one by one", "cut apart by the kernel"])
def test_each_line_is_a_datagram_of_its_own(singly, receiving, sample):
    """Whether or not the kernel cuts them apart, the receiver gets each line once and alone."""
    from send_datagrams import grouped, sends

    lines, texts = sample
    got = []
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.connect(receiving.getsockname())
        send = sends(sender, grouped(lines), singly=singly)
        for first in range(0, len(texts), 50):
            send(first, min(first + 50, len(texts)))
            got += taken(receiving)
    assert sorted(got) == sorted(texts)


def test_what_the_kernel_drops_of_datagrams_that_it_cut_apart_is_counted_one_by_one(receiving, sample):
    """Sent = received + dropped, also when the buffer ends within a stretch of them."""
    from peer_servers import sockets
    from send_datagrams import grouped, sends

    lines, texts = sample
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.connect(receiving.getsockname())
        sends(sender, grouped(lines))(0, len(texts))
    (row,) = sockets(socket.SOCK_DGRAM, receiving.getsockname()[1])
    dropped = int(row[-1])
    assert 0 < dropped < len(texts)
    assert len(taken(receiving)) + dropped == len(texts)


def test_no_line_leaves_before_its_time_and_few_leave_together():
    """Line i is due i / rate after the beginning; all leave, in order, at most so many a call."""
    from send_lines import paced

    rate, calls = 20_000, []
    begun = time.monotonic()
    done = paced(1000, rate, 64, lambda first, end: calls.append((first, end, time.monotonic())))
    assert [first for first, _, _ in calls] == [0, *(end for _, end, _ in calls[:-1])]
    assert calls[-1][1] == 1000
    assert all((end - 1) / rate <= moment - begun and end - first <= 64 for first, end, moment in calls)
    assert done.rate <= rate * 1000 / 999
