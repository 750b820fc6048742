"""How complete the audit logs are that an import brought records of."""

import pytest

from store.audit_numbers import completeness
from store.writer import Writer
from support.rows import audit, batch, frame, identity, later

IMPORT = {
    "receiver": 0,
    "listener": "import",
    "transport": "import",
    "peer": "/srv/hsm_1483_00000001.log",
    "peer_port": None,
}


def arrived(db, live, imported):
    """Records (number, seconds) by syslog, then by an import; what is said of the import."""
    writer = Writer(db)
    for receiver, said in ((1, live), (0, imported)):
        words = {} if receiver else IMPORT
        rows = [
            audit(place, number, event_at=later(seconds=second), **words)
            for place, (number, second) in enumerate(said, 1)
        ]
        if rows:
            writer.store([batch(1, rows, receiver)], frame(rows))
    with db.reader() as cursor:
        return completeness(cursor, identity(0, 1), identity(0, 1))


@pytest.mark.parametrize(
    ("live", "imported", "spans"),
    [
        ([], [(10, 0), (14, 1), (15, 2), (20, 3)], [(10, 20, 4, 7, ["11-13", "16-19"])]),
        ([(12, 1)], [(10, 0), (11, 0), (13, 2)], [(10, 13, 4, 0, [])]),
        ([(11, 1), (99, 50)], [(10, 0), (13, 2)], [(10, 13, 3, 1, ["12"])]),
        ([(10, 0)], [(10, 0), (11, 1)], [(10, 11, 2, 0, [])]),
        ([], [(5000, 0), (5001, 1), (1, 2), (3, 3)], [(5000, 5001, 2, 0, []), (1, 3, 2, 1, ["2"])]),
        ([], [(7, 0)], [(7, 7, 1, 0, [])]),
        ([(1, 0)], [], []),
    ],
    ids=["holes", "filled by both", "only its span", "copies", "a new log", "one", "nothing imported"],
)
def test_completeness(db, live, imported, spans):
    """Over the time that the import spans, whoever brought the records."""
    said = arrived(db, live, imported)
    assert [(one.first, one.last, one.present, one.missing, one.ranges) for one in said] == spans
    assert all(one.holes == len(one.ranges) for one in said)
