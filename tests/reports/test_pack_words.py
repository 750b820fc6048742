"""Sentences made from data, each for nothing, one and many."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from reports import period
from reports.sections import authentication, configuration, finding_words, findings, privileged, provenance, verdict
from reports.sections import quality_words as quality
from reports.sections.quality import Channel, Counts, Custody, Gap, Quality, Sequence, Source
from reports.settings import DetectorNote, PackSettings, RoleLimit

WEEK = period.parse_week("2026-W47")
HEARD = Source("hsm-ams-1", configured=True, expected_from=WEEK.begin, lines=9, hours_heard=9)
SILENT = dataclasses.replace(HEARD, device="hsm-fra-1", lines=0, hours_heard=0)
GAP = Gap("hsm-ams-1", WEEK.begin, WEEK.begin + timedelta(hours=2))
COUNTS = Counts(9, 0, 0, 1, 9, 1, WEEK.end)
CHANNEL = Channel("hsm-ams-1", "lunash", 9, 9, 60.0, 0, 0, 1.0, 2.0, -3.0, ("tls",))
SUMS = Custody("udp", received=10, kernel_dropped=0, refused=1, cut=0, spooled=9, stored=9, copies=0)
NO_ACTS = privileged.ActCount(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("sources", "gaps", "words"),
    [
        ((), (), "No HSM is configured and none was heard"),
        ((HEARD,), (), "Every HSM reported, without a gap"),
        ((HEARD,), (GAP,), "Every HSM reported, with one gap of two hours"),
        ((HEARD,), (GAP, GAP), "Every HSM reported, with two gaps, the longest of two hours"),
        ((HEARD, SILENT), (GAP,), "One HSM of 2 was not heard at all"),
        ((SILENT, SILENT), (), "Two HSMs of 2 were not heard at all"),
    ],
)
def test_coverage(sources, gaps, words):
    """The heading says who was silent, and for how long."""
    assert quality.answer(sources, gaps) == words


@pytest.mark.parametrize(
    ("custody", "words"),
    [
        ((), "No listener counted a line in the period"),
        ((SUMS,), "The sums balance: 10 received = 9 spooled + 1 refused; all spooled lines are stored."),
        ((dataclasses.replace(SUMS, kernel_dropped=7),), "are stored. The kernel dropped 7 before"),
        ((dataclasses.replace(SUMS, received=12),), "The sums do not balance: two lines received, and neither"),
        ((dataclasses.replace(SUMS, stored=8),), "refused; one spooled line not in the store."),
    ],
)
def test_balance(custody, words):
    """The sums are one sentence, and one that does not balance says by how much."""
    assert words in quality.balance(custody)


def test_losses_of_two_listeners_do_not_cancel():
    """One line too many here and one too few there are two lines, not none."""
    rows = (dataclasses.replace(SUMS, received=11), dataclasses.replace(SUMS, received=9))
    assert "two lines received" in quality.balance(rows)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (0, "No audit record is missing: 60 received"),
        (1, "One audit record is missing of 61"),
        (3, "Three audit records are missing of 63"),
    ],
)
def test_sequence(missing, words):
    """Missing audit records are counted against what the HSM numbered."""
    row = Sequence("hsm-ams-1", "532000", 60 + missing, 60, missing, 1, ())
    assert any(words in said for said in quality.remarks(COUNTS, (CHANNEL,), (row,), (HEARD,), WEEK))


def test_remarks_on_what_weakens_the_evidence():
    """Silent, unknown and clear-text senders, backfilled lines and an unfinished period are named."""
    counts = dataclasses.replace(COUNTS, backfilled=1, newest_received=WEEK.begin)
    stranger = dataclasses.replace(HEARD, device="hsm-new", configured=False)
    channels = (
        dataclasses.replace(CHANNEL, transports=("udp",)),
        dataclasses.replace(CHANNEL, device="", transports=("tcp",)),
    )
    said = " ".join(quality.remarks(counts, channels, (), (SILENT, stranger), WEEK))
    for words in (
        "never heard in the period: hsm-fra-1.",
        "not configured: hsm-new.",
        "Lines of hsm-ams-1 and unknown senders came over the network in clear text",
        "One line of 9 was backfilled",
        "Nothing was received after the period",
        "No audit record of an HSM arrived",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("backfilled", "records", "words"),
    [
        (1, 1, "The one line was backfilled"),
        (9, 9, "All 9 lines were backfilled"),
        (2, 9, "Two lines of 9 were backfilled"),
    ],
)
def test_backfilled(backfilled, records, words):
    """Backfilled lines are counted against all."""
    counts = dataclasses.replace(COUNTS, backfilled=backfilled, records=records)
    assert any(said.startswith(words) for said in quality.remarks(counts, (), (), (HEARD,), WEEK))


@pytest.mark.parametrize(("quickest", "words"), [(-3.0, "+3 s"), (2.0, "\u22122 s"), (0.0, "0 s"), (None, "")])
def test_clock(quickest, words):
    """A device whose quickest lines arrive before they happened has a clock that is ahead."""
    assert dataclasses.replace(CHANNEL, lag_quickest=quickest).clock == words


@pytest.mark.parametrize(
    ("waiting", "words"),
    [(0, "Nothing waits for a decision"), (1, "One finding to decide"), (3, "Three findings to decide")],
)
def test_findings_answer(waiting, words):
    """The heading counts what waits."""
    assert findings.answer(waiting) == words


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "so on hsm-ams-1."),
        ({"failures": 2, "tries_left": 1, "ended": False}, "so on hsm-ams-1: 2 failures; 1 try left."),
        ({"changes": 1, "ended": True, "times": 0}, "so on hsm-ams-1: 1 change; ended; 0 times."),
        ({"consequence": "after 1 more it locks", "who": "a"}, "so on hsm-ams-1: after 1 more it locks; who a."),
        ({"sources": ["a", "b"], "empty": [], "none": None}, "so on hsm-ams-1: sources a and b."),
        ({"share": 0.5, "more": {"a": 1}}, 'so on hsm-ams-1: share 0.5; more {"a": 1}.'),
        ({"note": "It ended."}, "so on hsm-ams-1: note It ended."),
        ({"role": "so", "device": "hsm-ams-1", "severity": "high"}, "so on hsm-ams-1."),
        ({"since": "2026-11-19T23:12:15.000000Z"}, "so on hsm-ams-1: since Thu 19 Nov 23:12 UTC."),
        ({"first": 1192373}, "so on hsm-ams-1: first 1192373."),
    ],
)
def test_told(columns, words):
    """A finding's columns read as one sentence; what is empty is left out."""
    assert finding_words.told("so on hsm-ams-1", columns) == words


