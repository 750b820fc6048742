/*
id         = "PRIV-01"
title      = "Destructive operation"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "30m"
watches    = "command_class = 'destructive'"
in_change_window = "decommission"
finds = """
Somebody zeroized, initialised, factory-reset or decommissioned an HSM, or deleted, zeroized or cleared a partition, or
tried to: a refused attempt counts as much, since the next one may succeed. The command, the audit record and the alarm
of one act within ten minutes are one finding."""
blind_spots = """
What is done from a client (lunacm) leaves an audit record only if the audit mask covers it. A new device is initialised
once: record that as a change of kind decommission, or close the finding as expected."""
runbook = """
1. `outcome` ok? Call the key custodians now: every minute of backup age counts. Keep the lines in evidence.
2. `accounts` and `sources` say which credential was used and from where; disable it from another account.
3. `outcome` failed? Find out why it was tried before it is tried again; `commands` has the words.
4. A planned decommission or first set-up? Record the change with kind decommission: this falls to info."""
recommendations = ["5.4", "3.3"]
frameworks = ["CA/B BR 5.4.1(1)(4)", "PCI DSS 4.0.1 10.2.1.7", "NIST SP 800-53 AU-6"]
attack = { version = "19", techniques = ["T1485"] }

[parameters]
ignore = { default = ["tamper"], why = "Of class destructive, yet no command: the tamper detector has it." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, outcome, account, source, command, partition, role,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern, vendor_event)         AS form,
        coalesce((details->>'target') = 'backup token', false)  AS token
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND command_class = 'destructive' AND NOT list_contains($ignore, operation)
),
steps AS (
    SELECT *,
        coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, token, operation ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, token, operation ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, token, operation, run, form, count(*) AS times, min(event_at) AS first_seen, max(event_at) AS last_seen,
        bool_or(outcome <> 'failed')                             AS done,
        list(DISTINCT account) FILTER (account IS NOT NULL)      AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)        AS sources,
        list(DISTINCT command) FILTER (command IS NOT NULL)      AS commands,
        list(DISTINCT partition) FILTER (partition IS NOT NULL)  AS partitions,
        list(record_id)                                          AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat(operation, if(token, ' of a backup token on ', ' on '), hsm)  AS subject,
    min(first_seen)                                        AS first_seen,
    max(last_seen)                                         AS last_seen,
    hsm                                                    AS device,
    if(bool_or(done), 'ok', 'failed')                      AS outcome,
    max(times)                                             AS times,
    list_sort(list_distinct(flatten(list(accounts))))      AS accounts,
    list_sort(list_distinct(flatten(list(sources))))       AS sources,
    list_sort(list_distinct(flatten(list(commands))))      AS commands,
    list_sort(list_distinct(flatten(list(partitions))))    AS partitions,
    list_sort(flatten(list(records)))                      AS evidence
FROM witnesses
GROUP BY hsm, token, operation, run
ORDER BY first_seen, subject
