"""The zone of each device's clock, as raw blocks tell it."""

from analytics.case_tables import fill
from store.writer import store_batches
from store.zones import LearnedZone, learned_zones
from support.rows import AT, audit, batch, frame, later, record

BLOCK = {"event_at_source": "raw_block", "raw_block": "AB", "family": "hsm_audit"}
WINTER = {**BLOCK, "details": '{"role_id":1,"zone":"+01:00"}'}
SUMMER = {**BLOCK, "details": '{"zone":"+02:00"}'}
ROWS = [
    audit(1, 41, event_at=later(hours=-9), **SUMMER),
    audit(2, 42, event_at=later(hours=-2), **WINTER),
    audit(3, 43, event_at=later(hours=-1), **WINTER),
    audit(4, 44, device="luna-b", details='{"zone":1}', **(BLOCK | {"event_at_source": "record"})),
    audit(5, 45, device="luna-b", **BLOCK),
    audit(6, 46, device="luna-b", trouble="raw block differs: session, time", **BLOCK),
    audit(7, 47, device="luna-b", event_at=later(minutes=1), trouble="raw block differs: session", **BLOCK),
    audit(8, 48, device="luna-c", received_at=later(days=-31), **BLOCK),
    record(9, device="luna-c"),
]


def test_zones_of_clocks(db):
    """The newest first of each device; text and block that are apart by no zone say nothing, nor does what is too old."""
    store_batches(db, [batch(1, ROWS)], frame(ROWS))
    with db.transaction() as cursor:
        fill(cursor, "devices", [{"name": "luna-a", "time_zone": "Europe/Amsterdam"}])
        found = learned_zones(cursor, AT)
    assert found == [
        LearnedZone("luna-a", "+01:00", "Europe/Amsterdam", 2, later(hours=-2), later(hours=-1)),
        LearnedZone("luna-a", "+02:00", "Europe/Amsterdam", 1, later(hours=-9), later(hours=-9)),
        LearnedZone("luna-b", "+00:00", "", 2, AT, later(minutes=1)),
    ]


def test_the_view_has_all_of_them(db, ask):
    """Whatever their age."""
    store_batches(db, [batch(1, ROWS)], frame(ROWS))
    assert ask("SELECT DISTINCT device, zone FROM clocks ORDER BY ALL") == [
        ("luna-a", "+01:00"),
        ("luna-a", "+02:00"),
        ("luna-b", "+00:00"),
        ("luna-c", "+00:00"),
    ]
