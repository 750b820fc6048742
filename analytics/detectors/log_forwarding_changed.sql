/*
id         = "CONF-03"
title      = "Log, SNMP or time forwarding changed"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('log_target_add', 'log_target_remove', 'log_severity_set', 'log_rotation_set', 'snmp_set', 'time_set', 'ntp_set', 'audit_config') AND family <> 'ntp'"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
Where an HSM sends its logs, what it sends, its SNMP notifications or its time servers were changed. Whatever is taken
away or switched off is critical: the next thing that happens there may not be heard."""
blind_spots = """
The line that says so may be the last one this collector gets: LOGS-01 has the silence after it. A firewall between
the HSM and this collector leaves no line on the HSM at all."""
runbook = """
1. Read `settings` and `commands`: is this collector still among the targets? `removed` says what was taken away.
2. Approved move of collectors? The new one must have received a line from `device` before you close this as expected.
3. Not approved? Put the targets back in a change window, then fetch the HSM's own audit log (`audit log tarlogs`) and
   import it: it holds what was not sent.
4. Look at what `accounts` did on `device` in the day after `first_seen`."""
recommendations = ["4.1", "4.2", "5.3"]
frameworks = ["PCI DSS 4.0.1 10.2.1.6", "PCI DSS 4.0.1 10.3.3", "PCI DSS 4.0.1 10.6.3", "NIST SP 800-53 AU-12(3)", "ETSI EN 319 401 7.10", "NIS2 2024/2690 3.2 (k)"]
attack = { version = "19", techniques = ["T1685"] }

[parameters]
gone   = { default = ["removed", "deleted", "cleared", "disabled", "off", "none"], why = "Values that say that something was taken away or switched off." }
ignore = { default = ["sysconf snmp trap test"], why = "Commands that change nothing." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, setting, value, account, source, role,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form,
        operation = 'log_target_remove' OR coalesce(list_contains($gone, value), false)
            OR coalesce(regexp_matches(command, '\b(delete|deleteserver|clear|disable)$'), false)  AS gone
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('log_target_add', 'log_target_remove', 'log_severity_set', 'log_rotation_set', 'snmp_set',
                        'time_set', 'ntp_set', 'audit_config')
      AND NOT coalesce(list_contains($ignore, command), false)
      AND family <> 'ntp'  -- a daemon that sets the clock does what it is for: LOGS-07 looks at how far
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, run, form, count(*) AS changes, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT operation)                                                               AS operations,
        list(DISTINCT coalesce(setting, command, operation)) FILTER (gone)                     AS removed,
        list(DISTINCT concat_ws(' = ', setting, value)) FILTER (setting IS NOT NULL)           AS settings,
        list(DISTINCT command) FILTER (command IS NOT NULL)                                    AS commands,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL)  AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                                      AS sources,
        list(record_id)                                                                        AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    'log and time forwarding on ' || hsm                       AS subject,
    min(first_seen)                                            AS first_seen,
    max(last_seen)                                             AS last_seen,
    if(len(flatten(list(removed))) > 0, 'critical', 'high')    AS severity,
    hsm                                                        AS device,
    max(changes)                                               AS changes,
    list_sort(list_distinct(flatten(list(removed))))           AS removed,
    list_sort(list_distinct(flatten(list(settings))))          AS settings,
    list_sort(list_distinct(flatten(list(operations))))        AS operations,
    list_sort(list_distinct(flatten(list(commands))))          AS commands,
    list_sort(list_distinct(flatten(list(accounts))))          AS accounts,
    list_sort(list_distinct(flatten(list(sources))))           AS sources,
    list_sort(flatten(list(records)))                          AS evidence
FROM witnesses
GROUP BY hsm, run
ORDER BY first_seen, subject
