"""Commands of the Luna shell: shortcuts, options, settings and secrets."""

from __future__ import annotations

import pytest

from parsers.commands import judge
from parsers.meaning import class_of, classes, table
from parsers.shell import MOST_SEVERE, read


@pytest.mark.parametrize(
    ("text", "name", "operation"),
    [
        ("hsm show", "hsm show", "show"),
        ("HSM Show", "hsm show", "show"),
        ("hsm changePolicy -policy 12 -value 0", "hsm changepolicy", "policy_set"),
        ("hsm changep -policy 12 -value 0", "hsm changepolicy", "policy_set"),
        ("hsm changep -old x -new y", "hsm changepw", "role_secret_set"),
        ("syslog t -l messages -e 200000 -search ALM", "syslog tail", "show"),
        ("service restart cbs", "service restart", "service_restart"),
        ("sysconf config factoryReset -service all", "sysconf config factoryreset", "config_clear"),
        ("audit log clear -force", "audit log clear", "log_clear"),
        ("frobnicate the -hsm", "frobnicate the", "other"),
        ("", "", "other"),
    ],
)
def test_names(text, name, operation):
    """Shortcuts become the command's own words; options and arguments are not part of them."""
    typed = read(text)
    assert (typed.name, typed.operation, typed.ambiguous) == (name, operation, False)


@pytest.mark.parametrize(
    ("text", "command_class"),
    [("hsm log", "session"), ("hsm change", "privileged"), ("sys", "other"), ("h s", "privileged")],
)
def test_ambiguous_shortcuts(text, command_class):
    """What more than one command could mean stays as typed, in the class of the worst of them."""
    judged = judge(text, 0)
    assert judged.columns["command"] == text
    assert judged.columns["command_class"] == command_class
    assert judged.trouble == (("ambiguous",) if command_class != "other" else ())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hsm changePolicy -policy 12 -value 0", ("hsm policy 12", "0")),
        ("hsm changePolicy", (None, None)),
        ("partition changePolicy -partition p1 -po 20 -v 10", ("partition policy 20", "10")),
        ("ntls ipcheck disable", ("ipcheck", "off")),
        ("ntls ipcheck enable", ("ipcheck", "on")),
        ("syslog remotehost add -host 192.0.2.20 -protocol UDP -port 514", ("log target 192.0.2.20:514/udp", "added")),
        ("syslog remotehost delete 192.0.2.20", ("log target 192.0.2.20", "removed")),
        ("syslog remotehost clear -force", ("log target *", "removed")),
        ("syslog remotehost add", (None, None)),
        ("audit remotehost add -host 192.0.2.20", ("audit log target 192.0.2.20", "added")),
        ("audit config -parameter event -value all,success", ("audit mask", "all,success")),
        ("audit config -p r -v daily@00:10", ("audit rotation", "daily@00:10")),
        ("audit config -parameter odd -value 1", ("audit odd", "1")),
        ("audit config", (None, None)),
        ("sysconf ntp addserver 192.0.2.123", ("ntp server 192.0.2.123", "added")),
        ("sysconf ssh port 2222", ("ssh port", "2222")),
        ("user add bob", ("user bob", "added")),
        ("user disable -username bob", ("user bob", "disabled")),
        ("user role add -username bob -role admin", ("user bob roles", "added admin")),
        ("client register -client app-1 -ip 192.0.2.101", ("client app-1", "registered")),
        ("client assignPartition -client app-1 -partition p1", ("client app-1 partition p1", "assigned")),
        ("client revokePartition -client app-1 -partition p1", ("client app-1 partition p1", "revoked")),
        ("hsm firmware upgrade", ("firmware", "updated")),
        ("package update lunasa-7.9.spkg", ("package lunasa-7.9.spkg", "updated")),
        ("hsm show", (None, None)),
    ],
)
def test_settings(text, wanted):
    """A command that changes something says which setting, and what it is now."""
    columns = judge(text, 0).columns
    assert (columns["setting"], columns["value"]) == wanted


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("hsm login", "so"),
        ("hsm logout", "so"),
        ("hsm changePw", "so"),
        ("audit login", "au"),
        ("role login -name co", "co"),
        ('role login -name "Crypto Officer"', "co"),
        ("role login", ""),
        ("partition activate -partition p1", "co"),
        ("partition activate -partition p1 -cu", "cu"),
        ("token backup login", ""),
        ("hsm show", ""),
    ],
)
def test_roles(text, role):
    """The role that a command is about, where the line says it."""
    assert judge(text, 0).columns["role"] == role


