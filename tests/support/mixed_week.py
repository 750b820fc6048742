"""A week of lines of all families in all header forms, the same for the same seed.

The lines are written here on their own, not taken from the patterns: every family in the shares of an appliance with
full audit, and a few lines of a firmware that nobody knows yet.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from parsers.meaning import table
from support.raw_blocks import raw_block

MONDAY = datetime(2026, 11, 16)
WEEK = timedelta(days=7)
HOSTS = ("hsm-1", "hsm-2", "luna-a.example.net", "192.0.2.11", "2001:db8::11")
ADDRESSES = ("192.0.2.50", "192.0.2.101", "198.51.100.7", "203.0.113.77", "2001:db8::50")
ACCOUNTS = ("admin", "operator", "monitor", "audit", "bob")
CLIENTS = ("app-1", "app-tls-2.example.net", "192.0.2.101", "Unknown host name")
FACILITIES = {"kern": 0, "user": 1, "daemon": 3, "syslog": 5, "cron": 9, "authpriv": 10}
FACILITIES |= {f"local{number}": 16 + number for number in range(8)}
SEVERITIES = {"crit": 2, "err": 3, "warn": 4, "notice": 5, "info": 6}

# family: share, facility, severity, program (a blank before its bracket or not), messages with {slots}
FAMILIES = {
    "lunash": (60, "local5", "info", "lunash ", ["info : {code} : Command: {command}  : {account} : {origin}"] * 8 + [
        "info : 0 : Lush user login : {account} : {origin}",
        "info : 0 : Lush user logout : {account} : {origin}",
        "HSM Admin Login: incorrect password or PED key",
        "Backup Token Admin Login: incorrect password or PED key",
    ]),
    "ntls": (70, "local5", "info", "NTLS ", [
        "info : 0 : Incoming connection request... : {peer}",
        'info : 0 : NTLS Client "{client}" connected and authenticated : {peer}',
        'info : 0 : NTLS Client "{client}" Connection instance removed : {peer}',
        "Error message from SSLAccept is : error:14094418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca",
        "Error during SSL accept ( RC_SSL_ERROR )",
        "info : 0xc0000711 : Fail to establish a secure channel with client : {peer} : RC_SSL_FAILED_HANDSHAKE",
        "info : 0 : Starting up NTLS........",
        "info : 0 : luna_engine_load: SUCCESSFULLY  enabled for ALL ops",
    ]),
    "htl": (20, "local5", "info", "HTLD", [
        "info : 0 : Connection accepted from: {peer}",
        "info : 0 : Identify result from: {peer}, result: Success",
        "info : 0 : Handshake result from: {peer}, result: Success",
        "info : 0 : Starting connection processing",
        'info : 0 : HTLD Client "{address}" connected and authenticated : {peer}.',
        "info : 0 : One-time token validated successfully",
        "info : 0 : Reinitializing connection for: {peer}",
        "info : 0 : Listening for OTT expiry events",
        "info : 0 : Network Bus Command Processor configured with 50 worker threads",
    ]),
    "sshd": (60, "authpriv", "info", "sshd", [
        "Accepted password for {account} from {address} port {port} ssh2",
        "Accepted publickey for {account} from {address} port {port} ssh2: RSA SHA256:abc/def+{n}",
        "Failed password for {account} from {address} port {port} ssh2",
        "Failed password for invalid user oracle from {address} port {port} ssh2",
        "Invalid user oracle from {address}",
        "Received disconnect from {address}: 11: disconnected by user",
        "Received disconnect from {address} port {port}:11: disconnected by user",
        "Did not receive identification string from {address}",
        "Connection closed by {address} [preauth]",
        "Connection closed by authenticating user {account} {address} port {port} [preauth]",
        "Disconnecting: Too many authentication failures for {account} [preauth]",
        "Server listening on 0.0.0.0 port 22.",
        "Received signal 15; terminating.",
        "pam_unix(sshd[{n}]:session): session opened for user {account} by (uid=0)",
        "pam_unix(sshd:session): session opened for user {account}(uid=1001) by (uid=0)",
        "pam_unix(sshd[{n}]:session): session closed for user {account}",
        "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={address}  user={account}",
        "error: maximum authentication attempts exceeded for {account} from {address} port {port} ssh2 [preauth]",
    ]),
    "manual's sshd": (3, "authpriv", "info", "ssdh", ["Accepted password for {account} from {address} port {port} ssh2"]),
    "sysstat": (40, "user", "info", "sysstatd", [
        "------------ Luna System State Server - Started.",
        "Luna System State Server - OOS Errors: 15,100,60!",
        "Luna System State Server - InSrvTrb Errors: {n}!",
    ]),
    "uptime": (10, "syslog", "info", "logger", [
        "uptime: 04:02:01 up 6:50, 2 users, load average: 0.38, 0.14, 0.04",
        "uptime: 14:02:01 up 61 days, 3 min,  1 user,  load average: 0.38, 0.14, 0.04",
    ]),
    "lsta": (30, "local5", "info", "lsta", [
        "Starting Luna SNMP Trap Agent",
        "fanAttentionNotify for [{host}:{address} / messages / 2026 Nov 23 12:05:00 / ipmievd / 1]",
        "Error opening /usr/local/share/snmp/snmp.conf",
    ]),
    "oamp": (3, "local6", "crit", "oamp", [
        "CRIT: Fatal error 0x00300203",
        "info : 0 : HSM critical event detected.  Dual port dump generated : hsm_dump_20261122031513",
        "ERR: command timed out",
    ]),
    "ipmi": (10, "local4", "notice", "ipmievd", [
        "Fan sensor Fan3B . Lower Critical going low (Reading {n} < Threshold 2000 RPM)",
        "Temperature sensor CPU . Upper Critical going high (Reading 95 > Threshold 90 degrees C)",
        "Power supply 2 AC outage",
    ]),
    "alarm": (3, "kern", "info", "kernel", [
        "k7pf0: [HSM] ALM2006: HSM decommissioned by FW",
        "k7pf0: [HSM] ALM0013: High Temperature - {n}C",
        "k7pf1: [HSM] ALM0002: Soft tamper - temperature ({n}C)",
    ]),
    "kernel": (8, "kern", "info", "kernel", [
        "e1000e: eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx",
        "Linux version 3.10.0-957.el7.x86_64 (mockbuild@builder) #1 SMP",
        "blk_update_request: I/O error, dev sda, sector {n}",
    ]),
    "ntp": (20, "daemon", "info", "ntpd", [
        "synchronized to {address}, stratum 2",
        "time reset +0.{n} s",
        "kernel time sync status change 2001",
        "Listen normally on 3 eth0 {address} UDP 123",
        "ntpd exiting on signal 15",
    ]),
    "cbs": (25, "local5", "info", "cbs", ["info : 0 : Log file hsm_150718_{n}.log opened", "err : 0x80000D03 : Log is full"]),
    "services": (25, "daemon", "info", "systemd", [
        "Started Session {n} of user {account}.",
        "Started Luna callback service.",
        "Stopped OpenSSH server daemon.",
        "Reached target Multi-User System.",
    ]),
    "jobs": (20, "cron", "info", "crond", ["(root) CMD (/usr/lib64/sa/sa1 1 {n})", "(root) RELOAD (/var/spool/cron/root)"]),
    "rsyslog": (5, "syslog", "info", "rsyslogd", [
        '[origin software="rsyslogd" swVersion="8.24.0" x-pid="{n}" x-info="http://www.rsyslog.com"] start',
        "action 'action 3' suspended, next retry is Mon Nov 23 08:16:01 2026",
    ]),
    "sudo": (5, "authpriv", "info", "sudo", ["{account} : TTY=pts/0 ; PWD=/home ; USER=root ; COMMAND=/bin/ls {n}"]),
    "next firmware": (0.4, "local5", "info", "NTLS ", ["info : 0 : Quantum channel {n} agreed with {peer}"]),
}  # fmt: skip
RECORDS, CLOUD = 550, 30
"""Shares of audit records, and of records of the cloud's HSM."""

