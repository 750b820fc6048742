/*
id         = "CONF-05"
title      = "Firmware, software or package changed"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "90d"
watches    = "operation IN ('firmware_update', 'firmware_rollback', 'package_update', 'package_erase') OR command = 'package verify'"
in_change_window = "lower"
finds = """
The firmware of an HSM or the software of its appliance was updated, or a package was installed or erased. Rolled back is
critical: every policy returns to the values of the older version, and mended holes are open again. `untested` says that a
production device got a package that no test device had at least a week before; `below_minimum` that its version is older
than the one that was agreed. Verifying a package changes nothing: info."""
blind_spots = """
The log names packages, not the firmware that is in force after it: `hsm show` prints that on the screen. A device that is
never updated writes no line. Without a device of profile test, and without `firmware_minimum`, the two columns say nothing."""
needs = { firmware_minimum = "packages below the agreed version" }
runbook = """
1. `what` was done by `accounts` from `sources`: is there a ticket of kind patch?
2. A rollback (`what` has 'rolled back')? Compare every policy with the baseline (CONF-07), and find out which known holes
   are open again.
3. `untested` lists packages that no test device tried first: say why in the ticket.
4. Did the device come back with its clients? COMP-04 and NTLS-04 have that."""
recommendations = ["7.1", "7.2"]
frameworks = ["CA/B BR 5.4.1(3)(4)", "CA/B NSR 4f", "PCI DSS 4.0.1 6.3.3", "SOC 2 CC8.1"]
attack = { version = "19", techniques = ["T1601", "T1601.002"] }

[parameters]
tested_days = { default = 7, why = "So long a package must have been on a test device." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, account, source, role, family,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                              AS hsm,
        concat_ws(' ', family, pattern)                                                   AS form,
        if(starts_with(setting, 'package '), substr(setting, 9), NULL)                    AS package,
        CASE operation WHEN 'firmware_update' THEN 'firmware updated' WHEN 'firmware_rollback' THEN 'firmware rolled back'
            WHEN 'package_update' THEN 'package installed' WHEN 'package_erase' THEN 'package erased' ELSE 'package verified' END  AS what
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND (operation IN ('firmware_update', 'firmware_rollback', 'package_update', 'package_erase') OR command = 'package verify')
),
versions AS (  -- 7.8.4 of lunasa_update-7.8.4-1.spkg, in numbers
    SELECT acts.*, devices.profile,
        list_transform(string_split(nullif(regexp_extract(package, '\d+\.\d+(\.\d+)*'), ''), '.'), lambda one: CAST(one AS UBIGINT))                 AS version,
        list_transform(string_split(nullif(regexp_extract(firmware_minimum, '\d+\.\d+(\.\d+)*'), ''), '.'), lambda one: CAST(one AS UBIGINT))        AS minimum
    FROM acts
    LEFT JOIN devices ON devices.name = acts.hsm
),
judged AS (
    SELECT *,
        operation = 'package_update' AND coalesce(version < minimum, false)                           AS below_minimum,
        operation = 'package_update' AND coalesce(profile, 'production') = 'production'
            AND EXISTS (FROM devices WHERE profile = 'test')
            AND NOT EXISTS (
                FROM versions AS other
                WHERE other.profile = 'test' AND other.operation = 'package_update' AND other.package = versions.package
                  AND other.event_at BETWEEN versions.event_at - $looks_back AND versions.event_at - to_days($tested_days)
            )                                                                                          AS untested
    FROM versions
),
steps AS (
    SELECT *, operation = 'show' AS harmless,
        coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, operation = 'show' ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM judged
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, harmless ORDER BY event_at) AS run
    FROM steps
)
SELECT
    if(harmless, 'package verified on ', 'software of ') || hsm                                               AS subject,
    min(event_at)                                                                                             AS first_seen,
    max(event_at)                                                                                             AS last_seen,
    CASE WHEN harmless THEN 'info' WHEN bool_or(operation = 'firmware_rollback') THEN 'critical' ELSE 'high' END  AS severity,
    hsm                                                                                                       AS device,
    list_sort(list(DISTINCT what))                                                                            AS what,
    list_sort(list(DISTINCT package) FILTER (package IS NOT NULL))                                            AS packages,
    list_sort(list(DISTINCT package) FILTER (untested))                                                       AS untested,
    list_sort(list(DISTINCT package) FILTER (below_minimum))                                                  AS below_minimum,
    list_sort(list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL))  AS accounts,
    list_sort(list(DISTINCT source) FILTER (source IS NOT NULL))                                              AS sources,
    list_sort(list(record_id))                                                                                AS evidence
FROM runs
GROUP BY hsm, harmless, run
ORDER BY first_seen, subject
