"""`hsmtrail init`: a configuration in which every key is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsmtrail.failures import Misuse

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# hsmtrail: configuration. Every key, with its default; docs/reference/configuration.md says more.
# `hsmtrail check` names every mistake in this file at once.

data_dir = "data"                       # spool/, store.duckdb and packs/ lie below it; relative to this file.
                                        # On a server: "/var/lib/hsmtrail"
# detector_folders = ["detectors"]      # the site's own, on top of those that come along
# pattern_folders = ["patterns"]

# Sockets. Ports below 1024 need a right to bind them: see docs/operating.md.
[[listener]]
name = "udp"
protocol = "udp"
address = "0.0.0.0:5514"                # "[::]:5514" for IPv6; port 0 takes a free one
# allow = ["192.0.2.0/24"]              # who may send; without it everybody
# max_message = 65536                   # bytes; longer messages are kept up to here and marked
# receive_buffer = 134217728            # bytes; as much as the kernel permits
# workers = 1                           # sockets that share the port
# crowded_rate = 1000                   # datagrams a second from each sender while the buffer is nearly full

[[listener]]
name = "tcp"
protocol = "tcp"
address = "0.0.0.0:5514"
# framing = "auto"                      # or "lf", "nul", "octet-counted"
# max_connections = 4096
# max_connections_per_peer = 2048
# max_unfinished = 67108864             # bytes of messages that are not whole yet, of all connections
# turn_bytes = 1048576                  # what one sender may bring in a turn while others wait
# idle_after = "1h"

# Syslog over TLS (RFC 5425): docs/operating.md says how to make the certificates.
# [[listener]]
# name = "tls"
# protocol = "tls"
# address = "0.0.0.0:6514"
# certificate = "tls/collector.pem"     # PEM files, relative to this file; read again when they change
# key = "tls/collector.key"
# client_ca = "tls/senders-ca.pem"      # who signs the senders' certificates; then each must show one
# revocation_list = "tls/senders.crl"
# minimum_version = "1.2"               # or "1.3"
# handshake_within = "10s"

# [receiver]
# user = "hsmtrail"                     # started as root, whom to become once the ports are bound
# group = ""                            # "" is the user's own
# drain_for = "2s"                      # what a stop waits at most for lines on their way
# pending_bytes = 12582912              # what may wait for the disk before senders are slowed

# HSMs: one table each.
# [[device]]
# name = "hsm-1"
# hosts = ["hsm-1", "192.0.2.11"]       # names in syslog headers, addresses it sends from
# serials = ["532018"]                  # of its HSMs, as audit records print them
# certificates = ["CN=hsm-1,O=Example"] # or a common name, or "sha256:…": of its client certificates
# time_zone = "UTC"                     # of stamps without a zone
# profile = "production"                # or "test", "new", "decommissioning"
# partner = "hsm-2"                     # the other member of its pair
# behind_nva = false
# microsoft_monitor = true
# expects = ["lunash", "hsm_audit", "ntls", "sshd"]
# since = "2026-01-31"
# firmware_minimum = "7.7.1"
# backup_serials = ["700301"]           # backup HSMs that may receive its keys
# working_hours = "mon-fri 07:00-19:00" # in its zone; sessions of administrators at other hours are told
# holidays = ["2026-12-25"]

# What no log says. What is left out is not measured: `hsmtrail detectors list` shows it.
# [[account]]                           # the roster; any other account that logs in is a finding
# name = "opsadmin"
# devices = []                          # none named: everywhere
# roles = ["admin", "so"]               # or "operator", "monitor", "audit", "po", "co", "lco", "cu", "au"
# owner = "HSM operations"
# until = "2027-06-30"

# [[range]]
# name = "jump hosts"
# cidr = "192.0.2.48/28"
# use = ["admin"]                       # or "client", "nva", "probe", "relay"

# [[client]]                            # of NTLS, as it writes them
# name = "app-1"
# addresses = ["192.0.2.101"]
# devices = ["hsm-1"]
# partitions = ["20"]

# [[partition]]
# device = "hsm-1"
# container = "20"                      # as audit records number it
# serial = ""
# label = "payments"
# kind = "application"                  # or "admin": which role a number means
# guarded = true                        # its keys change in ceremonies only
# ephemeral = false                     # its keys come and go
# limits = { co = 5 }                   # failed logins before it acts, where policy 20 is lower than 10

# [[allow]]                             # opens no finding, and is counted
# detector = "AUTH-07"
# match = { source = "192.0.2.60" }     # columns of the result
# owner = "HSM operations"
# reason = "the new jump host, declared with CHG-1050"
# until = "2026-12-31"                  # at most 90 days ahead; it holds for the 90 days up to then

# Who is told. Secrets come from the environment or from files, never from here.
# [[alert.email]]
# name = "duty"
# smtp = "mail.example.org:587"
# from = "hsmtrail@example.org"
# to = ["duty@example.org"]
# min_severity = "medium"               # info, low, medium, high, critical
# username = "hsmtrail"
# password_env = "HSMTRAIL_SMTP_PASSWORD"     # or password_file
# tls = "starttls"                      # or "tls", "none"

# [alert]
# anchor = true                         # once a day the heads of the chain of evidence go to all of these

# [[alert.webhook]]
# name = "chat"
# url = "https://chat.example.org/hook"
# format = "json"                       # or "slack", "teams", "pagerduty"
# secret_env = "HSMTRAIL_WEBHOOK_SECRET"      # whsec_…: signs the body (Standard Webhooks); or secret_file
# min_severity = "medium"

[report]
schedule = "mon 06:00"                  # the pack of the last complete week
time_zone = "UTC"
organisation = ""
# recipients = ["reviewer@example.org"]       # by the first [[alert.email]]

[web]
address = "127.0.0.1:8514"              # the service's HTTP: commands, queries, /metrics
# [[web.user]]
# name = "analyst"
# role = "reader"                       # or "analyst", "admin"
# token_sha256 = "…"                    # printf %s TOKEN | sha256sum

# [spool]
# name = "main"
# number = 1                            # high 16 bits of record ids: one number per receiver
# commit_after = "50ms"
# commit_bytes = 4194304
# seal_after = "1h"
# segment_bytes = 268435456
# key_file = ""                         # "" is spool.key in data_dir; keep a copy of it elsewhere
# warn_bytes = 107374182400             # `status` and the log say when spool and archive are larger
# warn_days = 7                         # and when the disk is full in so many days

# [store]
# url = ""                              # "" is store.duckdb in data_dir
# memory_limit = "1GB"                  # of DuckDB; the service takes about 0.6 GB more
# threads = 2

# [detectors.AUTH-02]
# enabled = true
# severity = "high"
# [detectors.AUTH-02.parameters]
# limits = { po = 10, co = 5, lco = 5, cu = 5, au = 3 }
"""


def write_configuration(directory: Path) -> Path:
    """Write the file; an existing one is never touched."""
    path = directory / "hsmtrail.toml"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEXT)
    except FileExistsError:
        raise Misuse(f"{path} is already there; it was left as it is") from None
    except OSError as error:
        raise Misuse(f"{path}: cannot be written: {error.strerror}") from None
    return path
