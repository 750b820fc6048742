/*
id         = "KEYS-01"
title      = "Key destroyed"
kind       = "episodes"
severity   = "medium"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('key_destroy', 'partition_clear')"
in_change_window = "lower"
finds = """
Keys or other objects of a partition were destroyed. One is medium; ten within ten minutes in one partition, a command
that destroys many at once, or a partition that is cleared are critical: what is gone comes back only from a backup."""
blind_spots = """
The audit record does not say whether an object was of the token or of a session only, nor whether it was a key: an
application that makes and drops keys of its own looks the same. Configure its partition as ephemeral. Destroying is
logged only when the audit mask covers key management."""
runbook = """
1. `destroyed` and `objects` say how many and which, `partition` where: ask its owner whether it was meant.
2. `critical` and nobody meant it? Stop the client that holds the session (`access`), call the key custodians, and look
   for the newest backup of the partition (KEYS-05).
3. A rotation job or a project? Record the change (`hsmtrail changes add`), or configure the partition as ephemeral."""
recommendations = ["5.1", "3.3"]
frameworks = ["CA/B BR 5.4.1(1)(1)", "PCI DSS 4.0.1 3.7.5", "PCI DSS 4.0.1 10.2.1.7", "NIST SP 800-57", "CSA CCM CEK-21"]
attack = { version = "19", techniques = ["T1485"] }

[parameters]
many = { default = 10, why = "Objects of one partition within ten minutes: nobody deletes so many by hand." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, vendor_event, object_handle, object_uid, role, account, source, access_major, access_minor,
        coalesce(nullif(device, ''), nullif(host, ''), peer)          AS hsm,
        coalesce(partition, '')                                       AS part,
        concat_ws(' ', family, pattern)                               AS form,
        operation = 'partition_clear' OR coalesce(vendor_event = 'LUNA_DESTROY_MULTIPLE_OBJECTS', false)  AS at_once
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation IN ('key_destroy', 'partition_clear') AND outcome <> 'failed'
),
kept AS (
    SELECT *,
        count(*) OVER (PARTITION BY hsm, part, form ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) AS within_ten
    FROM acts
    WHERE NOT EXISTS (
        FROM partitions
        WHERE ephemeral AND partitions.device = hsm AND part <> '' AND part IN (container, serial, label)
    )
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, part ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM kept
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, part, run, form, count(*) AS destroyed, max(within_ten) AS within_ten, bool_or(at_once) AS at_once,
        min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT coalesce(object_uid, CAST(object_handle AS VARCHAR))) FILTER (coalesce(object_uid, CAST(object_handle AS VARCHAR)) IS NOT NULL)  AS objects,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL)  AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                                                            AS sources,
        list(DISTINCT concat(access_major, ':', access_minor)) FILTER (access_major IS NOT NULL)                     AS access,
        list(record_id)                                                                                              AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat('keys destroyed on ', hsm, if(part = '', '', ' partition ' || part))    AS subject,
    min(first_seen)                                                                AS first_seen,
    max(last_seen)                                                                 AS last_seen,
    if(max(within_ten) >= $many OR bool_or(at_once), 'critical', 'medium')         AS severity,
    hsm                                                                            AS device,
    nullif(part, '')                                                               AS partition,
    max(destroyed)                                                                 AS destroyed,
    bool_or(at_once)                                                               AS many_at_once,
    list_sort(list_distinct(flatten(list(objects))))                               AS objects,
    list_sort(list_distinct(flatten(list(accounts))))                              AS accounts,
    list_sort(list_distinct(flatten(list(sources))))                               AS sources,
    list_sort(list_distinct(flatten(list(access))))                                AS access,
    list_sort(flatten(list(records)))                                              AS evidence
FROM witnesses
GROUP BY hsm, part, run
ORDER BY first_seen, subject