@pytest.mark.parametrize(
    ("text", "code", "outcome", "strike"),
    [
        ("hsm login", 0, "ok", False),
        ("hsm login", 0x00A00000, "failed", True),
        ("hsm login", 65535, "failed", False),
        ("hsm login", None, "", False),
        ("hsm show", 0x00A00000, "failed", True),
        ("hsm show", 65535, "failed", None),
        ("token backup login", 0x00A00000, "failed", False),
    ],
)
def test_outcomes(text, code, outcome, strike):
    """The code says how it ended, and whether a wrong secret was counted; a backup token's counter is not the HSM's."""
    columns = judge(text, code).columns
    assert (columns["outcome"], columns["strike"]) == (outcome, strike)


def test_client_and_partition():
    """Client and partition have columns of their own."""
    columns = judge("client assignPartition app-1 -partition p1", 0).columns
    assert (columns["client"], columns["partition"]) == ("app-1", "p1")


def test_options_and_arguments():
    """Options have their full names, flags are true, and what stands alone is an argument."""
    judged = judge('client register -c app-1 -ip 192.0.2.101 -f "last one"', 0)
    assert judged.details == {
        "options": {"client": "app-1", "ip": "192.0.2.101", "force": True},
        "arguments": ["last one"],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hsm login -password hunter2", "hsm login -password ***"),
        ("hsm login -password=hunter2", "hsm login -password=***"),
        ("hsm login -PASSWORD hunter2 -force", "hsm login -PASSWORD *** -force"),
        ("hsm login -password = hunter2", "hsm login -password = ***"),
        ("hsm login -password= hunter2", "hsm login -password= ***"),
        ("hsm login -password:hunter2", "hsm login -password:***"),
        ("hsm login --pw hunter2", "hsm login --pw ***"),
        ("hsm login \u2013password hunter2", "hsm login \u2013password ***"),
        ('hsm login -password "two words" -force', "hsm login -password *** -force"),
        ("hsm login -password 'never closed", "hsm login -password ***"),
        ('hsm login -password"attached"', "hsm login -password***"),
        ("hsm login -password -s3cret", "hsm login -password ***"),
        ("hsm login -password -force", "hsm login -password -force"),
        ("hsm login password=hunter2", "hsm login password=***"),
        ("hsm init -label x -dom y", "hsm init -label x -dom ***"),
        ("hsm login -p hunter2", "hsm login -p ***"),
        ("hsm changepolicy -p 12 -v 0", "hsm changepolicy -p 12 -v 0"),
        ("role login -n co -p x", "role login -n co -p ***"),
        ("role login -n co -chall x", "role login -n co -chall ***"),
        ("frobnicate -p x -o y -z z", "frobnicate -p *** -o *** -z z"),
        ("frobnicate -myPwd x -userpin y", "frobnicate -myPwd *** -userpin ***"),
        ("hsm changePw -oldpw a -newpw b", "hsm changePw -oldpw *** -newpw ***"),
        ("sysconf radius addserver -secret s", "sysconf radius addserver -secret ***"),
        ("client assignPartition -pa p1", "client assignPartition -pa p1"),
        ("hsm  login   -pin\t1234 ", "hsm  login   -pin\t*** "),
    ],
)
def test_secrets_are_masked(text, shown):
    """The value of an option that holds a secret, or may, is hidden; everything else stands as typed."""
    assert read(text).masked == shown


def test_every_command_has_a_class():
    """The tables agree with one another."""
    assert {row["operation"] for row in table("commands")} <= classes().keys()
    assert {row["operation"] for row in table("events")} <= classes().keys()
    assert {row["operation"] for row in table("alarms")} <= classes().keys()
    assert set(MOST_SEVERE) == {*classes().values()}
    assert class_of("no such operation") == ""
