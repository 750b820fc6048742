/*
id         = "PRIV-04"
title      = "Credential of an HSM role set, changed or reset"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "25h"
watches    = "operation IN ('role_secret_set', 'role_secret_reset', 'role_init', 'key_wrap') OR operation = 'login' AND strike"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
The password, PED key or challenge of the Security Officer, a partition's owner, a Crypto role or the auditor was set,
changed or reset: whoever did it may now be that role. Keys that leave the HSM within a day after it make it critical."""
blind_spots = """
Whether a rotation was planned no log tells. A first credential and a new one look alike in audit records. Keys that are
cloned leave too: KEYS-03 has those. The shell names the partition, the audit record its container."""
runbook = """
1. Whose role was it? Ask the holder of `roles` in `partitions` whether the change was theirs, and let them log in.
2. `exports` is not 0? Keys left after the change: find who has them, and treat them as out. Call the key custodians.
3. `strikes_before` is not 0: somebody had failed before. A forgotten credential, or a taken one? Look at AUTH-02.
4. A planned rotation? Record the change; the custodians of the old credential destroy it."""
recommendations = ["2.4", "3.2"]
frameworks = ["PCI DSS 4.0.1 10.2.1.5", "PCI DSS 4.0.1 8.3.3", "NIST SP 800-53 AU-2", "CA/B BR 5.4.1(3)"]
attack = { version = "19", techniques = ["T1098", "T1531"] }

[parameters]
exports      = { default = ["key_wrap"], why = "Operations by which keys leave the HSM." }
export_hours = { default = 24, why = "So long after a change an export makes it critical." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, account, source, role, strike, outcome,
        coalesce(partition, (details->>'partition_serial'))   AS part,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern, operation)            AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation IN ('role_secret_set', 'role_secret_reset', 'role_init') AND outcome <> 'failed'
           OR list_contains($exports, operation) AND outcome <> 'failed'
           OR operation = 'login' AND strike)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM acts
    WHERE operation IN ('role_secret_set', 'role_secret_reset', 'role_init')
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, run, form, count(*) AS changes, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT operation)                             AS operations,
        list(DISTINCT role) FILTER (role <> '')              AS roles,
        list(DISTINCT part) FILTER (part IS NOT NULL)        AS partitions,
        list(DISTINCT account) FILTER (account IS NOT NULL)  AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)    AS sources,
        list(record_id)                                      AS records
    FROM runs
    GROUP BY ALL
),
changes AS (
    SELECT hsm, run, max(changes) AS changes, min(first_seen) AS first_seen, max(last_seen) AS changed_until,
        flatten(list(operations)) AS operations, flatten(list(roles)) AS roles, flatten(list(partitions)) AS partitions,
        flatten(list(accounts)) AS accounts, flatten(list(sources)) AS sources, flatten(list(records)) AS records
    FROM witnesses
    GROUP BY hsm, run
),
after AS (
    SELECT changes.hsm, run, count(*) AS exports, max(event_at) AS last_export, list(record_id) AS records
    FROM changes
    JOIN acts ON acts.hsm = changes.hsm AND list_contains($exports, acts.operation)
        AND acts.event_at BETWEEN first_seen AND changed_until + to_hours($export_hours)
    GROUP BY ALL
),
before AS (
    SELECT changes.hsm, run, count(*) AS strikes
    FROM changes
    JOIN acts ON acts.hsm = changes.hsm AND acts.strike AND acts.event_at BETWEEN first_seen - INTERVAL 1 DAY AND first_seen
    GROUP BY ALL
)
SELECT
    'role credentials on ' || changes.hsm                             AS subject,
    first_seen,
    greatest(changed_until, coalesce(last_export, changed_until))  AS last_seen,
    if(exports IS NULL, 'high', 'critical')                        AS severity,
    changes.hsm                                                    AS device,
    changes,
    list_sort(list_distinct(operations))                                  AS operations,
    list_sort(list_distinct(roles))                                       AS roles,
    list_sort(list_distinct(partitions))                                  AS partitions,
    coalesce(exports, 0)                                                  AS exports,
    coalesce(strikes, 0)                                                  AS strikes_before,
    list_sort(list_distinct(accounts))                                    AS accounts,
    list_sort(list_distinct(sources))                                     AS sources,
    list_sort(list_concat(changes.records, coalesce(after.records, [])))  AS evidence
FROM changes
LEFT JOIN after ON after.hsm = changes.hsm AND after.run = changes.run
LEFT JOIN before ON before.hsm = changes.hsm AND before.run = changes.run
ORDER BY first_seen, subject
