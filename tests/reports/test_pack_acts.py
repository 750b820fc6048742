"""What a pack says about privileged acts: one act of two witnesses, its ticket, its place in the matrix."""

from datetime import timedelta

import pytest

from reports.pack import PackSettings
from support.shelf import MONDAY

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_one_act_with_two_witnesses(shelf, pack):
    """The Luna shell's line and the audit record of one act are one row with what both know."""
    one = shelf.act(MONDAY, "partition_create", command="partition create")
    words = {"account": None, "source": None, "command": None, "vendor_event": "LUNA_CREATE_CONTAINER"}
    audit_record = words | {"family": "hsm_audit", "pattern": "audit.record"}
    two = shelf.act(MONDAY + timedelta(seconds=2), "partition_create", role="so", partition="20", **audit_record)
    (act,) = pack().privileged.acts
    assert (act.records, act.families) == ((one, two), ("hsm_audit", "lunash"))
    assert (act.account, act.role, act.partition, act.source) == ("admin", "so", "20", "192.0.2.7")


@pytest.mark.parametrize(
    ("seconds", "values", "acts"),
    [
        (2, {}, 2),
        (2, {"pattern": "audit.record"}, 1),
        (61, {"pattern": "audit.record"}, 2),
        (2, {"pattern": "audit.record", "operation": "partition_delete"}, 2),
        (2, {"pattern": "audit.record", "device": "hsm-ams-2"}, 2),
        (2, {"pattern": "audit.record", "outcome": "failed"}, 2),
        (2, {"command_class": "read"}, 1),
    ],
)
def test_what_is_one_act(shelf, pack, seconds, values, acts):
    """Two lines are one act when form differs, and device, operation and outcome do not, within a minute."""
    shelf.act(MONDAY, "partition_create")
    at = MONDAY + timedelta(seconds=seconds)
    shelf.act(at, values.get("operation", "partition_create"), **{k: v for k, v in values.items() if k != "operation"})
    made = pack().privileged
    assert (len(made.acts), made.counts.acts) == (acts, acts)


@pytest.mark.parametrize(
    ("minutes", "device", "grace", "ticket"),
    [(0, "hsm-ams-1", 0, "CHG-1"), (0, "hsm-ams-2", 0, ""), (61, "hsm-ams-1", 0, ""), (61, "hsm-ams-1", 15, "CHG-1")],
)
def test_a_ticket_covers_its_window(shelf, pack, minutes, device, grace, ticket):
    """An act has the ticket of the window of its own device, with the grace that is configured."""
    shelf.window(MONDAY, MONDAY + HOUR, "CHG-1")
    shelf.act(MONDAY + timedelta(minutes=minutes), "user_add", device=device)
    made = pack(PackSettings(grace_minutes=grace)).privileged
    assert [act.ticket for act in made.acts] == [ticket]
    assert made.counts.without_ticket == (0 if ticket else 1)


def test_refused_acts_need_no_ticket(shelf, pack):
    """A refused command is listed and is not an act that nobody approved."""
    shelf.act(MONDAY, "hsm_init", command_class="destructive", outcome="failed")
    made = pack().privileged
    assert (made.counts.acts, made.counts.refused, made.counts.without_ticket, made.counts.zeroized) == (1, 1, 0, 0)


def test_unapproved_acts_are_shown_first(shelf, pack):
    """When not all acts can be listed, those without a change are; the list itself is by time."""
    shelf.window(MONDAY, MONDAY + HOUR, "CHG-1")
    for place in range(5):
        shelf.act(MONDAY + place * timedelta(minutes=1), "user_add")
    late = shelf.act(MONDAY + DAY, "user_delete")
    made = pack(PackSettings(acts_shown=2)).privileged
    assert [act.ticket for act in made.acts] == ["CHG-1", ""]
    assert made.acts[-1].records == (late,)
    assert made.not_shown == 4


def test_matrix(shelf, pack):
    """Accounts by name and roles where no account is known, each kind of act in its column."""
    shelf.act(MONDAY, "user_add")
    shelf.act(MONDAY + HOUR, "user_add")
    shelf.act(MONDAY, "zeroize", command_class="destructive", account=None, role="so")
    shelf.act(MONDAY, "reboot", command_class="availability", account=None)
    made = pack().privileged
    assert made.classes == ("destructive", "privileged", "availability")
    rows = {person.name: [cell.acts if cell else 0 for cell in person.cells] for person in made.people}
    assert rows == {"not named": [0, 0, 1], "admin": [0, 2, 0], "Security Officer": [1, 0, 0]}
    assert made.counts.zeroized == 1


def test_destroyed_keys_are_counted(shelf, pack):
    """Keys that were destroyed or left an HSM are numbers of the pack."""
    for operation in ("key_destroy", "key_wrap", "clone_out", "key_generate"):
        shelf.act(MONDAY, operation, command_class="key")
    made = pack()
    assert (made.privileged.keys.destroyed, made.privileged.keys.taken_out) == (1, 2)
    assert "one key was destroyed" in made.verdict


@pytest.mark.parametrize(("hours", "routine"), [(0.5, 1), (2, 0), (-0.5, 0)])
def test_an_off_load_explains_its_clear(shelf, pack, hours, routine):
    """Clearing a log right after packing it, by the same account, is upkeep; without packing it is an act."""
    shelf.line(MONDAY + HOUR, operation="log_off_load", outcome="ok", command_class="routine", account="admin")
    shelf.act(MONDAY + HOUR + hours * HOUR, "log_clear", command_class="log_tampering")
    made = pack().privileged
    assert (made.counts.routine, made.counts.acts, made.counts.without_ticket) == (routine, 1 - routine, 1 - routine)
    assert (len(made.acts), len(made.people)) == (1 - routine, 1 - routine)


def test_what_nobody_typed_is_no_act(shelf, pack):
    """A service's own line and an application's log entry are no acts of a person; an erased HSM always is one."""
    shelf.act(MONDAY, "service_start", command_class="availability", family="system", command=None)
    shelf.act(MONDAY, "log_external", command_class="logging")
    shelf.act(MONDAY, "zeroize", command_class="destructive", family="system", command=None, account=None)
    assert [act.operation for act in pack().privileged.acts] == ["zeroize"]
