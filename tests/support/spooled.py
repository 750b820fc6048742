"""A spool that a test fills as a receiver would."""

from datetime import UTC, datetime

import pyarrow as pa

from ingest.counters import Ledger, Taken
from ingest.spool import SPOOL_SCHEMA, SpoolSettings, SpoolWriter


def utc_now():
    return datetime.now(UTC).replace(tzinfo=None)


class Receiver:
    """Commits lines to one spool and counts them."""

    def __init__(self, data_dir, name="main", number=1, settings=None):
        self.folder = data_dir / "spool" / name
        self.spool = SpoolWriter.open(self.folder, number, settings or SpoolSettings(key_file=data_dir / "spool.key"))
        self.ledger = Ledger(self.spool.counters)

    def commit(self, *lines, received_at=None, listener="udp", peer="127.0.0.1", **columns):
        rows = len(lines)
        same = {
            "received_at": received_at or utc_now(),
            "listener": listener,
            "transport": "import" if listener == "import" else "udp",
            "peer": peer,
            "peer_port": 514,
            "peer_identity": "",
            "trouble": "",
            **columns,
        }
        values = {name: [value] * rows for name, value in same.items()}
        taken = [Taken(listener, rows, 0)]
        table = pa.RecordBatch.from_pydict({**values, "raw": list(lines)}, schema=SPOOL_SCHEMA)
        committed = self.spool.commit(table, self.ledger.with_taken(taken))
        self.ledger.take(taken)
        return committed

    def close(self):
        self.spool.close()
