"""What a pack says about settings: what drifted, what changed, what is gone."""

from datetime import timedelta

from reports.render import render
from support.shelf import MONDAY

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def approve(shelf, setting, value, device="hsm-ams-1"):
    words = {"partition": "", "approved_at": MONDAY, "approved_by": "admin", "reason": "as built", "as_of": MONDAY}
    shelf.insert("baseline", device=device, setting=setting, value=value, **words)


def test_drift(shelf, pack):
    """Only what differs is shown, with who set it and since when; a device without a baseline is not measured."""
    shelf.device("hsm-ams-1")
    shelf.device("hsm-ams-2")
    approve(shelf, "ipcheck", "on")
    approve(shelf, "snmp", "off")
    config = {"command_class": "config"}
    shelf.act(MONDAY, "ipcheck_set", setting="ipcheck", value="on", **config)
    changed = shelf.act(MONDAY + HOUR, "ipcheck_set", setting="ipcheck", value="off", **config)
    shelf.act(MONDAY + HOUR, "snmp_set", setting="snmp", value="off", **config)
    shelf.act(MONDAY + HOUR, "snmp_set", setting="snmp", value="on", outcome="failed", **config)
    shelf.act(MONDAY + HOUR, "ntp_set", setting="ntp server 192.0.2.1", value="added", **config)
    shelf.act(MONDAY, "ipcheck_set", setting="ipcheck", value="off", device="hsm-ams-2", **config)
    made = pack().configuration
    assert [(row.setting, row.approved, row.observed, row.was_approved) for row in made.differences] == [
        ("ipcheck", "on", "off", True),
        ("ntp server 192.0.2.1", "", "added", False),
    ]
    assert (made.differences[0].since, made.differences[0].who) == (MONDAY + HOUR, "admin")
    assert made.differences[0].record_id == changed
    assert made.remarks == ("Not measured, because no baseline is approved: hsm-ams-2.",)


def test_drift_that_a_console_showed_names_its_file(shelf, pack):
    """No record is its evidence; the pack is written all the same, with the file and its digest."""
    shelf.device("hsm-ams-1")
    approve(shelf, "ipcheck", "on")
    words = {"partition": "", "bytes": 1, "text": "", "left_out": "[]", "withdrawn_by": "", "withdrawn_reason": ""}
    shelf.insert(
        "observations",
        id=1,
        device="hsm-ams-1",
        observed_at=MONDAY + HOUR,
        file="<b>ip</b>.txt",
        sha256="ab" * 32,
        imported_at=MONDAY + DAY,
        imported_by="auditor",
        **words,
    )
    shelf.insert("observed_settings", observation=1, setting="ipcheck", partition="", value="off", line=2, form="x")
    made = pack()
    (row,) = made.configuration.differences
    assert (row.observed, row.since, row.who, row.record_id) == ("off", MONDAY + HOUR, "auditor", None)
    html = render(made)
    assert "&lt;b&gt;ip&lt;/b&gt;.txt" in html
    assert "ab" * 32 in html


def test_changes_show_the_value_before(shelf, pack):
    """A change stands with the last value before it, as far as the store knows one."""
    config = {"command_class": "config", "setting": "ipcheck"}
    shelf.act(MONDAY - DAY, "ipcheck_set", value="on", **config)
    shelf.act(MONDAY, "ipcheck_set", value="off", **config)
    shelf.act(MONDAY + HOUR, "snmp_set", command_class="config", setting="snmp", value="on")
    changes = pack().configuration.changes
    assert [(row.setting, row.before, row.value) for row in changes] == [("ipcheck", "on", "off"), ("snmp", "", "on")]


def test_cleared_targets_are_gone(shelf, pack):
    """Clearing the list of log targets removes those before it; what was never approved and is gone is no difference."""
    approve(shelf, "log target 192.0.2.1", "added")
    config = {"command_class": "logging", "outcome": "ok"}
    for place, (setting, value) in enumerate(
        [
            ("log target 192.0.2.1", "added"),
            ("log target 192.0.2.2", "added"),
            ("log target *", "removed"),
            ("log target 192.0.2.3", "added"),
            ("package lunacm", "added"),
        ]
    ):
        shelf.act(MONDAY + place * HOUR, "log_target_add", setting=setting, value=value, **config)
    assert [(row.setting, row.approved, row.observed, row.since) for row in pack().configuration.differences] == [
        ("log target 192.0.2.1", "added", "removed", MONDAY + 2 * HOUR),
        ("log target 192.0.2.3", "", "added", MONDAY + 3 * HOUR),
    ]
