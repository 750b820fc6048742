"""Random histories of commands and of console output between them: the configuration rebuilt from their lines and files is
the one that a plain model has, at every step.

HSMTRAIL_EXAMPLES raises the number of histories (100 by default), HSMTRAIL_SEED chooses others.
"""

import hashlib
import os
import random
import re
from collections import defaultdict
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

import polars as pl
import pytest

from analytics.manners import scratch
from analytics.observations import ConsoleFile, observe
from analytics.state import MOMENTARY, observed
from hsmtrail import wiring
from parsers.console import read
from parsers.console_forms import forms
from store.narrow import Narrow
from support.bench import NOON
from support.rows import IDENTITY

UNKNOWN = None
PARTITIONS, CLIENTS, USERS = ["prod-tls", "a.b", "p1"], ["app-1", "app-10"], ["bob", "eve"]
HOSTS, ROLES = ["192.0.2.20", "192.0.2.2"], ["admin", "operator"]
POLICIES, SWITCH = ["7", "12", "15"], {"enable": "on", "disable": "off"}


WORDS = dict.fromkeys(("removed", "deleted", "revoked"), "gone")
WORDS |= dict.fromkeys(("added", "enabled", "registered", "created"), "here")
"""Values that say the same in other words."""


class Model:
    """What an HSM's configuration is, said as simply as can be: settings by name and partition.

    `named`: settings that commands name anywhere in the history.
    """

    def __init__(self, named=frozenset()):
        self.state = {}
        self.named = named

    def put(self, setting, value, partition=""):
        self.state[setting, partition] = value

    def each(self, pattern, value="removed", partition=None):
        """All settings that there ever were whose names are like this."""
        for setting, part in self.state:
            if re.fullmatch(pattern, setting) and partition in {None, part}:
                self.state[setting, part] = value

    def see(self, setting, value, partition=""):
        """On a console. What shows that it is as it was changes no word of it."""
        old = self.state.get((setting, partition), "(never)")
        if WORDS.get(old, old) != WORDS.get(value, value):
            self.put(setting, value, partition)

    def see_all(self, members, gone, shown):
        """A complete list: what it does not show is gone, with all that belonged to it."""
        for setting, part in list(self.state):
            if re.fullmatch(members, setting) and setting not in {name for name, *_ in shown}:
                self.see(setting, gone, part)
                own = re.escape(setting) + " .*"
                if part and setting == f"partition {part}":
                    own = f"partition {re.escape(part)} .*|client .* partition {re.escape(part)}|partition policy .*"
                for name, within in list(self.state):
                    if re.fullmatch(own, name) and ("policy" not in name or within == part):
                        self.see(name, "removed", within)

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


def commands(one):
    """One command as it is typed, and what it does to a model. `one`: chooses one of several."""
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


def consoles(one, some):
    """One command's output as text, and what it does to a model; one that is cut off shows no list whole."""
    command, rows, lists, shown = one(
        [by_ipcheck, by_policies, by_clients, by_client, by_users, by_targets, by_partitions]
    )(one, some)
    whole = one([True, True, True, False])
    text = "\n".join([f"[hsm1] lunash:>{command}", "", *rows, "", *["Command Result : 0 (Success)"] * whole, ""])

    def effect(model):
        named = shown(model) if callable(shown) else shown
        for members, gone, among in lists if whole else ():
            model.see_all(members, gone, named if among is None else among)
        for setting, value, partition in named:
            model.see(setting, value, partition)

    return text, effect


def by_ipcheck(one, _):
    value = one(["on", "off"])
    word = {"on": "Enable", "off": "Disable"}[value]
    return "ntls ipcheck show", [f"NTLS client source IP validation : {word}"], [], [("ipcheck", value, "")]


def by_policies(one, some):
    values = [(policy, one(["0", "1", "10"])) for policy in some(POLICIES)]
    rows = [
        f"Allow something   { {'0': 'Off', '1': 'On'}.get(value, value) }   {policy}   Yes" for policy, value in values
    ]
    return "hsm showPolicies", rows, [], [(f"hsm policy {policy}", value, "") for policy, value in values]


