/*
id         = "COMP-01"
title      = "Cover-up: logs silenced, then something done"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "26h"
watches    = "family = 'lunash' AND command IS NOT NULL AND account IS NOT NULL AND command_class NOT IN ('read', 'session')"
in_change_window = "never"
finds = """
One account has taken away, silenced or cleared logs without an approved change, and within a day after it the same account
did what logs are there for: it changed accounts, credentials, partitions, policies or keys, or tried to destroy something."""
blind_spots = """
What comes after a target is removed may never arrive here: then LOGS-01 and LOGS-02 tell. Two accounts of one person are two.
What is done with keys from a client leaves no account in the audit log."""
runbook = """
1. Treat it as an incident: `silenced` says what was done to the logs, `done` what followed, `account` by whom.
2. Disable `account` from another one; put the log targets back; look whether this collector still hears `device`.
3. Fetch the HSM's own audit log (`audit log tarlogs`), import it: it holds what was not sent.
4. Undo what `done` names, after the key custodians have looked at it."""
recommendations = ["3.3", "4.2", "4.4"]
frameworks = ["PCI DSS 4.0.1 10.2.1.6", "NIST SP 800-53 AU-9", "CA/B NSR 3a", "SOC 2 CC7.3"]
attack = { version = "19", techniques = ["T1685", "T1685.006"] }

[parameters]
gone          = { default = ["removed", "deleted", "cleared", "disabled", "disable", "off", "none", "n"], why = "Values that say that something was taken away or switched off." }
within_hours  = { default = 24, why = "So long after the logs were silenced the same account's work counts." }
grace_minutes = { default = 15, why = "Clocks drift and changes overrun: forgive this much on both sides." }
classes       = { default = ["privileged", "destructive", "key"], why = "Classes of what somebody may want to hide." }
also          = { default = ["policy_set", "backup", "restore"], why = "Operations of other classes that count as well." }
services      = { default = ["syslog", "snmp", "cbs"], why = "Services by which a device is heard." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, command_class, outcome, account, setting, value,
        coalesce((details->>'$.arguments[0]'), '')                                                         AS argument,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                               AS hsm,
        concat_ws(' ', coalesce(nullif(device, ''), nullif(host, ''), peer), process_id, account, source)  AS session
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'lunash' AND command IS NOT NULL AND account IS NOT NULL
      AND command_class NOT IN ('read', 'session')
),
silencing AS (
    SELECT *
    FROM acts
    WHERE outcome <> 'failed'
      AND (operation IN ('log_target_remove', 'log_severity_set')
           OR operation IN ('audit_config', 'snmp_set') AND list_contains($gone, value)
           OR operation = 'service_stop' AND list_contains($services, argument)
           OR operation = 'log_clear' AND (starts_with(command, 'syslog') OR NOT EXISTS (  -- packed before, in the same session
               FROM acts AS packing WHERE packing.session = acts.session AND packing.operation = 'log_off_load' AND packing.outcome <> 'failed'
                 AND packing.event_at BETWEEN acts.event_at - INTERVAL 2 HOUR AND acts.event_at)))
      AND NOT EXISTS (
          FROM change_windows AS approved
          WHERE approved.device = acts.hsm
            AND acts.event_at BETWEEN approved.starts_at - to_minutes($grace_minutes) AND approved.ends_at + to_minutes($grace_minutes))
),
pairs AS (
    SELECT silencing.hsm, silencing.account,
        unnest([{'id': silencing.record_id, 'at_time': silencing.event_at, 'silent': coalesce(silencing.setting, silencing.command), 'act': NULL},
                {'id': acts.record_id, 'at_time': acts.event_at, 'silent': NULL, 'act': concat(acts.command, if(acts.outcome = 'failed', ' (refused)', ''))}]) AS member
    FROM silencing
    JOIN acts ON acts.hsm = silencing.hsm AND acts.account = silencing.account
        AND acts.event_at > silencing.event_at AND acts.event_at <= silencing.event_at + to_hours($within_hours)
    WHERE (list_contains($classes, acts.command_class) OR list_contains($also, acts.operation))
      AND (acts.outcome <> 'failed' OR acts.command_class = 'destructive')
),
members AS (
    SELECT DISTINCT hsm, account, member.id AS record_id, member.at_time AS event_at, member.silent AS silent, member.act AS act FROM pairs
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, account ORDER BY event_at) > to_hours($within_hours), true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, account ORDER BY event_at) AS run
    FROM steps
)
SELECT
    concat('cover-up by ', account, ' on ', hsm)  AS subject,
    min(event_at)                                 AS first_seen,
    max(event_at)                                 AS last_seen,
    hsm                                           AS device,
    account,
    coalesce(list_sort(list(DISTINCT silent) FILTER (silent IS NOT NULL)), [])  AS silenced,
    coalesce(list_sort(list(DISTINCT act) FILTER (act IS NOT NULL)), [])        AS done,
    list_sort(list(DISTINCT record_id))                                         AS evidence
FROM runs
GROUP BY hsm, account, run
ORDER BY first_seen, subject
