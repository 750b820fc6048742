/*
id         = "CONF-01"
title      = "HSM or partition policy changed"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation = 'policy_set'"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
A policy of the HSM or of a partition was set. Cloning, non-FIPS algorithms, the Security Officer's reset of a
partition's password, cloning and wrapping of keys, and the limit of failed logins are critical, and so is a change
that the HSM itself calls destructive; any other policy is high. Command and audit record are one finding."""
blind_spots = """
An audit record alone does not name the policy. A firmware rollback or a factory reset returns policies to their
defaults without setting any: compare the baseline after either."""
runbook = """
1. Read `settings`: which policy has which value now; `partitions` says where.
2. Approved? Record the change window, approve the new value (`hsmtrail baseline approve`), close as expected.
3. Not approved? Set the approved value back in a change window. Some policies erase partitions when they change: read
   the manual's word on `settings` before you touch them.
4. A cloning or wrapping policy was opened? Look for key exports on `device` since `first_seen`."""
recommendations = ["3.1", "3.2", "5.2"]
frameworks = ["PCI DSS 4.0.1 10.2.1.2", "PCI DSS 4.0.1 12.3.3", "CA/B BR 5.4.1(3)(3)", "SOC 2 CC7.1", "ISO 27001 A.8.9"]
attack = { version = "19", techniques = ["T1600"] }

[parameters]
critical = { default = ["hsm policy 7", "hsm policy 12", "hsm policy 15", "partition policy 0", "partition policy 1", "partition policy 4", "partition policy 5", "partition policy 20"], why = "Policies that open keys to the outside, weaken algorithms or loosen lockouts." }
*/
WITH acts AS (
    SELECT record_id, event_at, setting, value, account, source, role, partition,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form,
        coalesce(list_contains($critical, setting), false)
            OR coalesce(vendor_event LIKE '%DESTRUCTIVE%', false)  AS critical
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND operation = 'policy_set' AND outcome = 'ok'
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
        bool_or(critical)                                                             AS critical,
        list(DISTINCT concat_ws(' = ', setting, value)) FILTER (setting IS NOT NULL)  AS settings,
        list(DISTINCT partition) FILTER (partition IS NOT NULL)                       AS partitions,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL)  AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                             AS sources,
        list(record_id)                                                               AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    'policies on ' || hsm                                AS subject,
    min(first_seen)                                      AS first_seen,
    max(last_seen)                                       AS last_seen,
    if(bool_or(critical), 'critical', 'high')            AS severity,
    hsm                                                  AS device,
    max(changes)                                         AS changes,
    list_sort(list_distinct(flatten(list(settings))))    AS settings,
    list_sort(list_distinct(flatten(list(partitions))))  AS partitions,
    list_sort(list_distinct(flatten(list(accounts))))    AS accounts,
    list_sort(list_distinct(flatten(list(sources))))     AS sources,
    list_sort(flatten(list(records)))                    AS evidence
FROM witnesses
GROUP BY hsm, run
ORDER BY first_seen, subject
