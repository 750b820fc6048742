"""Accounts, roles, hardware and clients, on the words that devices write."""

import pytest

from support.device_lines import found, line, record, shell

ROSTER = {"accounts": "name | roles\nops | admin, so\naudit | audit, au\nmonitor | monitor"}
PLACES = {
    "ranges": "name | cidr | use\njump hosts | 192.0.2.48/28 | admin\napplications | 192.0.2.96/27 | client",
    "clients": "name | addresses\napp-1 | 192.0.2.101",
}
CLIENT = 'info : 0 : NTLS Client "{}" connected and authenticated : {}/40847'
REFUSED = "info : 0xc0000711 : Fail to establish a secure channel with client : {}/59415 : RC_SSL_FAILED_HANDSHAKE"
OK = "returned RC_OK(0x00000000)"


def lush(account, source, at="10:00:00"):
    return line(f"info : 0 : Lush user login : {account} : {source}", "lunash", at)


def ssh(account, source, at="10:00:00", said="Accepted password"):
    return line(f"{said} for {account} from {source} port 51286 ssh2", "sshd", at)


def knocks(text, source, times, hour="10"):
    return [line(text.format(source), "NTLS", f"{hour}:0{number}:00") for number in range(times)]


FOUND = [
    ("AUTH-04", [ssh("stranger", "192.0.2.50"), lush("stranger", "192.0.2.50/51286", "10:00:01")], {"stranger on hsm1": "high"}),
    ("AUTH-04", [lush("admin", "192.0.2.50/4000")], {"admin on hsm1": "high"}),
    ("AUTH-05", [lush("ops", "Console"), shell("hsm show").replace("192.0.2.50/4000", "Console")], {"console of hsm1": "critical"}),
    ("AUTH-05", [line("LOGIN ON ttyS0 BY recover", "login")], {"console of hsm1": "critical"}),
    ("AUTH-05", [line("FAILED LOGIN 1 FROM ttyS0 FOR recover, Authentication failure", "login")], {"console of hsm1": "critical"}),
    ("AUTH-06", [lush("monitor", "198.51.100.9/4084")], {"monitor over the network on hsm1": "high"}),
    ("AUTH-06", [shell("hsm changePolicy -policy 15 -value 1", account="monitor").replace("192.0.2.50/4000", "Console")],
     {"monitor more than a reader on hsm1": "high"}),
    ("AUTH-07", [ssh("ops", "203.0.113.7")], {"undeclared network of ops from 203.0.113.7 on hsm1": "high"}),
    ("AUTH-08", [shell("user add -username bob"), shell("user role add bob admin", at="10:00:30"),
                 line("new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash", "useradd")],
     {"account bob on hsm1": "high"}),
    ("AUTH-08", [shell("user disable eve")], {"account eve on hsm1": "medium"}),
    ("AUTH-09", [shell("hsm login -password x"), shell("audit login -password x", at="10:20:00")], {"roles of ops on hsm1": "high"}),
    ("AUTH-09", [ssh("ops", "192.0.2.50"), ssh("ops", "192.0.2.51", "10:10:00")], {"shared account ops on hsm1": "medium"}),
    ("PRIV-02", [shell("partition delete -partition p1 -force"), record(9, f"SO container operation LUNA_DELETE_CONTAINER {OK} container=20")],
     {"partition_delete on hsm1": "critical"}),
    ("PRIV-02", [record(9, f"operation LUNA_PARTITION_INIT {OK} container=20")], {"partition_init on hsm1": "medium"}),
    ("PRIV-04", [shell("role resetpw -name co -partition p1")], {"role credentials on hsm1": "high"}),
    ("PRIV-04", [record(9, f"SO container operation LUNA_INIT_PIN {OK} container=20"),
                 record(10, f"operation LUNA_WRAP_KEY {OK} container=20", "11:00:00")],
     {"role credentials on hsm1": "critical"}),
    ("PRIV-05", [shell("sysconf appliance reboot -force"), line("Received signal 15; terminating.", "sshd", "10:00:04"),
                 line("Linux version 3.10.0-957.el7.x86_64", "kernel", "10:25:00")],
     {"reboot on hsm1": "critical"}),
    ("PRIV-05", [shell("service stop syslog")], {"service_stop on hsm1": "medium"}),
    ("HARD-01", [line("k7pf0: [HSM] ALM2006: HSM decommissioned by FW", "kernel")], {"decommission on hsm1": "critical"}),
    ("HARD-01", [line("k7pf0: [HSM] ALM0015: PCIe Link Failure", "kernel"), line("k7pf0: [HSM] ALM1001: HSM restart required", "kernel")],
     {"tamper on hsm1": "critical", "restart required on hsm1": "critical"}),
    ("HARD-01", [shell("hsm stm transport")], {"transport mode on hsm1": "critical"}),
    ("HARD-02", [line("Power supply 1 AC outage", "ipmievd"), line("Power supply 1 AC restored", "ipmievd", "10:20:00")],
     {"power supply 1 on hsm1": "info"}),
    ("HARD-02", [line("Fan sensor Fan3B . Lower Critical going low (Reading 0 < Threshold 2000 RPM)", "ipmievd")], {"fan Fan3B on hsm1": "high"}),
    ("HARD-02", [line("k7pf0: [HSM] ALM0013: High Temperature - 75C", "kernel")], {"temperature of the HSM on hsm1": "high"}),
    ("HARD-02", [line("Device: /dev/sda [SAT], FAILED SMART self-check. BACK UP DATA NOW!", "smartd")], {"disk /dev/sda on hsm1": "high"}),
    ("HARD-03", [line("CRIT: Fatal error 0x00300203", "oamp")], {"fault on hsm1": "high"}),
    ("HARD-03", [line("Luna System State Server - OOS Errors: 15,100,60!", "sysstatd")], {"fault on hsm1": "high"}),
    ("HARD-03", [shell("hsm show", at="00:30:00"), line("uptime: 04:02:01 up 2:30, 2 users, load average: 0.38, 0.14, 0.04", "logger", "04:02:01")],
     {"restart that nobody asked for on hsm1": "high"}),
    ("NTLS-01", [line(CLIENT.format("stranger", "192.0.2.102"), "NTLS")], {"unknown client at 192.0.2.102 on hsm1": "high"}),
    ("NTLS-01", [line(CLIENT.format("app-1", "192.0.2.103"), "NTLS")], {"new address at 192.0.2.103 on hsm1": "high"}),
    ("NTLS-01", knocks("info : 0 : Incoming connection request... : {}/59415", "203.0.113.9", 3), {"knocking at 203.0.113.9 on hsm1": "high"}),
    ("NTLS-02", knocks(REFUSED, "192.0.2.101", 5), {"192.0.2.101 fails on hsm1": "medium"}),
    ("NTLS-03", [shell("client register -client app-9 -ip 192.0.2.109"), shell("client assignPartition -client app-9 -partition p1")],
     {"clients of hsm1": "high"}),
    ("COMP-01", [shell("syslog remotehost delete -host 192.0.2.20"), shell("user add bob", at="11:00:00")], {"cover-up by ops on hsm1": "critical"}),
    ("COMP-02", [*(ssh(name, "203.0.113.7", said="Failed password") for name in ("root", "admin", "ops")), ssh("ops", "203.0.113.7", "10:05:00"),
                 shell("user add bob", at="10:10:00"), record(11, f"operation LUNA_WRAP_KEY {OK} container=20", "11:00:00")],
     {"takeover by ops on hsm1": "critical"}),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "lines", "subjects"), FOUND)
