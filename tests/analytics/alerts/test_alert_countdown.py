"""Mail and webhook say how many tries are left and what happens then: from the lines of a lost streak to their text."""

from functools import partial

import pytest

from analytics.alerts.enqueue import enqueue
from analytics.alerts.forms import form
from analytics.alerts.letter import write_letter
from analytics.alerts.message import from_text
from analytics.alerts.sinks import EmailSink, WebhookSink
from analytics.detector import load_all
from analytics.duty import Duty
from support.bench import Bench

DETECTORS = [load_all().get(identifier) for identifier in ("AUTH-01", "AUTH-02")]
MAIL = EmailSink("duty", "127.0.0.1", 25, "hsmtrail@example.org", ("duty@example.org",), "info", "", "", "none")
HOOK = WebhookSink("chat", "http://127.0.0.1/", "json", "", "info")
APPLICATION = "device | container | kind\nhsm1 | 20 | application"
LOCKED = {"return_name": "LUNA_RET_UM_PIN_INCORRECT_CONTAINER_LOCKED", "return_code": "10485762"}
ERASED = {"return_name": "LUNA_RET_SO_LOGIN_FAILURE_THRESHOLD", "return_code": "3145743"}
TOKEN = {"family": "lunash", "command": "token backup login"}


def tries(count, role, **last):
    """So many wrong secrets of a role, a second apart; `last`: what the newest line says besides."""
    usual = {"device": "hsm1", "family": "hsm_audit", "operation": "login", "outcome": "failed", "strike": "true"}
    rows = [{"time": f"10:00:{number:02}", "role": role, **usual} for number in range(count)]
    return [*rows[:-1], rows[-1] | last]


def right(role):
    return {
        "time": "10:01:00",
        "device": "hsm1",
        "family": "hsm_audit",
        "role": role,
        "operation": "login",
        "outcome": "ok",
    }


def told(rows, partitions=""):
    """The newest mail and the newest call."""
    here = Bench(DETECTORS)
    here.put("devices", "name | hosts\nhsm1 | hsm1")
    if partitions:
        here.put("partitions", partitions)
    here.duty = Duty(here.db, DETECTORS, lambda: here.now, enqueue=partial(_tell, here))
    here.arrive(rows)
    letters = [from_text(text) for (text,) in here.ask("SELECT message FROM outbox ORDER BY id")]
    return write_letter(letters[-1], MAIL), form(letters[-1], HOOK)["data"]


def _tell(here, cursor, finding, reason):
    return enqueue(cursor, finding, reason, [MAIL, HOOK], here.now)


@pytest.mark.parametrize(
    ("rows", "left", "then"),
    [
        (tries(1, "so"), 2, "After 2 more the HSM erases itself."),
        (tries(2, "so"), 1, "After 1 more the HSM erases itself."),
        (tries(3, "so", **ERASED), 0, "The HSM has erased itself."),
        (tries(1, "so", **TOKEN), 2, "After 2 more the backup token erases itself."),
        ([*tries(1, "so"), right("so")], 2, "None: a login succeeded, the count began anew."),
        (tries(8, "po"), 2, "After 2 more the partition is zeroized, with every key in it."),
        (
            tries(6, "co"),
            4,
            "After 4 more Crypto Officer and Crypto User are locked, for good unless HSM policy 15 is on.",
        ),
        (
            tries(1, "co", **LOCKED),
            0,
            "The limit is reached: Crypto Officer and Crypto User are locked, for good unless HSM policy 15 is on.",
        ),
        (tries(5, "cu"), 5, "After 5 more the role is locked until a higher role resets it."),
        (tries(1, "au"), 2, "After 2 more the Auditor is locked for ten minutes."),
        (tries(3, "au"), 0, "The limit is reached: the Auditor is locked for ten minutes."),
        (tries(1, ""), 2, "After 2 more at worst the HSM erases itself: no line names the role."),
        ([*tries(5, "co"), right("co")], 5, "None: a login succeeded, the count began anew."),
    ],
)
def test_the_alert_says_how_many_tries_are_left_and_what_happens_then(rows, left, then):
    """By role, and by the strictest reading where no line names one."""
    letter, data = told(rows)
    text = letter.get_body(("plain",)).get_content()
    assert f"*** TRIES LEFT: {left} ***\n{then}\n" in text
    html = letter.get_body(("html",)).get_content()
    assert f"Tries left: {left}</b>" in html
    assert then in html
    assert (data["tries_left"], data["consequence"]) == (left, then)


def test_an_unknown_role_of_an_application_partition_can_erase_no_more_than_that():
    """The partition is declared: its strictest role is the Partition SO."""
    rows = [{**row, "partition": "20"} for row in tries(3, "")]
    letter, data = told(rows, APPLICATION)
    assert data["tries_left"] == 7
    assert "at worst the partition is zeroized: no line names the role." in letter.get_body(("plain",)).get_content()
