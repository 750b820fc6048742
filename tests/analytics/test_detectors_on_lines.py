"""Detectors on the words that devices write: the lines go through the parser first, so that cases do not dream of columns."""

import pytest

from support.device_lines import found, line, record, shell

DESTROY = "CO operation LUNA_DESTROY_OBJECT returned RC_OK(0x00000000) container=20 handle=2001234"
FOUND = [
    ("LOGS-03", [shell("audit log verify -file hsm_150718_00000002.log", code="65535")],
     {"audit log of hsm1 hsm_150718_00000002.log": "critical"}),
    ("LOGS-03", [record(16, "operation LUNA_LOG_VERIFY returned LUNA_RET_LOG_BAD_RECORD_HMAC(0x80000D05)")],
     {"audit log of hsm1": "critical"}),
    ("LOGS-04", [shell("audit config -p event -v f,s,a", account="audit")], {"audit logging on hsm1": "critical"}),
    ("LOGS-04", [shell("audit secret export", account="audit")], {"audit logging on hsm1": "high"}),
    ("LOGS-04", [shell("audit log list", account="ops", code="65535")], {"audit logging on hsm1": "high"}),
    ("LOGS-05", [shell("audit log clear -force", account="audit")], {"logs on hsm1": "critical"}),
    ("LOGS-05", [shell("audit log tarlogs", account="audit", at="09:59:00"), shell("audit log clear -f", account="audit")],
     {"log off-load on hsm1": "info"}),
    ("LOGS-05", [shell("syslog cleanup -force")], {"logs on hsm1": "high"}),
    ("LOGS-06", [record(17, "CO operation LUNA_LOGIN returned LUNA_RET_LOG_FULL(0x80000D03) container=20")],
     {"audit log of hsm1": "critical"}),
    ("LOGS-06", [line("disk usage at 91 %", "cbs")], {"disk space of hsm1": "high"}),
    ("LOGS-07", [line("no servers reachable")], {"time servers of hsm1": "medium"}),
    ("LOGS-07", [line("time reset -2.523112 s")], {"clock set back on hsm1": "high"}),
    ("LOGS-07", [record(5, "operation LUNA_LOGIN returned RC_OK(0x00000000)", "11:10:00"),
                 record(6, "operation LUNA_LOGIN returned RC_OK(0x00000000)", "11:05:00")],
     {"clock set back on hsm1": "high"}),
    ("KEYS-01", [record(10, DESTROY)], {"keys destroyed on hsm1 partition 20": "medium"}),
    ("KEYS-01", [record(10, DESTROY.replace("OBJECT", "MULTIPLE_OBJECTS"))],
     {"keys destroyed on hsm1 partition 20": "critical"}),
    ("KEYS-03", [record(12, "CO operation LUNA_WRAP_KEY returned LUNA_RET_KEY_NOT_WRAPPABLE(0x00690000) container=20")],
     {"keys leave hsm1 partition 20": "medium"}),
    ("KEYS-03", [record(12, "CO operation LUNA_EXTRACT returned RC_OK(0x00000000) container=20")],
     {"keys leave hsm1 partition 20": "high"}),
    ("KEYS-03", [record(13, "CO operation LUNA_CLONE_AS_SOURCE returned RC_OK(0x00000000) container=20 target=999999")],
     {"keys leave hsm1 partition 20": "high"}),
    ("KEYS-03", [shell("partition backup -partition p1 -serial 999999 -password x")],
     {"keys leave hsm1 partition p1": "high"}),
    ("KEYS-04", [record(18, "CO operation LUNA_MODIFY_OBJECT returned RC_OK(0x00000000) container=20 handle=51")],
     {"key attributes on hsm1 partition 20": "low"}),
    ("CONF-02", [shell("ntls ipcheck disable")], {"address check of NTLS on hsm1": "high"}),
    ("CONF-04", [shell("sysconf ssh password enable")], {"remote access and crypto of hsm1": "high"}),
    ("CONF-04", [shell("sysconf forceSoLogin disable")], {"remote access and crypto of hsm1": "high"}),
    ("CONF-04", [shell("sysconf regenCert")], {"remote access and crypto of hsm1": "high"}),
    ("CONF-04", [shell("my public-key add new.pub")], {"remote access and crypto of hsm1": "high"}),
    ("CONF-05", [shell("hsm firmware rollback -force")], {"software of hsm1": "critical"}),
    ("CONF-05", [record(19, "SO container operation LUNA_FW_UPGRADE_FINAL returned RC_OK(0x00000000)")],
     {"software of hsm1": "high"}),
    ("CONF-05", [shell("package verify x.spkg -authcode A")], {"package verified on hsm1": "info"}),
    ("CONF-06", [shell("network interface static -device eth0 -ip 192.0.2.3 -netmask 255.255.255.0")],
     {"network of hsm1": "high"}),
    ("CONF-06", [shell("sysconf ssh device eth1")], {"network of hsm1": "high"}),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "lines", "subjects"), FOUND)
def test_what_a_device_writes_is_found(identifier, lines, subjects):
    """As it stands in the manual, or as near to it as anybody knows."""
    assert found(identifier, lines) == subjects


QUIET = [
    ("LOGS-03", [shell("audit log verify -file hsm_150718_00000002.log", account="audit")]),
    ("LOGS-04", [shell("audit config -parameter event -value all", account="audit")]),
    ("LOGS-04", [shell("audit config -parameter rotation -value daily@00:10", account="audit")]),
    ("LOGS-05", [shell("my file clear -force"), shell("syslog rotate")]),
    ("LOGS-06", [record(17, "CO operation LUNA_LOGIN returned RC_OK(0x00000000) container=20")]),
    ("LOGS-07", [line("synchronized to 192.0.2.123, stratum 2"), line("time reset +0.523112 s")]),
    ("KEYS-01", [record(10, DESTROY.replace("RC_OK(0x00000000)", "LUNA_RET_OBJECT_HANDLE_INVALID(0x00820000)"))]),
    ("KEYS-03", [
        shell("partition backup -partition p1 -serial 700301 -password x"),
        record(13, "CO operation LUNA_CLONE_AS_SOURCE returned RC_OK(0x00000000) container=20", "10:02:00"),
    ]),
    ("KEYS-03", [
        record(13, "CO operation LUNA_REPLICATE_AS_SOURCE returned RC_OK(0x00000000) container=20"),
        record(7, "CO operation LUNA_REPLICATE_AS_TARGET returned RC_OK(0x00000000) container=3", "10:00:02", "hsm2", "150719"),
    ]),
    ("KEYS-03", [record(13, "CO operation LUNA_CLONE_AS_SOURCE returned RC_OK(0x00000000) container=20 target=700301")]),
    ("CONF-02", [shell("ntls ipcheck enable"), shell("ntls ipcheck show", at="11:00:00")]),
    ("CONF-04", [shell("ntls threads set -datapath 12"), shell("hsm changePolicy -policy 15 -value 1")]),
    ("CONF-05", [shell("package list"), shell("hsm firmware upgrade", code="65535")]),
    ("CONF-06", [shell("client hostip map app-1 192.0.2.101"), shell("hsm ped set -ip 192.0.2.77 -port 1503")]),
]  # fmt: skip


@pytest.mark.parametrize(("identifier", "lines"), QUIET)
def test_what_is_everyday_is_not(identifier, lines):
    """The neighbours of the lines above."""
    assert found(identifier, lines) == {}
