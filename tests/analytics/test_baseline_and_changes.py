"""The approved configuration beside the observed one, and approved changes."""

from datetime import timedelta

import pytest

from analytics import baseline, changes
from analytics.state import observed
from support.bench import NOON, Bench, at

LINES = """
time     | device | family | outcome | setting                       | value   | account | partition
08:00:00 | hsm1   | lunash | ok      | hsm policy 15                 | 0       | admin   |
08:01:00 | hsm1   | lunash | ok      | log target 192.0.2.20:514/udp | added   | admin   |
08:02:00 | hsm1   | lunash | ok      | log target 192.0.2.21:514/udp | added   | admin   |
08:03:00 | hsm1   | lunash | ok      | time                          | 08:03   | admin   |
08:04:00 | hsm1   | lunash | failed  | hsm policy 12                 | 1       | admin   |
08:05:00 | hsm1   | lunash | ok      | partition policy 20           | 5       | admin   | 23
09:00:00 | hsm1   | lunash | ok      | hsm policy 15                 | 1       | ops     |
09:01:00 | hsm1   | lunash | ok      | log target *                  | removed | ops     |
09:02:00 | hsm1   | lunash | ok      | log target 192.0.2.21:514/udp | added   | ops     |
08:00:00 | hsm2   | lunash | ok      | ipcheck                       | off     | admin   |
"""


@pytest.fixture
def here():
    bench = Bench([])
    bench.arrive(LINES)
    return bench


def approve(here, moment, **chosen):
    here.now += timedelta(minutes=1)
    with here.db.transaction() as cursor:
        given = {"devices": None, "settings": None} | chosen
        return baseline.approve(cursor, **given, reason="set-up", by="admin", at=at(moment), now=here.now)


def compared(here, moment):
    with here.db.reader() as cursor:
        return {
            (one.device, one.setting): (one.approved, one.observed, one.verdict)
            for one in baseline.compare(cursor, at(moment))
        }


def test_the_configuration_is_rebuilt_for_any_moment(here):
    """The last value wins; emptying a list takes its members away until they are added again."""
    with here.db.reader() as cursor:
        before = {(one.device, one.setting, one.partition): one.value for one in observed(cursor, at("08:30:00"))}
        after = {(one.device, one.setting): (one.value, one.who) for one in observed(cursor, at("10:00:00"))}
    assert before == {
        ("hsm1", "hsm policy 15", ""): "0",
        ("hsm1", "log target 192.0.2.20:514/udp", ""): "added",
        ("hsm1", "log target 192.0.2.21:514/udp", ""): "added",
        ("hsm1", "partition policy 20", "23"): "5",
        ("hsm2", "ipcheck", ""): "off",
    }
    assert after["hsm1", "hsm policy 15"] == ("1", "ops")
    assert after["hsm1", "log target 192.0.2.20:514/udp"] == ("removed", "ops")
    assert after["hsm1", "log target 192.0.2.21:514/udp"] == ("added", "ops")


def test_what_was_observed_then_is_approved_and_compared_with_now(here):
    """Each setting with its verdict."""
    assert len(approve(here, "08:30:00", devices=["hsm1"])) == 4
    assert compared(here, "10:00:00") == {
        ("hsm1", "hsm policy 15"): ("0", "1", "differs"),
        ("hsm1", "log target 192.0.2.20:514/udp"): ("added", "removed", "differs"),
        ("hsm1", "log target 192.0.2.21:514/udp"): ("added", "added", "as approved"),
        ("hsm1", "partition policy 20"): ("5", "5", "as approved"),
        ("hsm2", "ipcheck"): (None, "off", "never approved"),
    }
    assert compared(here, "07:00:00")["hsm1", "hsm policy 15"] == ("0", None, "not observed")


