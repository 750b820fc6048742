"""What a pack says about a store: one small store for each question."""

from datetime import timedelta

import pytest

from reports.pack import PackSettings, make_pack
from reports.render import render
from support.shelf import MONDAY, RECEIVER, WEEK

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def pack(shelf):
    """Makes the pack of the week from what the test has put on the shelf."""
    return lambda settings=PackSettings(): make_pack(shelf.con, WEEK, settings)  # noqa: B008


def test_an_empty_store(pack):
    """An empty store gives a pack that says there is nothing to judge by."""
    made = pack()
    assert made.verdict == "No line of this period was received: there is no evidence to judge it by."
    assert [fact.value for fact in made.facts] == ["0", "0", "0", "0", "0 of 0", "0 of 0"]
    assert made.quality.answer == "No HSM is configured and none was heard"
    assert (made.evidence, made.findings.open, made.privileged.acts) == ((), (), ())


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


def test_which_findings_belong_to_a_pack(shelf, pack):
    """Those of the period and open ones from before; superseded, later and long handled ones do not."""
    old, later = MONDAY - 9 * DAY, WEEK.end + HOUR
    shelf.finding(MONDAY, title="now")
    shelf.finding(old, title="still open")
    shelf.finding(old, title="done", state="closed")
    shelf.finding(later, title="later")
    shelf.finding(MONDAY, title="replaced", state="superseded")
    shelf.finding(old, last_seen=MONDAY + HOUR, title="acknowledged", state="acknowledged")
    found = pack().findings
    assert [(row.row.title, row.carried_over) for row in found.open] == [("still open", True), ("now", False)]
    assert [row.row.title for row in found.handled] == ["acknowledged"]
    assert found.in_period == 2


@pytest.mark.parametrize(
    ("values", "decided"),
    [
        ({"severity": "low", "change_ticket": "CHG-1"}, True),
        ({"severity": "info", "change_ticket": "CHG-1"}, True),
        ({"severity": "medium", "change_ticket": "CHG-1"}, False),
        ({"severity": "low"}, False),
    ],
)
def test_an_approved_change_decides_what_is_low(shelf, pack, values, decided):
    """A low finding inside a change is listed with its ticket; what is worse, and what has no ticket, waits for a person."""
    shelf.line(MONDAY)
    finding = shelf.finding(MONDAY, **values)
    made = pack()
    found = made.findings
    assert [[one.row.id for one in some] for some in (found.open, found.covered)] == (
        [[], [finding]] if decided else [[finding], []]
    )
    assert (found.answer == "Nothing waits for a decision") is decided
    assert (found.remarks[:1] == ("One low finding is covered by an approved change.",)) is decided
    assert made.verdict.startswith("No finding needs a decision." if decided else "One finding needs a decision.")
    assert found.in_period == 1


def test_what_a_change_decided_is_told_once(shelf, pack):
    """In the pack of its own week; a person's decision may come later and is told then."""
    old, covered = MONDAY - 9 * DAY, {"severity": "low", "change_ticket": "CHG-1"}
    shelf.finding(old, **covered)
    shelf.finding(old, last_seen=MONDAY + HOUR, title="lasting", **covered)
    shelf.finding(MONDAY, state="closed", title="closed", **covered)
    found = pack(PackSettings(findings_shown=1)).findings
    assert [finding.row.title for finding in found.covered] == ["lasting"]
    assert [finding.row.title for finding in found.handled] == ["closed"]


def test_findings_are_worst_first(shelf, pack):
    """The worst comes first; among equals the oldest."""
    for place, severity in enumerate(("low", "critical", "info", "high", "critical")):
        shelf.finding(MONDAY + place * HOUR, severity=severity)
    assert [finding.row.id for finding in pack().findings.open] == [2, 5, 4, 1, 3]


def test_many_findings(shelf, pack):
    """A pack lists as many findings as were allowed, worst first, and counts the rest."""
    shelf.con.execute("BEGIN")
    for place in range(30):
        shelf.finding(MONDAY + timedelta(minutes=place), severity="critical" if place == 29 else "low")
    shelf.con.execute("COMMIT")
    made = pack(PackSettings(findings_shown=5))
    assert len(made.findings.open) == 5
    assert made.findings.not_shown == 25
    assert made.findings.open[0].row.severity == "critical"
    assert made.findings.answer == "30 findings to decide"


