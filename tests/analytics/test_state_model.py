"""Random histories of commands: the configuration rebuilt from their lines is the one that a plain model has, at every step.

HSMTRAIL_EXAMPLES raises the number of histories (20 by default).
"""

import os
import re
from contextlib import contextmanager
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics.case_tables import fill
from analytics.manners import scratch
from analytics.state import MOMENTARY, observed
from hsmtrail import wiring
from support.bench import NOON

UNKNOWN = None
PARTITIONS, CLIENTS, USERS = ["prod-tls", "a.b", "p1"], ["app-1", "app-10"], ["bob", "eve"]
HOSTS, ROLES = ["192.0.2.20", "192.0.2.2"], ["admin", "operator"]
POLICIES, SWITCH = ["7", "12", "15"], {"enable": "on", "disable": "off"}


class Model:
    """What an HSM's configuration is, said as simply as can be: settings by name and partition."""

    def __init__(self):
        self.state = {}

    def put(self, setting, value, partition=""):
        self.state[setting, partition] = value

    def each(self, pattern, value="removed", partition=None):
        """All settings that there ever were whose names are like this."""
        for setting, part in self.state:
            if re.fullmatch(pattern, setting) and partition in {None, part}:
                self.state[setting, part] = value

    def client_delete(self, client):
        self.each(f"client {re.escape(client)} .*")
        self.put(f"client {client}", "deleted")

    def user_delete(self, user):
        self.each(f"user {re.escape(user)} .*")
        self.put(f"user {user}", "deleted")

    def partition_delete(self, partition):
        self.each(f"client .* partition {re.escape(partition)}")
        self.each("partition policy .*", partition=partition)
        self.put(f"partition {partition}", "deleted", partition)

    def erase(self):
        self.each("partition .*|client .* partition .*")

    def factory_reset(self):
        self.erase()
        self.each("hsm policy .*", UNKNOWN)

    def rollback(self):
        self.each("(hsm|partition) policy .*", UNKNOWN)
        self.put("firmware", "rolled back")


def commands(draw):
    """One command as it is typed, and what it does to a model."""
    one = lambda *of: draw(st.sampled_from(*of))  # noqa: E731
    client, partition, user, role, host = one(CLIENTS), one(PARTITIONS), one(USERS), one(ROLES), one(HOSTS)
    policy, number, turn = one(POLICIES), one(["0", "1", "10"]), one(sorted(SWITCH))
    return one([
        (f"hsm changePolicy -policy {policy} -value {number}", lambda m: m.put(f"hsm policy {policy}", number)),
        (
            f"partition changePolicy -partition {partition} -policy 20 -value {number}",
            lambda m: m.put("partition policy 20", number, partition),
        ),
        (f"partition create -partition {partition}", lambda m: m.put(f"partition {partition}", "created", partition)),
        (f"partition delete -partition {partition} -force", lambda m: m.partition_delete(partition)),
        (f"client register -client {client} -hostname {client}", lambda m: m.put(f"client {client}", "registered")),
        (f"client delete -client {client} -force", lambda m: m.client_delete(client)),
        (
            f"client assignPartition -client {client} -partition {partition}",
            lambda m: m.put(f"client {client} partition {partition}", "assigned", partition),
        ),
        (
            f"client revokePartition -client {client} -partition {partition}",
            lambda m: m.put(f"client {client} partition {partition}", "revoked", partition),
        ),
        (f"client hostip map {client} {host}", lambda m: m.put(f"client {client} address", host)),
        (f"user add {user}", lambda m: m.put(f"user {user}", "added")),
        (f"user delete {user}", lambda m: m.user_delete(user)),
        (f"user {turn} {user}", lambda m: m.put(f"user {user}", f"{turn}d")),
        (
            f"user role add -username {user} -role {role}",
            lambda m: m.put(f"user {user} role {role}", "added"),
        ),
        (f"user role clear -username {user}", lambda m: m.each(f"user {user} role .*")),
        (
            f"syslog remotehost add -host {host} -protocol tcp -port 1514",
            lambda m: m.put(f"log target {host}:1514/tcp", "added"),
        ),
        (
            f"syslog remotehost delete -host {host}",
            lambda m: (m.each(f"log target {re.escape(host)}:.*"), m.put(f"log target {host}", "removed")),
        ),
        ("syslog remotehost clear -force", lambda m: m.each("log target .*")),
        (f"sysconf ntp addServer {host}", lambda m: m.put(f"ntp server {host}", "added")),
        (f"sysconf ssh password {turn}", lambda m: m.put("ssh password", SWITCH[turn])),
        (f"ntls ipcheck {turn}", lambda m: m.put("ipcheck", SWITCH[turn])),
        (f"audit config -parameter event -value f,s,a,{number}", lambda m: m.put("audit mask", f"f,s,a,{number}")),
        ("sysconf config factoryReset -service ssh", lambda m: m.each("ssh .*", UNKNOWN)),
        ("hsm zeroize -force", Model.erase),
        ("hsm factoryReset -force", Model.factory_reset),
        ("hsm firmware rollback -force", Model.rollback),
        ("hsm show", lambda m: None),
    ])  # fmt: skip


