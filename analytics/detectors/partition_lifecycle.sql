/*
id         = "PRIV-02"
title      = "Partition created, changed or taken away"
kind       = "episodes"
severity   = "medium"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('partition_create', 'partition_init', 'partition_resize', 'partition_delete', 'partition_zeroize', 'partition_clear')"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
A partition was created, initialised or resized: medium. It was deleted, zeroized or cleared: critical, since its keys
went with it. The command and the audit record of one act within ten minutes are one finding."""
blind_spots = """
What is done from a client (lunacm) leaves an audit record only if the audit mask covers it. The command names the
partition, the audit record its container: both are in `partitions`, and which is which only the HSM knows."""
runbook = """
1. `operation` and `partitions` say what was done to which; `accounts` and `sources` by whom.
2. Deleted or zeroized? Call the key custodians, find the newest backup of the partition (KEYS-05), keep the lines in evidence.
3. Created or resized? Match it with a ticket; declare the partition ([[partition]]), and plan its first backup.
4. Nobody's ticket? Treat the account as taken: disable it from another one."""
recommendations = ["3.1", "5.1"]
frameworks = ["CA/B BR 5.4.1(1)", "PCI DSS 4.0.1 10.2.1.7", "CSA CCM CEK-21"]
attack = { version = "19", techniques = ["T1485"] }

[parameters]
losing = { default = ["partition_delete", "partition_zeroize", "partition_clear"], why = "Keys are gone after these: critical." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, account, source, command, role,
        coalesce(partition, (details->>'partition_serial'))   AS part,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern, vendor_event)         AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('partition_create', 'partition_init', 'partition_resize', 'partition_delete', 'partition_zeroize', 'partition_clear')
      AND coalesce((details->>'target') <> 'backup token', true)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, operation ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, operation ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, operation, run, form, count(*) AS times, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT part) FILTER (part IS NOT NULL)                                                                AS partitions,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL)  AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                                                            AS sources,
        list(record_id)                                                                                              AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    operation || ' on ' || hsm                                   AS subject,
    min(first_seen)                                              AS first_seen,
    max(last_seen)                                               AS last_seen,
    if(list_contains($losing, operation), 'critical', 'medium')  AS severity,
    hsm                                                          AS device,
    operation,
    max(times)                                           AS times,
    list_sort(list_distinct(flatten(list(partitions))))  AS partitions,
    list_sort(list_distinct(flatten(list(accounts))))    AS accounts,
    list_sort(list_distinct(flatten(list(sources))))     AS sources,
    list_sort(flatten(list(records)))                    AS evidence
FROM witnesses
GROUP BY hsm, operation, run
ORDER BY first_seen, subject
