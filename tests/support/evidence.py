"""An installation with a history: imported and received lines, sealed, waiting and open segments, store and packs."""

import os

from hsmtrail import wiring
from hsmtrail.config import load
from hsmtrail.desk import open_store
from ingest.sealer import Sealer
from ingest.spool import SpoolSettings, segments
from store.writer import stored_batches
from support.spooled import Receiver

LINES = (
    b"<174>Nov 23 08:15:01 hsm-1 lunash [4711]: info : 0 : Command: hsm login -password Secret1 : admin : 192.0.2.50/40000",
    b'<174>Nov 23 08:15:02 hsm-1 NTLS[7]: info : 0 : NTLS Client "app-1" connected and authenticated : 192.0.2.101/40847',
    b"<134>Nov 23 08:15:03 hsm-1 hsmlogd[2035]: %d,26/11/23 08:15:03,S/N 150705 session 162 Access 2147483651:21049 SO op",
    b"<13>Nov 23 08:15:04 hsm-1 weird[1]: \xff\x00 not UTF-8 %d",
    b"no header at all %d",
    b"<172>Nov 23 08:15:06 hsm-1 lunash [4711]: HSM Admin Login: incorrect password or PED key",
)


def line(number):
    """A line of the six kinds, some of them with a number of their own."""
    text = LINES[number % len(LINES)]
    return text % number if b"%d" in text else text


def history(site, segments_wanted=5, segment_bytes=20_000, seal=2):
    """Fill the spool, store all of it, and seal the oldest segments; how many lines were received."""
    data_dir = site.folder / "data"
    settings = SpoolSettings(segment_bytes=segment_bytes, key_file=data_dir / "spool.key")
    receiver, count = Receiver(data_dir, settings=settings), 0
    while len(segments(receiver.folder)) < segments_wanted:
        receiver.commit(*(line(count + number) for number in range(40)), os.urandom(300))
        receiver.commit()
        count += 41
    receiver.close()
    imported = Receiver(data_dir, "import", 0, settings)
    imported.commit(*map(line, range(40)), listener="import", peer="/tmp/old.log", peer_identity="import of a day")
    imported.close()
    store(site)
    folder = data_dir / "spool" / "main"
    last = segments(folder)[seal] - 1
    Sealer(data_dir, lambda: {1: 1 << 48 | last}).seal_all()
    return count + 40


def store(site):
    """Load what the spools have."""
    configuration = load(site.config)
    db = open_store(configuration)
    wiring.loader(db, configuration, wiring.site_patterns(configuration), lambda _: None, lambda: None).catch_up()
    reached = stored_batches(db)
    db.close()
    return reached