@st.composite
def histories(draw):
    """Commands in order; some are refused, and change nothing."""
    return [
        (*commands(draw), draw(st.sampled_from([True, True, True, False]))) for _ in range(draw(st.integers(5, 40)))
    ]


def lines(history):
    """As the appliance writes them, a second apart."""
    for number, (command, _, done) in enumerate(history):
        at = (NOON + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        code = "0" if done else "65535"
        yield f"<174>1 {at} hsm1 lunash 7 - - info : {code} : Command: {command}  : admin : 192.0.2.50/4000".encode()


def rows(history):
    """What the parser makes of them, as rows of a case."""
    raw = list(lines(history))
    frame = wiring.parser(None).one_by_one(
        pl.DataFrame(
            {
                "received_at": pl.Series([NOON] * len(raw), dtype=pl.Datetime("us")),
                "peer": [""] * len(raw),
                "peer_identity": [""] * len(raw),
                "raw": pl.Series(raw, dtype=pl.Binary),
                "trouble": [""] * len(raw),
            }
        )
    )
    wanted = ("family", "pattern", "operation", "outcome", "setting", "value", "partition", "account", "command")
    for row in frame.iter_rows(named=True):
        yield {"time": str(row["event_at"]), "device": "hsm1"} | {name: row[name] or "" for name in wanted}


EXAMPLES = int(os.environ.get("HSMTRAIL_EXAMPLES", "20"))


@contextmanager
def stored(history):
    """A store that holds the history's records, for as long as a test looks at it."""
    cursor = scratch().cursor()
    cursor.execute("BEGIN TRANSACTION")
    try:
        fill(cursor, "events", list(rows(history)))
        yield cursor
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()


TOLD = """
SELECT event_at, setting, partition, value FROM settings_told
WHERE len(list_filter($momentary, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
ORDER BY event_at, record_id
"""


def at_step(number):
    return NOON + timedelta(seconds=number)


@pytest.mark.timeout(180 + EXAMPLES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
    derandomize="HSMTRAIL_EXAMPLES" not in os.environ,
)
@given(histories(), st.data())
def test_the_state_is_the_models_at_every_step(history, data):
    """The newest word on each setting, for every moment of the whole history; `observed` says the same where it is asked."""
    model, rebuilt = Model(), {}
    asked = {data.draw(st.integers(0, len(history) - 1)), len(history) - 1}
    with stored(history) as cursor:
        told = cursor.execute(TOLD, {"momentary": list(MOMENTARY)}).fetchall()
        for number, (command, effect, done) in enumerate(history):
            if done:
                effect(model)
            rebuilt |= {(setting, part): value for at, setting, part, value in told if at == at_step(number)}
            assert rebuilt == model.state, (number, command, [text for text, *_ in history])
            if number in asked:
                seen = {(one.setting, one.partition): one.value for one in observed(cursor, at_step(number))}
                assert seen == model.state


def test_a_model_names_nothing_that_only_passes():
    """What was done is no state: the rebuilt state leaves it out, so no command above may set it."""
    assert not set(MOMENTARY) & {"ipcheck", "ssh password", "audit mask", "firmware"}
