"""A receiver on loopback, in this process."""

import json
import socket
import time
from contextlib import suppress

import pytest

from ingest.counters import Ledger
from ingest.intake import Intake
from ingest.notices import Notices
from ingest.pending import Pending
from ingest.receiving import ListenerSettings, Receiver, ReceiverSettings, log
from ingest.spool import SpoolReader


def settings_of(protocol, host="127.0.0.1", name=None, port=0, **more):
    return ListenerSettings(name=name or protocol, protocol=protocol, host=host, port=port, **more)


class Site:
    """Receivers that follow one another in one folder."""

    def __init__(self, data_dir):
        self.data_dir, self.receiver, self.listeners = data_dir, None, ()
        self.folder = data_dir / "spool" / "main"

    def start(self, *listeners, **more):
        self.listeners = listeners or self.listeners
        self.receiver = Receiver(ReceiverSettings(self.data_dir, self.listeners, **more))
        self.receiver.start()
        return self

    def stop(self):
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.stop()
        return self.rows()

    def rows(self):
        reader, found = SpoolReader(self.folder), []
        while batches := reader.next_batches():
            found += [row for batch in batches for row in batch.table.to_pylist()]
        reader.close()
        return found

    def address(self, name):
        host, port = self.listener(name)["address"].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def listener(self, name):
        """What status.json says of one listener."""
        status = json.loads((self.folder / "status.json").read_text())
        return next(item for item in status["listeners"] if item["name"] == name)

    def datagrams(self, name, *messages, source=None):
        address = self.address(name)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            if source:
                sender.bind((source, 0))
            sender.connect(address)
            for message in messages:
                sender.send(message)
            return sender.getsockname()[:2]

    def connect(self, name, octets=b"", source=None):
        sender = socket.create_connection(self.address(name), 20, (source, 0) if source else None)
        sender.sendall(octets)
        return sender


@pytest.fixture
def site(tmp_path):
    here = Site(tmp_path)
    yield here
    here.stop()


@pytest.fixture
def settings():
    """Settings of one listener on loopback."""
    return settings_of


@pytest.fixture
def intake():
    """For a listener without a spool: what it delivers stays pending."""
    return Intake(Pending(64 << 20), Ledger({}), Notices(log))


@pytest.fixture
def eventually():
    """Ask until the answer is true, and give it back."""

    def ask(question, seconds=30.0):
        end = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(0.005)
        return answer

    return ask


@pytest.fixture
def closed():
    """Whether the other side closed this connection; waits for it."""

    def ask(connection):
        with suppress(ConnectionResetError):
            return connection.recv(1) == b""
        return True

    return ask
