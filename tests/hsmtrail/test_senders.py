"""Debian's rsyslog and logger send to `hsmtrail serve`: everything is stored once, under its right name."""

import shutil
import subprocess
import threading

import pytest

from support.installation import eventually

LINES = 10_000
RSYSLOG = """
global(workDirectory="{folder}")
module(load="imfile" mode="inotify")
template(name="rfc5424" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% luna-5424 %APP-NAME% %PROCID% %MSGID% %STRUCTURED-DATA% %msg%\\n")
{inputs}
"""
INPUT = """
input(type="imfile" file="{file}" tag="{tag}" facility="{facility}" severity="{severity}" ruleset="{name}")
ruleset(name="{name}") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" {options}
         queue.type="LinkedList" queue.size="20000" queue.timeoutenqueue="60000" action.resumeRetryCount="-1")
}}
"""
WAYS = {
    "udp": ("udp", "udp", ""),
    "tcp": ("tcp", "tcp", ""),
    "octet": ("tcp", "tcp", 'TCP_Framing="octet-counted"'),
    "rfc5424": ("tcp", "tcp", 'template="rfc5424"'),
}


def numbered(path, word):
    path.write_text("".join(f"{word} line {number:05d}: one of ten thousand\n" for number in range(LINES)))
    return path


def stored(site, program):
    return site.query(
        "SELECT count(*) AS n, count(DISTINCT message) AS texts, list(DISTINCT host) AS hosts, min(message) AS first,"
        " list(DISTINCT facility) AS facilities, list(DISTINCT severity) AS severities, list(DISTINCT listener) AS listeners"
        f" FROM records WHERE program = '{program}'"
    )[0]


def test_rsyslog_forwards_in_four_ways(site):
    """Its omfwd by UDP, TCP, TCP with octet counts and an RFC 5424 template: 10,000 lines each, once, whole."""
    rsyslogd = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
    site.start()
    site.running("receiver", "service")
    inputs = [
        INPUT.format(
            file=numbered(site.folder / f"{name}.in", name),
            tag=f"luna-{name}:",
            facility="local5",
            severity="warning",
            name=name,
            port=site.port(listener),
            protocol=protocol,
            options=options,
        )
        for name, (listener, protocol, options) in WAYS.items()
    ]
    config = site.folder / "rsyslog.conf"
    config.write_text(RSYSLOG.format(folder=site.folder, inputs="\n".join(inputs)))
    sender = subprocess.Popen(
        [rsyslogd, "-n", "-f", str(config), "-i", str(site.folder / "rsyslog.pid")],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: site.query("SELECT count(*) AS n FROM records")[0]["n"] >= LINES * len(WAYS), 90)
    finally:
        sender.terminate()
        sender.wait(30)
    for name, (listener, _, _) in WAYS.items():
        row = stored(site, f"luna-{name}")
        assert (row["n"], row["texts"]) == (LINES, LINES), name
        assert row["first"] == f"{name} line 00000: one of ten thousand"
        assert (row["facilities"], row["severities"], row["listeners"]) == ([21], [4], [listener])
        assert len(row["hosts"]) == 1
        assert row["hosts"][0] == ("luna-5424" if name == "rfc5424" else row["hosts"][0])
        assert row["hosts"][0]


LOGGER = {
    "udp-3164": ("udp", ["--udp", "--rfc3164"]),
    "tcp-3164": ("tcp", ["--tcp", "--rfc3164"]),
    "udp-5424": ("udp", ["--udp", "--rfc5424=notq"]),
    "tcp-5424": ("tcp", ["--tcp", "--rfc5424"]),
}


@pytest.mark.skipif(shutil.which("logger") is None, reason="util-linux without logger")
def test_logger_sends_in_four_ways(site):
    """UDP and TCP, RFC 3164 and RFC 5424: 10,000 lines each, once, whole."""
    site.start()
    site.running("receiver", "service")

    def send(name, listener, options):
        with numbered(site.folder / f"{name}.in", name).open() as lines:
            subprocess.run(
                [
                    "logger",
                    "-n",
                    "127.0.0.1",
                    "-P",
                    str(site.port(listener)),
                    *options,
                    "-t",
                    name,
                    "-p",
                    "local3.notice",
                ],
                stdin=lines,
                check=True,
                timeout=120,
            )

    senders = [threading.Thread(target=send, args=(name, *way)) for name, way in LOGGER.items()]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    eventually(lambda: site.query("SELECT count(*) AS n FROM records")[0]["n"] >= LINES * len(LOGGER), 60)
    host = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    for name, (listener, _) in LOGGER.items():
        row = stored(site, name)
        assert (row["n"], row["texts"]) == (LINES, LINES), name
        assert row["first"] == f"{name} line 00000: one of ten thousand"
        assert (row["facilities"], row["severities"], row["listeners"]) == ([19], [5], [listener])
        assert row["hosts"][0].split(".")[0] == host.split(".")[0]
    losses = {item["name"]: item["kernel_dropped"] for item in site.status()["receiver"]["listeners"]}
    assert losses == {"udp": 0, "tcp": 0}
