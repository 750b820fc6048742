"""What a pack says about what arrived: devices, gaps, channels, numbers, custody."""

from datetime import timedelta

import pytest

from support.shelf import MONDAY, RECEIVER, WEEK

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_only_the_period_counts(shelf, pack):
    """The first moment belongs to the period, the last does not; copies are counted once."""
    shelf.device("hsm-ams-1")
    for at in (MONDAY - timedelta(microseconds=1), MONDAY, WEEK.end - timedelta(seconds=1), WEEK.end):
        shelf.line(at)
    shelf.line(MONDAY, copy_of=RECEIVER + 2)
    counts = pack().quality.counts
    assert (counts.records, counts.hours_heard, counts.devices_heard) == (2, 2, 1)


def test_a_configured_device_that_was_never_heard(shelf, pack):
    """A device that says nothing is one hole over the whole period, and its expected logs are rows."""
    shelf.device("hsm-fra-1", expects=["hsm_audit"])
    shelf.device("hsm-fra-2")
    quality = pack().quality
    assert quality.never_heard == ("hsm-fra-1", "hsm-fra-2")
    assert [gap.seconds for gap in quality.gaps] == [7 * 86_400, 7 * 86_400]
    assert [(row.device, row.family, row.lines) for row in quality.channels] == [
        ("hsm-fra-1", "hsm_audit", 0),
        ("hsm-fra-2", "any", 0),
    ]


def test_a_device_added_in_the_period(shelf, pack):
    """What came before a device was there is no gap."""
    shelf.device("hsm-new", since=MONDAY + 3 * DAY)
    shelf.every(10, MONDAY + 3 * DAY, WEEK.end, device="hsm-new")
    shelf.device("hsm-later", since=WEEK.end + DAY)
    quality = pack().quality
    assert quality.gaps == ()
    assert [source.expected_from for source in quality.sources] == [WEEK.end, MONDAY + 3 * DAY]


@pytest.mark.parametrize(("minutes", "gaps"), [(29, 0), (30, 1)])
def test_a_gap_is_thirty_minutes(shelf, pack, minutes, gaps):
    """A silence of thirty minutes is a gap, a shorter one is not."""
    middle = MONDAY + DAY
    shelf.every(10, MONDAY, middle + timedelta(seconds=1))
    shelf.every(10, middle - timedelta(minutes=10 - minutes), WEEK.end)
    assert len(pack().quality.gaps) == gaps


def test_a_channel(shelf, pack):
    """A row says how much came, in how many hours, how silent, how late and how well understood it was."""
    shelf.line(MONDAY + HOUR, received_at=MONDAY + HOUR + timedelta(seconds=2))
    shelf.line(
        MONDAY + 4 * HOUR, received_at=MONDAY + 4 * HOUR + timedelta(seconds=4), status="partial", transport="tls"
    )
    shelf.line(MONDAY + 5 * HOUR, received_at=MONDAY + 3 * DAY)
    (row,) = pack().quality.channels
    assert (row.lines, row.hours_heard, row.unread, row.backfilled) == (3, 3, 1, 1)
    assert row.longest_silence == (7 * DAY - 5 * HOUR).total_seconds()
    assert (row.lag_median, row.transports, row.clear_text) == (3.0, ("tls", "udp"), True)


def test_a_channel_that_was_backfilled(shelf, pack):
    """Lines of an import have no lag and no clock."""
    shelf.line(MONDAY, transport="import", received_at=MONDAY + timedelta(seconds=1))
    (row,) = pack().quality.channels
    assert (row.backfilled, row.lag_median, row.clock, row.clear_text) == (1, None, "", False)


def audit(shelf, numbers, begin=MONDAY, **values):
    for place, number in enumerate(numbers):
        usual = {"family": "hsm_audit", "audit_sequence": number, "hsm_serial": "532000", "pattern": "audit.record"}
        shelf.line(begin + timedelta(minutes=place), **(usual | values))


@pytest.mark.parametrize(
    ("numbers", "missing", "ranges"),
    [
        ([1, 2, 3], 0, ()),
        ([1, 2, 4], 1, ("3",)),
        ([10, 14, 15, 20], 7, ("11 to 13", "16 to 19")),
        ([10, 12, 11, 13], 0, ()),
        ([5000, 5001, 1, 2], 0, ()),
        ([9000, 9001, 3, 5], 1, ("4",)),
        ([7, 7, 8], 0, ()),
        ([1, 2**64 - 1], 2**64 - 3, (f"2 to {2**64 - 2}",)),
    ],
)
def test_audit_sequence(shelf, pack, numbers, missing, ranges):
    """What the HSM numbered and nobody received is missing; a new beginning and a wrong order are no loss."""
    audit(shelf, numbers)
    (row,) = pack().quality.sequences
    assert (row.missing, row.ranges) == (missing, ranges)
    assert row.expected == row.received + missing


def test_audit_sequence_over_the_period_boundary(shelf, pack):
    """What is missing between last week's last record and this week's first belongs to this week."""
    audit(shelf, [1, 2], begin=MONDAY - HOUR)
    audit(shelf, [5], begin=MONDAY)
    (row,) = pack().quality.sequences
    assert (row.received, row.missing, row.ranges) == (1, 2, ("3 to 4",))


def test_audit_sequence_says_which_numbers_and_what_an_import_filled(shelf, pack):
    """The span of each log that was begun, and the records that only a file brought."""
    audit(shelf, [900, 901])
    audit(shelf, [902, 903], begin=MONDAY + HOUR, transport="import")
    audit(shelf, [1, 2, 5], begin=MONDAY + 2 * HOUR)
    (row,) = pack().quality.sequences
    assert row.spans == ("900 to 903", "1 to 5")
    assert (row.received, row.imported, row.missing) == (7, 2, 2)
    assert any("Two records came by no other way than an imported file." in said for said in pack().quality.remarks)


def test_custody_minutes_that_do_not_balance(shelf, pack):
    """One minute too many and one too few are two that do not balance."""
    shelf.line(MONDAY, received_at=MONDAY)
    shelf.custody(MONDAY, 4, stored=3)
    shelf.custody(MONDAY + timedelta(minutes=1), 4, stored=5)
    (row,) = pack().quality.custody
    assert (row.spooled, row.stored, row.minutes_off) == (8, 8, 2)
    assert "do not balance in two minutes" in pack().quality.balance


def test_custody_of_backfilled_lines(shelf, pack):
    """Lines that came after the period bring the sums of the minutes in which they came."""
    later = WEEK.end + 3 * DAY
    shelf.line(MONDAY, received_at=later + timedelta(seconds=59))
    shelf.custody(later, 40)
    shelf.custody(later + timedelta(minutes=1), 2)
    shelf.custody(later + HOUR, 1000)
    assert [row.received for row in pack().quality.custody] == [42]


def test_refusals(shelf, pack):
    """Refused messages are counted by their reason, whatever it is called."""
    shelf.custody(MONDAY, 9, refused=5, spooled=4, refused_reasons={'a "quoted" reason': 2, "empty": 3})
    assert [(row.reason, row.lines) for row in pack().quality.refusals] == [("empty", 3), ('a "quoted" reason', 2)]