def by_clients(_, some):
    clients = some(CLIENTS)
    rows = [f"registered client {number}: {client}" for number, client in enumerate(clients, 1)]
    lists = [("client [^ ]+", "deleted", None)]
    return (
        "client list",
        rows or ["No clients are registered."],
        lists,
        [(f"client {c}", "registered", "") for c in clients],
    )


def by_client(one, some):
    client, partitions = one(CLIENTS), some(PARTITIONS)
    assigned = [(f"client {client} partition {name}", "assigned", name) for name in partitions]
    lists = [(f"client {client} partition .*", "removed", assigned)]
    rows = [f"ClientID:  {client}", "Partitions: " + (", ".join(f'"{name}"' for name in partitions) or "<none>")]
    return f"client show -c {client}", rows, lists, [(f"client {client}", "registered", ""), *assigned]


def by_users(one, some):
    rows, shown, lists = ["Users Roles Status RADIUS"], [], []
    for user in some(USERS):
        role, status = one([*ROLES, ""]), one(["enabled", "disabled"])
        roles = [(f"user {user} role {role}", "added", "")] * bool(role)
        rows.append(f"  {user}   {role}   {status}   no")
        shown += [(f"user {user}", status, ""), *roles]
        lists.append((f"user {user} role .*", "removed", roles))
    return "user list", rows, [("user [^ ]+", "deleted", None), *lists], shown


def by_targets(_, some):
    targets = some([(host, port) for host in HOSTS for port in ("514, udp", "1514, tcp")])

    def shown(model):
        """By the name that commands gave it, which may lack the usual port."""
        for host, port in targets:
            full, short = f"log target {host}:{port.replace(', ', '/')}", f"log target {host}"
            usual = port.startswith("514") and short in model.named
            yield from [(short, "added", "")] * usual
            yield from [(full, "added", "")] * (not usual or full in model.named)

    rows = ["Remote logging server(s):", "====", *(f"  {host}:{port}" for host, port in targets)]
    lists = [("log target [^ ]*[.:][^ ]*", "removed", None)]
    return "syslog remotehost list", rows, lists, lambda model: list(shown(model))


def by_partitions(_, some):
    partitions = some(PARTITIONS)
    rows = [f" 15782600{number}  {name}   0  102701  0  102701" for number, name in enumerate(partitions)]
    header = ["Storage (bytes)", "Partition   Name    Objects   Total   Used   Free"]
    lists = [("partition [^ ]+", "deleted", None)]
    return "partition list", [*header, *rows], lists, [(f"partition {name}", "created", name) for name in partitions]


def random_history(chance):
    """Commands in order; some are refused, and change nothing. Between them console output, of its own second or of the last command's."""
    history, second, one = [], -1, chance.choice
    some = lambda of: chance.sample(of, chance.randint(0, len(of)))  # noqa: E731
    for _ in range(chance.randint(5, 40)):
        if one([True, True, True, False]) or not history:
            second += 1
            history.append((second, *commands(one), one([True, True, True, False]), ""))
        else:
            second += one([0, 1]) or history[-1][-1] != ""
            text, effect = consoles(one, some)
            history.append((second, "console", effect, True, text))
    return history


def different_histories(count):
    """As many as are wanted, no two of which say the same."""
    chance, said = random.Random(SEED), {}
    while len(said) < count:
        history = random_history(chance)
        said[tuple((second, command, done, text) for second, command, _, done, text in history)] = history
    return list(said.values())


