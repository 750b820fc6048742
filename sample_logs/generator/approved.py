"""Changes with a ticket: the set-up of Monday, a new client, a firmware update."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from generator.appliances import AUDIT_HOST, COLLECTOR, JUMP_HOST
from generator.recorder import Recorder, Shell, moment

if TYPE_CHECKING:
    from datetime import datetime

SET_UP = {"hsm-ams-1": "08:05", "hsm-ams-2": "08:50", "hsm-fra-1": "09:30"}
REBOOT = moment(2, "19:31:10")
REBOOT_TAKES = timedelta(minutes=4, seconds=20)
FIRMWARE_PACKAGE = "lunasa_update-7.7.1-140.spkg"


def set_up(recorder: Recorder) -> None:
    """Monday morning: what the baseline approves at noon."""
    appliance = recorder.appliance
    shell = Shell(recorder, moment(0, SET_UP[appliance.name]), "opsadmin", JUMP_HOST)
    with_secret = "hsm login -password placeholder-not-a-secret"  # noqa: S105  (hsmtrail masks it)
    shell.so_login(with_secret if appliance.name == "hsm-fra-1" else "hsm login")
    for policy, value in ((16, 0), (21, 1)):
        recorder.so_act(shell.run(f"hsm changePolicy -policy {policy} -value {value}"), "LUNA_SET_HSM_POLICY")
    for target in appliance.log_targets:
        shell.run(f"syslog remotehost add -host {target} -protocol {appliance.transport} -port 514")
    for server in appliance.ntp_servers:
        shell.run(f"sysconf ntp addServer {server}")
    for command in ("sysconf ntp enable", "sysconf snmp enable", "ntls ipcheck enable"):
        shell.run(command)
    shell.run("hsm logout")
    shell.close()
    _audit_set_up(recorder, shell.now + timedelta(minutes=4))


def _audit_set_up(recorder: Recorder, at: datetime) -> None:
    shell = Shell(recorder, at, "audit", AUDIT_HOST)
    recorder.audit(shell.now + recorder.pause(1, 2), "LUNA_LOGIN", 2, role=8, entry="LUNA_ENTRY_DATA_AREA")
    shell.run("audit login", wait=(2, 4))
    at = shell.run("audit config -parameter event -value f,s,a,m,k,r,g")
    recorder.auditor_act(at, "LUNA_LOG_SET_CONFIG")
    recorder.auditor_act(shell.run("audit config -parameter rotation -value daily@00:05"), "LUNA_LOG_SET_CONFIG")
    shell.run(f"audit remotehost add -host {COLLECTOR} -protocol {recorder.appliance.transport} -port 514")
    recorder.auditor_act(shell.run("audit logout"), "LUNA_LOGOUT")
    shell.close()


def new_client(recorder: Recorder) -> None:
    """Tuesday: the batch application gets its registration and its partition, on hsm-ams-1 only."""
    shell = Shell(recorder, moment(1, "13:40"), "opsadmin", JUMP_HOST)
    shell.run("client register -client app-batch-1 -hostname app-batch-1")
    shell.run("client hostip map -client app-batch-1 -ip 192.0.2.105")
    shell.run("client assignPartition -client app-batch-1 -partition prod-batch")
    shell.run("client show -client app-batch-1")
    shell.close()


def firmware_update(recorder: Recorder) -> None:
    """Wednesday evening on the test device: package, firmware, reboot; new firmware prints roles and proofs."""
    shell = Shell(recorder, moment(2, "19:08"), "opsadmin", JUMP_HOST)
    shell.run(f"package verify {FIRMWARE_PACKAGE}", wait=(60, 90))
    shell.run(f"package update {FIRMWARE_PACKAGE}", wait=(120, 200))
    shell.so_login()
    at = shell.run("hsm firmware upgrade", wait=(200, 240))
    for number, event in enumerate(("LUNA_FW_UPGRADE_INIT", "LUNA_FW_UPGRADE_UPDATE", "LUNA_FW_UPGRADE_FINAL")):
        recorder.so_act(at - timedelta(seconds=90 - 40 * number), event)
    shell.run("hsm show", wait=(30, 40))
    shell.now = REBOOT - timedelta(seconds=30)
    shell.run("sysconf appliance reboot", wait=(29.5, 30))
    recorder.system(REBOOT, "sysstatd", "------------ Luna System State Server - Stopped.", facility="user")
    recorder.sshd(REBOOT + timedelta(seconds=2), 1133, "Received signal 15; terminating.")
    _boot(recorder, REBOOT + REBOOT_TAKES)


def _boot(recorder: Recorder, at: datetime) -> None:
    recorder.restarted_at = recorder.upgraded_at = at
    recorder.system(
        at, "kernel", "k7pf0: [HSM] ALM2014: Auto-activation data invalid - HSM deactivated", facility="kern"
    )
    recorder.sshd(at + timedelta(seconds=3), 1102, "Server listening on 0.0.0.0 port 22.")
    started = "------------ Luna System State Server - Started."
    recorder.system(at + timedelta(seconds=5), "sysstatd", started, facility="user")
    at += timedelta(seconds=8)
    for text in ("Starting up NTLS........", "luna_engine_preload: SUCCESSFULLY  loaded"):
        recorder.ntls(at, f"info : 0 : {text}")
        at += recorder.pause(0.2, 0.8)
    recorder.ntls(at, "info : 0 : luna_engine_load: SUCCESSFULLY  enabled for ALL ops")