def test_evidence_is_limited_and_says_so(shelf, pack):
    """A finding shows its first lines by event time and says how many more there are."""
    records = [shelf.line(MONDAY + (20 - place) * HOUR) for place in range(20)]
    shelf.finding(MONDAY, records)
    made = pack(PackSettings(evidence_per_finding=3))
    (finding,) = made.findings.open
    assert finding.records == tuple(records[-3:])
    assert finding.more == 17
    assert [line.record_id for line in made.evidence] == records[-3:]


def test_long_evidence_is_cut_and_measured(shelf, pack):
    """A line of 100 kB is cut in the data too, and keeps its length."""
    shelf.finding(MONDAY, [shelf.line(MONDAY, raw="A" * 100_000)])
    (line,) = pack().evidence
    assert (len(line.raw), line.characters) == (2000, 100_000)


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


def test_a_streak_counts_each_try_once(shelf, pack):
    """Three message forms of one try are one strike; a success ends the streak."""
    for place in range(2):
        at = MONDAY + place * HOUR
        shelf.strike(at)
        shelf.strike(at + timedelta(seconds=1), family="lunash", pattern="lunash.command")
        shelf.strike(at + timedelta(seconds=1), family="lunash", pattern="lunash.warning")
    shelf.strike(MONDAY + 3 * HOUR, outcome="ok", strike=None)
    (ladder,) = pack().authentication.ladders
    assert (ladder.streak.longest, ladder.limit, ladder.tries_left) == (2, 3, 1)
    assert (ladder.streak.ended, ladder.streak.failures) == (True, 2)


def test_a_streak_that_began_before_the_period(shelf, pack):
    """The HSM's counter has no clock: last week's strike counts, and this week's failures are this week's."""
    shelf.strike(MONDAY - DAY)
    shelf.strike(MONDAY + DAY)
    (ladder,) = pack().authentication.ladders
    assert (ladder.streak.longest, ladder.streak.failures, ladder.streak.ended) == (2, 1, False)
    assert ladder.streak.first_strike == MONDAY - DAY


def test_a_streak_of_last_week_is_not_this_weeks(shelf, pack):
    """What ended before the period is not on its ladder."""
    shelf.strike(MONDAY - 2 * DAY)
    shelf.strike(MONDAY - DAY, outcome="ok", strike=None)
    shelf.strike(MONDAY + DAY, outcome="ok", strike=None)
    (ladder,) = pack().authentication.ladders
    assert (ladder.streak.longest, ladder.streak.successes, ladder.streak.last_strike) == (0, 1, None)


def test_partitions_have_their_own_ladders(shelf, pack):
    """A partition role counts for each partition, a role of the whole HSM once; a backup token is neither."""
    for partition in ("20", "21"):
        shelf.strike(MONDAY, role="co", partition=partition)
        shelf.strike(MONDAY + HOUR, role="so", partition=partition)
    shelf.strike(MONDAY, role="so", command="token backup login", family="lunash")
    ladders = pack().authentication.ladders
    assert [(ladder.name, ladder.streak.longest) for ladder in ladders] == [
        ("Security Officer on hsm-ams-1", 2),
        ("Crypto Officer on hsm-ams-1 partition 20", 1),
        ("Crypto Officer on hsm-ams-1 partition 21", 1),
    ]


def test_ped_trouble_is_no_strike(shelf, pack):
    """A failed login that reached no counter is not on the ladder."""
    shelf.strike(MONDAY, strike=False)
    authentication = pack().authentication
    assert authentication.ladders == ()
    assert authentication.failed_logins == 0


def test_policy_20_lowers_the_limit(shelf, pack):
    """The limit that the logs show for a partition is the one that counts."""
    shelf.act(MONDAY - DAY, "policy_set", setting="partition policy 20", value="4", partition="20")
    shelf.strike(MONDAY, role="co", partition="20")
    (ladder,) = pack().authentication.ladders
    assert (ladder.limit, ladder.tries_left) == (4, 3)


def test_bars_are_days(shelf, pack):
    """Failures stand in the bar of their day, the period's last day last."""
    shelf.strike(WEEK.end - timedelta(seconds=1))
    shelf.strike(WEEK.end - 28 * DAY)
    shelf.strike(WEEK.end - 28 * DAY - timedelta(seconds=1))
    (panel,) = pack().authentication.panels
    assert len(panel.counts) == 29
    assert (panel.counts[0], panel.counts[1], panel.counts[-1]) == (1, 1, 1)
    assert panel.ticks[0] == (0, "25 Oct")