def test_told_is_short():
    """A column without an end does not fill the pack."""
    assert len(finding_words.told("x", {"text": "A" * 100_000})) < 200
    assert len(finding_words.told("x", {f"c{n}": "A" * 50 for n in range(100)})) < finding_words.WORDS_AT_MOST + 30


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((1, 1, 0, 0, 0, 2.0), "duty-mail: one alert, accepted, the slowest after 2 s."),
        ((3, 3, 0, 0, 0, 2.0), "duty-mail: three alerts, all accepted, the slowest after 2 s."),
        ((3, 1, 1, 1, 4, 2.0), "3 alerts".replace("3", "three") + ", 1 accepted, 1 waiting and 1 given up"),
        ((2, 0, 2, 0, 1, None), "duty-mail: two alerts, 2 waiting, one failed attempt."),
    ],
)
def test_alert_sentence(row, words):
    """Deliveries say what was accepted, after how long, and what was not."""
    messages, accepted, waiting, dead, failed, slowest = row
    alerts = findings.Alerts("duty-mail", messages, accepted, waiting, dead, failed, slowest, slowest)
    assert words in findings.alert_sentence(alerts)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 0), "No privileged operation"),
        ((1, 0, 0), "One privileged operation, none without an approved change"),
        ((6, 2, 0), "Six privileged operations, two without an approved change"),
        ((2, 0, 2), "Two privileged operations, refused"),
    ],
)
def test_privileged_answer(counts, words):
    """The heading counts the acts and those that nobody approved."""
    acts, without, refused = counts
    assert privileged.answer(privileged.ActCount(acts, 0, without, refused, 0, 0)) == words


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ({"setting": "hsm policy 15", "value": "1"}, "hsm policy 15 = 1"),
        ({"setting": "snmp"}, "snmp"),
        ({"command": "hsm init"}, "hsm init"),
        ({"command": "partition create", "partition": "20"}, "partition create (partition 20)"),
    ],
)
def test_target(act, words):
    """An act is told in the words of its line."""
    empty = dict.fromkeys(("operation", "outcome", "account", "role", "source", "command", "setting", "value"), "")
    full = empty | {"event_at": WEEK.begin, "device": "", "partition": "", "ticket": "", "kind": "config"} | act
    assert privileged.target(privileged.Act(families=(), records=(), **full)) == words