def test_what_a_device_writes_is_found(identifier, lines, subjects):
    """With a roster, networks and clients that are declared."""
    assert found(identifier, lines, **ROSTER, **PLACES) == subjects


QUIET = [
    ("AUTH-04", [ssh("ops", "192.0.2.50"), lush("monitor", "Console"), ssh("root", "203.0.113.7", said="Failed password")]),
    ("AUTH-05", [lush("monitor", "Console"), lush("ops", "192.0.2.50/4000"), line("(to root) ops on pts/0", "su")]),
    ("AUTH-06", [lush("monitor", "Console"), shell("status sensors", account="monitor").replace("192.0.2.50/4000", "Console")]),
    ("AUTH-07", [ssh("ops", "192.0.2.50"), lush("ops", "192.0.2.50/51286")]),
    ("AUTH-08", [shell("my password set"), line("pam_unix(passwd:chauthtok): password changed for ops", "passwd"), shell("user list")]),
    ("AUTH-09", [shell("hsm login -password x"), shell("audit login -password x", account="audit")]),
    ("PRIV-02", [shell("partition show"), shell("partition create -partition p1", code="65535")]),
    ("PRIV-04", [record(9, f"operation LUNA_WRAP_KEY {OK} container=20"), shell("user password bob")]),
    ("PRIV-05", [shell("audit log tarlogs", at="09:58:00"), shell("audit log clear -force", at="09:59:00"), shell("service restart cbs")]),
    ("HARD-01", [shell("hsm tamper show"), line("k7pf0: [HSM] ALM2014: Auto-activation data invalid - HSM deactivated", "kernel")]),
    ("HARD-02", [line("Device: /dev/sda [SAT], SMART Usage Attribute: 194 Temperature_Celsius changed from 112 to 110", "smartd")]),
    ("HARD-03", [shell("sysconf appliance reboot -force"), line("Linux version 3.10.0-957.el7.x86_64", "kernel", "10:05:00")]),
    ("HARD-03", [line("uptime: 04:02:01 up 12 days, 3:04, 2 users, load average: 0.38, 0.14, 0.04", "logger")]),
    ("NTLS-01", [line(CLIENT.format("app-1", "192.0.2.101"), "NTLS"), *knocks(REFUSED, "203.0.113.9", 2)]),
    ("NTLS-02", knocks(REFUSED, "192.0.2.101", 4)),
    ("NTLS-03", [shell("client show -client app-1"), shell("client register -client app-9 -ip 192.0.2.109", code="0xC000040A")]),
    ("COMP-01", [shell("audit log tarlogs", at="09:58:00"), shell("audit log clear -force"), shell("user add bob", at="11:00:00")]),
    ("COMP-02", [ssh("ops", "192.0.2.50", said="Failed password"), ssh("ops", "192.0.2.50"), shell("user add bob", at="10:10:00"),
                 record(11, f"operation LUNA_WRAP_KEY {OK} container=20", "11:00:00")]),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "lines"), QUIET)
def test_what_is_everyday_is_not(identifier, lines):
    """The neighbours of the lines above."""
    assert found(identifier, lines, **ROSTER, **PLACES) == {}