def ssh(shelf, at, form, outcome="failed", **values):
    usual = {"family": "sshd", "operation": "login", "source": "198.51.100.9", "pattern": form, "outcome": outcome}
    return shelf.line(at, **(usual | values))


def test_ssh_tries_are_counted_once(shelf, pack):
    """Both sshd and PAM tell of one try; another account from the same source is another try."""
    for place in range(3):
        ssh(shelf, MONDAY + timedelta(seconds=place), "sshd.failed", account="admin")
        ssh(shelf, MONDAY + timedelta(seconds=place), "sshd.pam", account="admin")
    ssh(shelf, MONDAY, "sshd.invalid", account="root")
    ssh(shelf, MONDAY, "sshd.pam", account=None)
    (row,) = pack().authentication.guessers
    assert (row.failures, row.accounts, row.success_after) == (4, ("admin", "root"), False)


@pytest.mark.parametrize(("minutes", "source", "after"), [(5, "198.51.100.9", True), (-5, "198.51.100.9", False)])
def test_success_after_failure(shelf, pack, minutes, source, after):
    """A login that worked after failures from the same source is marked."""
    ssh(shelf, MONDAY + HOUR, "sshd.failed", account="admin")
    ssh(
        shelf, MONDAY + HOUR + timedelta(minutes=minutes), "sshd.accepted", outcome="ok", account="admin", source=source
    )
    (row,) = pack().authentication.guessers
    assert row.success_after is after


def test_many_sources(shelf, pack):
    """Only the sources with most failures are listed; all are counted."""
    for place in range(25):
        ssh(shelf, MONDAY + timedelta(minutes=place), "sshd.failed", account="admin", source=f"203.0.113.{place}")
    made = pack().authentication
    assert (len(made.guessers), made.appliance.sources, made.appliance.failures) == (20, 25, 25)


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


def test_the_week_before_stands_beside(shelf, pack):
    """Each number has that of the period before."""
    shelf.device("hsm-ams-1")
    shelf.every(60, MONDAY - 7 * DAY, MONDAY)
    shelf.strike(MONDAY - DAY)
    shelf.act(MONDAY - DAY, "user_add")
    shelf.finding(MONDAY - DAY, state="closed")
    shelf.line(MONDAY)
    assert [fact.change for fact in pack().facts] == [
        "1 last week",
        "1 last week",
        "1 last week",
        "0 % unread; 170 last week",
        "168 of 168 last week",
        "1 last week",
    ]


@pytest.mark.parametrize(
    ("begins", "change"),
    [
        (MONDAY, "not measured last week"),
        (MONDAY - timedelta(minutes=1), "0 last week"),
        (None, "not measured last week"),
    ],
)
def test_a_first_week_has_none_before_it(shelf, pack, begins, change):
    """What nobody watched is no nought: the week before counts once the store reaches into it, or beyond."""
    if begins is not None:
        shelf.line(begins)
    facts = {fact.name: fact.change for fact in pack().facts}
    assert facts["Privileged operations"] == change
    assert facts["Records"].startswith("0 % unread; ")
    assert (facts["Records"] == "0 % unread; not measured last week") is change.startswith("not")


def test_a_silent_week_is_measured(shelf, pack):
    """The store reaches further back: hours that were not heard are a figure."""
    shelf.device("hsm-ams-1")
    shelf.line(MONDAY - 30 * DAY)
    shelf.line(MONDAY)
    assert {fact.name: fact.change for fact in pack().facts}["Hours heard"] == "0 of 168 last week"


def test_later_lines_change_no_older_pack(shelf, pack):
    """The data digest reaches as far as the period's lines; the store's own head moves on."""
    shelf.line(MONDAY)
    shelf.batch(1, "aa" * 32, 1)
    shelf.line(WEEK.end + DAY, batch=RECEIVER + 2)
    shelf.batch(2, "bb" * 32, 1)
    source = pack().provenance
    assert [head.sha256[:2] for head in source.heads] == ["aa"]
    assert [head.sha256[:2] for head in source.chain] == ["bb"]


def test_made_twice(lively, settings):
    """The same store gives an equal pack."""
    assert make_pack(lively.con, WEEK, settings) == make_pack(lively.con, WEEK, settings)


def test_made_from_a_reading_cursor(lively, settings):
    """A pack is made inside a read-only transaction: it writes nothing."""
    cursor = lively.con.cursor()
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    assert make_pack(cursor, WEEK, settings).quality.counts.records > 2000


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