def streak(longest, role="so", *, ended=False, failures=None):
    at = WEEK.begin if longest else None
    return authentication.Streak(
        "hsm-ams-1", "", role, longest, at, at, ended, (), longest if failures is None else failures, 1
    )


@pytest.mark.parametrize(
    ("longest", "limit", "words"),
    [
        ((), 3, "No HSM role was heard logging in"),
        ((0,), 3, "No HSM role failed to log in"),
        ((1,), 3, "Failed logins stayed below lockout"),
        ((2,), 3, "Failed logins stayed below lockout, with one try left for one role"),
        ((2, 2), 3, "Failed logins stayed below lockout, with one try left for two roles"),
        ((3, 2), 3, "Failed logins reached the lockout of one role"),
    ],
)
def test_authentication_answer(longest, limit, words):
    """The heading says how close a role came to a loss."""
    assert authentication.answer(tuple(authentication.Ladder(streak(number), limit) for number in longest)) == words


def test_ladder_names():
    """A ladder is named by role, device and, where there is one, partition."""
    named = dataclasses.replace(streak(1, "co"), partition="20")
    assert authentication.Ladder(named, 10).name == "Crypto Officer on hsm-ams-1 partition 20"
    assert (
        authentication.Ladder(dataclasses.replace(streak(1, ""), device=""), 3).name
        == "Role not named on an unknown device"
    )
    assert authentication.Ladder(streak(12), 10).tries_left == 0


@pytest.mark.parametrize(
    ("oldest", "days"),
    [(None, 28), (WEEK.end - timedelta(days=3), 28), (WEEK.begin - timedelta(days=30), 38), (datetime(1970, 1, 1), 56)],
)
def test_days_shown(oldest, days):
    """Four to eight weeks, as far as the store reaches."""
    assert authentication.days_shown(oldest, WEEK) == days


@pytest.mark.parametrize(("failing", "calm", "drawn"), [(0, 3, 3), (2, 9, 6), (9, 3, 9)])
def test_calm_roles(failing, calm, drawn):
    """Every role that failed has its ladder; calm ones have while the table is short, then they are one sentence."""
    ladders = tuple(authentication.Ladder(streak(1 if place < failing else 0), 3) for place in range(failing + calm))
    made = authentication.Authentication("", ladders, (), 28, (), authentication.ApplianceFailures(0, 0), 0)
    assert len(made.ladders[: made.rungs]) == drawn
    assert made.calm.count("Security Officer") == failing + calm - drawn


def test_limits():
    """The most exact configured limit holds; a stricter policy in the logs lowers it; nothing makes it zero."""
    settings = PackSettings(limits=(RoleLimit("", "", "co", 8), RoleLimit("hsm-ams-1", "20", "co", 5)))
    observed = (
        authentication.ObservedLimit("hsm-ams-1", "20", "4"),
        authentication.ObservedLimit("hsm-ams-2", "", "x"),
    )
    limits = authentication.Limits(settings, observed)
    assert [
        limits.of(*place) for place in (("hsm-ams-1", "20", "co"), ("hsm-ams-1", "20", "po"), ("hsm-fra-1", "7", "co"))
    ] == [4, 10, 8]
    assert [settings.limit("hsm-fra-1", "", role) for role in ("so", "po", "", "unknown")] == [3, 10, 3, 3]
    zero = authentication.Limits(settings, (authentication.ObservedLimit("hsm-ams-1", "20", "0"),))
    assert zero.of("hsm-ams-1", "20", "co") == 1


@pytest.mark.parametrize(
    ("differences", "approved", "words"),
    [
        (0, 0, "Configuration was not measured: no baseline is approved"),
        (0, 4, "Every observed setting is as approved"),
        (1, 4, "One setting differs from the approved baseline"),
        (2, 4, "Two settings differ from the approved baseline"),
    ],
)
def test_configuration_answer(differences, approved, words):
    """What nobody approved is not measured; it is not fine."""
    row = configuration.Difference("hsm-ams-1", "ipcheck", "", "on", True, "off", WEEK.begin, "admin", 1)
    baselines = (configuration.Baseline("hsm-ams-1", approved, WEEK.begin),)
    assert configuration.answer((row,) * differences, baselines) == words


@pytest.mark.parametrize(
    ("runbook", "step"),
    [
        ("1. Stop all\n   attempts.\n2. Let in.", "Stop all attempts."),
        ("\n1) Ask.\n", "Ask."),
        ("Ask whoever\nis there.", "Ask whoever is there."),
        ("", ""),
    ],
)
def test_next_step(runbook, step):
    """The next step is the runbook's first, on one line and without its number."""
    assert DetectorNote("AUTH-01", "", "high", "", "", runbook, "").next_step == step