def test_what_was_never_approved_and_is_gone_needs_no_approval(here):
    """It is shown, and not approved with the rest."""
    approved = approve(here, "10:00:00")
    assert "log target 192.0.2.20:514/udp" not in {one.setting for one in approved}
    assert compared(here, "10:00:00")["hsm1", "log target 192.0.2.20:514/udp"] == (None, "removed", "gone")


def test_a_removal_is_approved_where_the_thing_had_been(here):
    """Then nothing differs any more."""
    approve(here, "08:30:00")
    approve(here, "10:00:00", settings=["log target 192.0.2.20:514/udp"])
    assert compared(here, "10:00:00")["hsm1", "log target 192.0.2.20:514/udp"] == ("removed", "removed", "as approved")
    assert here.ask("SELECT DISTINCT reason, approved_by, as_of FROM baseline ORDER BY as_of") == [
        ("set-up", "admin", at("08:30:00")),
        ("set-up", "admin", at("10:00:00")),
    ]


def test_what_was_never_told_is_not_observed_since_the_first_line(here):
    """It is no default; and a reset makes what was known unknown again, since then."""
    here.put("devices", "name\nhsm1\nhsm3")
    here.arrive("""
time     | device | family | operation     | outcome | setting | value
11:00:00 | hsm1   | lunash | factory_reset | ok      |         |
""")
    with here.db.reader() as cursor:
        found = {(one.device, one.setting): one for one in baseline.compare(cursor, at("12:00:00"))}
    assert (found["hsm1", "audit mask"].verdict, found["hsm1", "audit mask"].since) == ("not observed", at("08:00:00"))
    assert (found["hsm1", "hsm policy 15"].verdict, found["hsm1", "hsm policy 15"].since) == (
        "not observed",
        at("11:00:00"),
    )
    assert found["hsm1", "ipcheck"].observed is None
    assert "hsm3" not in {device for device, _ in found}, "never heard: LOGS-01 has it"


def test_what_belonged_to_a_client_goes_with_it(here):
    """Its partitions and its address, not those of one whose name begins alike."""
    here.arrive("""
time     | device | family | operation       | outcome | setting                 | value      | partition
10:00:00 | hsm1   | lunash | client_register | ok      | client app-1            | registered |
10:01:00 | hsm1   | lunash | client_assign   | ok      | client app-1 partition p | assigned  | p
10:02:00 | hsm1   | lunash | client_assign   | ok      | client app-10 partition p | assigned | p
11:00:00 | hsm1   | lunash | client_delete   | ok      | client app-1            | deleted    |
""")
    assert compared(here, "10:30:00")["hsm1", "client app-1 partition p"] == (None, "assigned", "never approved")
    assert compared(here, "11:30:00")["hsm1", "client app-1 partition p"] == (None, "removed", "gone")
    assert compared(here, "11:30:00")["hsm1", "client app-10 partition p"] == (None, "assigned", "never approved")


def change(here, begin="10:00:00", end="11:00:00", **other):
    given = {"device": "hsm1", "ticket": "CHG-1", "kind": "change", "note": "", "by": "admin", "now": NOON} | other
    with here.db.transaction() as cursor:
        return changes.add(cursor, starts_at=at(begin), ends_at=at(end), **given)


def test_changes_are_listed_newest_first_and_known_again(here):
    """The same device, span and ticket is the same change."""
    assert [change(here).id, change(here, "12:00:00", "13:00:00").id, change(here).id] == [1, 2, 1]
    with here.db.reader() as cursor:
        assert [(one.id, one.ticket, one.added_by) for one in changes.list_changes(cursor)] == [
            (2, "CHG-1", "admin"),
            (1, "CHG-1", "admin"),
        ]


def test_a_change_that_makes_no_sense_is_refused(here):
    """It ends before it begins, or is of no kind."""
    with pytest.raises(ValueError, match="before it begins"):
        change(here, "11:00:00", "10:00:00")
    with pytest.raises(ValueError, match="'party' is no kind of change; one of change, patch"):
        change(here, kind="party")
