"""What a pack says about wrong secrets: streaks of roles, ladders of partitions, SSH."""

from datetime import timedelta

import pytest

from support.shelf import MONDAY, WEEK

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


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