def lines(history):
    """As the appliance writes them, a second apart."""
    for second, command, _, done, text in history:
        if text:
            continue
        at = (NOON + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        code = "0" if done else "65535"
        yield f"<174>1 {at} hsm1 lunash 7 - - info : {code} : Command: {command}  : admin : 192.0.2.50/4000".encode()


@cache
def parser():
    return wiring.parser(None)


def records(several):
    """What the parser makes of all their lines, each history on a device of its own."""
    told = [(f"hsm{number}", raw) for number, history in enumerate(several) for raw in lines(history)]
    nothing, count = [""] * len(told), len(told)
    given = {"raw": pl.Series([raw for _, raw in told], dtype=pl.Binary), "trouble": nothing, "peer_identity": nothing}
    received = pl.Series([NOON] * count, dtype=pl.Datetime("us"))
    frame = parser().parse(pl.DataFrame({**given, "received_at": received, "peer": nothing}))
    said = {"record_id": range(1, count + 1), "batch": [1] * count, "peer_port": [514] * count, "received_at": received}
    identity = pl.DataFrame({name: said.get(name, nothing) for name in IDENTITY}, schema=IDENTITY)
    return pl.concat([identity, frame.with_columns(device=pl.Series([name for name, _ in told]))], how="horizontal")


@contextmanager
def stored(several):
    """A store that holds the histories, for as long as a test looks at it."""
    cursor = scratch().cursor()
    cursor.execute("BEGIN TRANSACTION")
    try:
        Narrow().insert(cursor, records(several))
        for number, history in enumerate(several):
            for second, _, _, _, text in history:
                if text:
                    observe(cursor, brought(f"hsm{number}", second, text), by="auditor", now=NOON)
        yield cursor
    finally:
        cursor.execute("ROLLBACK")
        cursor.close()


def brought(device, second, text):
    """A file of console output, as it is read; its forms know every line of it."""
    reading = read(text, forms())
    assert [one.why for one in reading.left_out if "not taken as gone" not in one.why] == []
    return ConsoleFile(
        device, "", at_step(second), "x.txt", hashlib.sha256(text.encode()).hexdigest(), len(text), reading
    )


TOLD = """
SELECT device, event_at, setting, partition, value FROM settings_told
WHERE len(list_filter($momentary, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
ORDER BY event_at, observation, record_id
"""
EXAMPLES = int(os.environ.get("HSMTRAIL_EXAMPLES", "100"))
SEED = int(os.environ.get("HSMTRAIL_SEED", "1"))
TOGETHER = 20
"""So many histories are one store, each a device of it: a question to the view takes as long for one."""


def at_step(number):
    return NOON + timedelta(seconds=number)


@pytest.mark.timeout(180 + EXAMPLES)
def test_the_state_is_the_models_at_every_step():
    """The newest word on each setting, for every moment of the whole history; `observed` says the same where it is asked."""
    several = different_histories(EXAMPLES)
    for first in range(0, EXAMPLES, TOGETHER):
        compare(several[first : first + TOGETHER], asked=first // TOGETHER % 40)


def compare(several, asked):
    """All of one store with their models."""
    with stored(several) as cursor:
        told = defaultdict(list)
        for device, *rest in cursor.execute(TOLD, {"momentary": list(MOMENTARY)}).fetchall():
            told[device].append(rest)
        then = defaultdict(dict)
        for one in observed(cursor, at_step(asked)):
            then[one.device][one.setting, one.partition] = one.value
        for number, history in enumerate(several):
            follow(history, told[f"hsm{number}"], asked, then[f"hsm{number}"])


def follow(history, told, asked, then):
    """One history, second by second; `then` is what `observed` says of the second that was asked for."""
    model, rebuilt, standing = Model(named_in(history)), {}, {}
    for number, (second, command, effect, done, _) in enumerate(history):
        if done:
            effect(model)
        if number + 1 < len(history) and history[number + 1][0] == second:
            continue
        rebuilt |= {(setting, part): value for at, setting, part, value in told if at == at_step(second)}
        assert rebuilt == model.state, (number, command, [text or typed for _, typed, _, _, text in history])
        if second <= asked:
            standing = dict(model.state)
    assert then == standing


def named_in(history):
    """Settings that commands name, whenever."""
    model = Model()
    for _, _, effect, done, text in history:
        if done and not text:
            effect(model)
    return {setting for setting, _ in model.state}


def test_a_model_names_nothing_that_only_passes():
    """What was done is no state: the rebuilt state leaves it out, so no command above may set it."""
    assert not set(MOMENTARY) & {"ipcheck", "ssh password", "audit mask", "firmware"}