EVENTS = tuple(row["event"] for row in table("events") if row["event"].startswith("LUNA_"))
MESSAGES = tuple(row["event"] for row in table("events") if row["event"].startswith("MSG_"))
COMMANDS = tuple(row["command"] for row in table("commands"))
RESULTS = (
    *(("RC_OK", 0), ("LUNA_RET_OK", 0)) * 20,
    ("LUNA_RET_UM_PIN_INCORRECT", 0x00A00000),
    ("LUNA_RET_KEY_HANDLE_INVALID", 0x00600000),
    ("LUNA_RET_OF_TOMORROW", 0x80001234),
)
TAILS = (
    "",
    " container={n}",
    " container={n} roleID=5",
    " container={n} roleID=1 (using PIN (entry=LUNA_ENTRY_DATA_AREA))",
    " container={n} key={n} (using CKM_ECDSA)",
    " container={n} handle={n} OUID=2b00000fa1{n:08x}",
    " handle={n} label=a(b c) odd words",
)


@dataclass
class MixedWeek:
    """Lines in the order of time."""

    count: int
    seed: int = 7
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def lines(self):
        """Raw lines without framing, each with its family."""
        names = [*FAMILIES, "record", "cloud"]
        shares = [*(family[0] for family in FAMILIES.values()), RECORDS, CLOUD]
        for number, name in enumerate(self.chance.choices(names, shares, k=self.count)):
            at = MONDAY + WEEK * number / self.count
            yield name, self._line(name, number, at).encode()

    def _line(self, name: str, number: int, at: datetime) -> str:
        if name == "cloud":
            return self._cloud(at)
        if name == "record":
            record = self._record(number, at)
            bare = self.chance.random() < 0.2  # as in the HSM's own files
            return record if bare else self._head(at, "local3", "info", self.chance.choice(("cbs", "audit"))) + record
        _, facility, severity, program, messages = FAMILIES[name]
        return self._head(at, facility, severity, program) + self._filled(self.chance.choice(messages))

    def _head(self, at: datetime, facility: str, severity: str, program: str) -> str:
        chance, host = self.chance, self.chance.choice(HOSTS)
        pri = f"<{FACILITIES[facility] * 8 + SEVERITIES[severity]}>"
        pid = f"[{chance.randrange(300, 30000)}]" if chance.random() < 0.9 else ""
        tag = f"{program}{pid}:" if pid else f"{program.strip()}:"
        local = f"{at:%Y %b %d %H:%M:%S} {host}  {facility} {severity}  {tag} "
        forms = (
            f"{pri}{at:%b} {at.day:>2} {at:%H:%M:%S} {host} {tag} ",
            f"{pri}{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 {host} {tag} ",
            f"{pri}1 {at:%Y-%m-%dT%H:%M:%S.%f}Z {host} {program.strip()} {pid.strip('[]') or '-'} - - ",
            f'{pri}1 {at:%Y-%m-%dT%H:%M:%S}Z {host} {program.strip()} - ID7 [origin@32473 ip="{host}"] ',
            pri + local,
            local,
            f"{pri}{tag} ",
        )
        return chance.choices(forms, (40, 20, 15, 5, 10, 8, 2))[0]

    def _filled(self, message: str) -> str:
        chance = self.chance
        peer = f"{chance.choice(ADDRESSES)}/{chance.randrange(1024, 65536)}"
        return message.format(
            code=chance.choice(("0", "0", "0", "65535", "0xC000040A", "10485760")),
            command=chance.choice(COMMANDS) + chance.choice(("", " -force", " -partition p1", " -password Secret123")),
            account=chance.choice(ACCOUNTS),
            origin=chance.choice(("Console", peer)),
            peer=peer,
            client=chance.choice(CLIENTS),
            address=chance.choice(ADDRESSES),
            port=chance.randrange(1024, 65536),
            host=chance.choice(HOSTS),
            n=chance.randrange(1, 90000),
        )

    def _record(self, number: int, at: datetime) -> str:
        chance = self.chance
        session, minor = chance.randrange(1, 500), chance.randrange(300, 65000)
        name, code = chance.choice(RESULTS)
        start = f"{chance.choice(('S/N 150718 ', 'S/N 532018 ', ''))}session {session} Access 2147483651:{minor}"
        actor = chance.choice(("", "SO container ", "CO ", "CU "))
        tail = chance.choice(TAILS).format(n=chance.randrange(1, 999))
        text = f"{start} {actor}operation {chance.choice(EVENTS)} returned {name}(0x{code:08X}){tail}"
        text = chance.choices((text, chance.choice(MESSAGES), f"{start} payroll, run {number}"), (97, 2, 1))[0]
        stamp = f"{at:%Y %b %d %H:%M:%S}" if chance.random() < 0.05 else f"{at:%y/%m/%d %H:%M:%S}"
        proven_code = code if text.startswith(start) and "operation" in text else 0
        proof = f"{'29C5' * 16},{raw_block(number, at, proven_code, minor, session)}"
        forms = (
            f"{number},{stamp},{text}",
            f"{number},{stamp},{text},{proof}",
            f"{number:>10},{stamp},{text:<256},{proof}",
            f"hsm_150718_0000002a.log^{number},{stamp},{text}",
            f"^{number:>10},{stamp},{text:<256},{proof}",
        )
        return chance.choice(forms)

    def _cloud(self, at: datetime) -> str:
        chance = self.chance
        meta = {"clientip": chance.choice(ADDRESSES), "hsmid": "567782", "partid": "1334049524932", "role": "CO"}
        return json.dumps(
            {
                "time": f"{at:%Y-%m-%d %H:%M:%S.%f} UTC",
                "source": "thales/cloudhsm/1334049524932",
                "action": chance.choice(EVENTS),
                "status": chance.choice(RESULTS)[0],
                "meta": chance.choice((meta, json.dumps(meta))),
            }
        )