def test_detectors_that_say_nothing_are_named():
    """A detector that did not run, failed or is switched off has found nothing, and the reader is told."""
    notes = tuple(DetectorNote(f"AUTH-0{n}", "", "high", "", "", "", "", enabled=n != 3) for n in (1, 2, 3))
    runs = (provenance.Run("AUTH-01", 3, 1, 0, 2, (), "boom", "strangers: no [[account]]"),)
    assert provenance.remarks(notes, runs) == [
        "One detector did not run over this period: AUTH-02.",
        "One detector failed at least once: AUTH-01.",
        "One detector switched off by configuration: AUTH-03.",
        "Not measured, since nobody configured what it needs: AUTH-01 (strangers: no [[account]]).",
        "Allow-lists and suppressions hid two results.",
    ]
    assert provenance.remarks((), ()) == []


def test_another_version_of_a_detector_is_told():
    """One that ran in another version than is there now, that changed since its approval, or that nobody approved."""
    states = ("approved", "changed", "not approved", "")
    notes = [
        DetectorNote(f"AUTH-0{n}", "", "high", "", "", "", f"sha{n}", approval=one) for n, one in enumerate(states)
    ]
    runs = [provenance.Run(note.id, 1, 0, 0, 0, (note.sha256,), "") for note in notes]
    runs[0] = dataclasses.replace(runs[0], versions=("sha0", "older"))
    assert provenance.remarks(tuple(notes), tuple(runs)) == [
        "One detector ran in another version than the one below: AUTH-00.",
        "One detector changed since it was approved: AUTH-01.",
        "One detector in a version that nobody approved: AUTH-02.",
    ]
    assert notes[1].version == {"id": "AUTH-01", "sha256": "sha1", "enabled": True, "approval": "changed"}
    broken = (dataclasses.replace(notes[3], approval="not known, since detectors.lock is broken"),)
    said = provenance.remarks(broken, (runs[3],))
    assert said == ["Whether the detectors were approved is not known, since detectors.lock is broken."]


def trusted(counts=COUNTS, sources=(HEARD,), missing=0):
    rows = (Sequence("hsm-ams-1", "", 9, 9 - missing, missing, 0, ()),)
    return Quality("", (), "", counts, sources, (), (), rows, (), (), ())


def found(*severities, not_shown=0):
    row = {field.name: "" for field in dataclasses.fields(findings.Row)} | {
        "first_seen": WEEK.begin,
        "last_seen": WEEK.begin,
    }
    listed = tuple(
        findings.Finding(findings.Row(**(row | {"severity": severity})), "", "", carried_over=False, records=())
        for severity in severities
    )
    return findings.Findings("", (), len(listed), listed, (), (), not_shown, 0, (), ())


def acted(counts=NO_ACTS, destroyed=0):
    return privileged.Privileged("", counts, privileged.KeyActs(destroyed, 0), (), (), (), 0, "")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((found(), acted(), trusted()), "No finding needs a decision. No HSM was zeroized and no key was destroyed."),
        ((found("critical"), acted(), trusted()), "One critical finding needs a decision. No HSM"),
        ((found("high"), acted(), trusted()), "One finding needs a decision. No HSM"),
        ((found("critical", "high"), acted(), trusted()), "Two findings need a decision, one of them critical. "),
        ((found("high", not_shown=20), acted(), trusted()), "21 findings need a decision. "),
        (
            (found(), acted(privileged.ActCount(1, 0, 1, 0, 1, 1), 2), trusted()),
            "One act emptied an HSM and two keys were destroyed; one privileged operation was covered by no approved",
        ),
        (
            (found(), acted(privileged.ActCount(2, 0, 2, 0, 2, 0), 1), trusted()),
            "Two destructive acts were carried out, no HSM was zeroized and one key was destroyed; two privileged",
        ),
        (
            (found(), acted(), trusted(sources=(HEARD, SILENT), missing=1)),
            "The evidence has holes: one HSM was never heard and one audit record is missing.",
        ),
        ((found(), acted(), trusted(sources=(SILENT, SILENT))), "The evidence has holes: two HSMs were never heard."),
        ((found(), acted(), trusted(dataclasses.replace(COUNTS, records=0))), "there is no evidence to judge it by."),
        ((found("low"), acted(), trusted(dataclasses.replace(COUNTS, records=0))), "One finding needs a decision."),
    ],
)
def test_verdict(parts, words):
    """The verdict is made of the figures below it, and says when there is nothing to judge by."""
    assert words in verdict.verdict(*parts)
