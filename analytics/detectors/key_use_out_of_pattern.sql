/*
id         = "KEYS-06"
title      = "Use or replication of keys out of pattern"
kind       = "state"
severity   = "medium"
every      = "1h"
looks_back = "400d"
in_change_window = "lower"
finds = """
The last two full hours are unlike the same hours of the four weeks before (weekends beside weekends): far more or far less use of a partition's keys, or more
than one use in twenty that failed; more than twice as many keys were cloned within a week as usual; a key was used that nobody had used for 90 days; or keys that one member of a pair made
did not reach the other within a day (a quarter of an hour in a guarded partition). Where an HSM logs no use of keys at all,
that is said: info, not measured."""
blind_spots = """
Only what the audit mask logs: with first use alone, volumes are of keys, not of operations. An hour is compared with at least
eight earlier ones; month's ends and holidays look unusual. Replication is judged of pairs that were seen to replicate within four
weeks; which key arrived is not logged, only that something did."""
needs = { partner = "keys that do not reach the partner", partitions = "guarded partitions, whose keys must be there at once" }
runbook = """
1. `what` and `value`, beside `usual`: ask the owner of `partition` whether a job, a test or an outage explains it.
2. Failures? The records in evidence have the return codes: a policy that changed, a key that is gone, a limit that is reached.
3. A key that slept for months and is used again: who holds the session, from which client (NTLS lines of that minute)?
4. The pair drifts apart? Look at HARD-04 and at the client's HA log; until it is mended the newest keys exist once."""
recommendations = ["6.1", "6.2", "5.1", "1.4"]
frameworks = ["SOC 2 CC7.2", "PCI DSS 4.0.1 10.4.1", "ISO 27001 A.8.16"]
attack = { version = "19", techniques = ["T1649", "T1553.002"] }

[parameters]
times_usual    = { default = 6.0, why = "Robust standard deviations from the median of the same hour." }
least_hours    = { default = 8, why = "Fewer earlier hours say nothing of what is usual." }
failed_percent = { default = 5.0, why = "Applications that work fail less than this." }
least_uses     = { default = 20, why = "Of fewer uses no share is taken." }
idle_days      = { default = 90, why = "A key unused for a quarter is one that somebody forgot, until somebody did not." }
times_cloned   = { default = 2, why = "A week of backups and replication is much like the week before." }
least_cloned   = { default = 20, why = "Fewer clones within a week are never more than usual." }
replica_hours  = { default = 24, why = "A pair that is a day apart cannot take over." }
guarded_minutes = { default = 15, why = "The same for guarded partitions." }
*/
WITH same_hours AS (  -- the last two full hours, and those hours of the day in the four weeks before
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, coalesce(partition, '') AS part, date_trunc('hour', event_at) AS hour,
        count(*) AS uses, count_if(outcome = 'failed') AS failed,
        arg_min(record_id, (event_at, record_id)) AS first_record, arg_max(record_id, (event_at, record_id)) AS last_record,
        arg_min(record_id, (event_at, record_id)) FILTER (outcome = 'failed') AS failed_record
    FROM events
    WHERE event_at >= date_trunc('hour', $window_end) - INTERVAL 28 DAY - INTERVAL 2 HOUR AND event_at < date_trunc('hour', $window_end)
      AND operation = 'key_use'
      AND hour(event_at) IN (hour($window_end - INTERVAL 1 HOUR), hour($window_end - INTERVAL 2 HOUR))
    GROUP BY ALL
),
known AS (
    SELECT hsm, part, min(hour) AS since FROM same_hours GROUP BY ALL
),
grid AS (  -- an hour without any use is an hour too
    SELECT hsm, part, days.days, ago, date_trunc('hour', $window_end) - to_hours(ago) - to_days(CAST(days.days AS INTEGER)) AS hour, since
    FROM known, range(0, 29) AS days(days), (VALUES (1), (2)) AS hours(ago)
    WHERE (isodow($window_end - to_days(CAST(days.days AS INTEGER))) > 5) = (isodow($window_end) > 5)  -- weekends with weekends
),
filled AS (
    SELECT grid.hsm, grid.part, grid.days, ago, grid.hour, coalesce(uses, 0) AS uses, coalesce(failed, 0) AS failed, first_record, last_record, failed_record
    FROM grid
    LEFT JOIN same_hours ON same_hours.hsm = grid.hsm AND same_hours.part = grid.part AND same_hours.hour = grid.hour
    WHERE grid.hour >= since
),
usual AS (
    SELECT hsm, part, ago, median(uses) AS middle, mad(uses) AS apart FROM filled WHERE days > 0 GROUP BY ALL HAVING count(*) >= $least_hours
),
now_used AS (
    SELECT filled.*, middle, (uses - middle) / greatest(1.4826 * apart, sqrt(middle), 1) AS score
    FROM filled LEFT JOIN usual USING (hsm, part, ago)
    WHERE days = 0
),
volumes AS (
    SELECT hsm, part, min(hour) AS first_seen, max(hour) AS last_seen, sum(uses) AS uses, sum(middle) AS usual, list(first_record) || list(last_record) AS records
    FROM now_used
    GROUP BY ALL
    HAVING count(score) = 2 AND (min(score) > $times_usual OR max(score) < -$times_usual)
),
failing AS (
    SELECT hsm, part, min(hour) AS first_seen, max(hour) AS last_seen, 100.0 * sum(failed) / sum(uses) AS percent, list(failed_record) AS records
    FROM now_used
    GROUP BY ALL
    HAVING sum(uses) >= $least_uses AND 100.0 * sum(failed) / sum(uses) > $failed_percent
),
used_now AS (
    SELECT device, coalesce(partition, '') AS part, object_handle, object_uid, min(event_at) AS used_at, arg_min(record_id, (event_at, record_id)) AS record_id
    FROM events
    WHERE event_at >= date_trunc('hour', $window_end) - INTERVAL 2 HOUR AND event_at <= $window_end AND operation = 'key_use' AND device <> ''
      AND coalesce(object_uid, CAST(object_handle AS VARCHAR)) IS NOT NULL
    GROUP BY ALL
),
not_within_day AS (  -- nearly every key is used every day: only of the others more is read
    SELECT used_now.*
    FROM used_now
    ANTI JOIN (
        FROM events
        WHERE event_at >= $window_end - INTERVAL 1 DAY AND event_at < date_trunc('hour', $window_end) - INTERVAL 2 HOUR
          AND operation = 'key_use' AND device <> ''
    ) AS a_day
    ON a_day.device = used_now.device AND coalesce(a_day.partition, '') = used_now.part
        AND a_day.object_handle IS NOT DISTINCT FROM used_now.object_handle AND a_day.object_uid IS NOT DISTINCT FROM used_now.object_uid
),
used_before AS (
    SELECT not_within_day.device, not_within_day.part, coalesce(not_within_day.object_uid, CAST(not_within_day.object_handle AS VARCHAR)) AS object,
        any_value(used_at) AS used_at, any_value(not_within_day.record_id) AS record_id, max(events.event_at) AS before
    FROM not_within_day
    JOIN events ON events.device = not_within_day.device AND coalesce(events.partition, '') = not_within_day.part
        AND events.object_handle IS NOT DISTINCT FROM not_within_day.object_handle AND events.object_uid IS NOT DISTINCT FROM not_within_day.object_uid
    WHERE events.event_at >= $window_start AND events.event_at < $window_end - INTERVAL 1 DAY AND events.operation = 'key_use'
    GROUP BY ALL
),
pairs AS (
    SELECT name AS device, partner FROM devices WHERE partner <> ''
),
taken AS (  -- what a member took in, of its partner
    SELECT pairs.device, events.event_at
    FROM pairs JOIN events ON events.device = pairs.partner
    WHERE event_at BETWEEN $window_end - INTERVAL 28 DAY AND $window_end AND operation IN ('clone_in', 'replicate_in') AND outcome <> 'failed'
),
made AS (
    SELECT events.device, coalesce(partition, '') AS part, event_at, record_id,
        EXISTS (FROM partitions WHERE guarded AND partitions.device = events.device AND partition IN (container, serial, label))    AS guarded,
        EXISTS (FROM partitions WHERE ephemeral AND partitions.device = events.device AND partition IN (container, serial, label))  AS ephemeral
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 7 DAY AND $window_end AND operation IN ('key_generate', 'key_create') AND outcome <> 'failed'
      AND events.device IN (SELECT device FROM taken)
),
apart AS (
    SELECT made.device, made.part, min(made.event_at) AS first_seen, max(made.event_at) AS last_seen, count(*) AS made, list_sort(list(made.record_id)) AS records
    FROM made
    WHERE NOT ephemeral
      AND made.event_at < $window_end - if(guarded, to_minutes($guarded_minutes), to_hours($replica_hours))
      AND NOT EXISTS (
          FROM taken WHERE taken.device = made.device
            AND taken.event_at BETWEEN made.event_at AND made.event_at + if(guarded, to_minutes($guarded_minutes), to_hours($replica_hours))
      )
    GROUP BY ALL
),
cloned AS (  -- by weeks before now: 0 is the last seven days
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, coalesce(partition, '') AS part,
        CAST(floor((epoch($window_end) - epoch(event_at)) / 604800) AS INTEGER) AS week, count(*) AS clones,
        min(event_at) AS first_seen, max(event_at) AS last_seen, arg_min(record_id, (event_at, record_id)) AS first_record, arg_max(record_id, (event_at, record_id)) AS last_record
    FROM events
    WHERE event_at > $window_end - INTERVAL 28 DAY AND event_at <= $window_end AND operation IN ('clone_out', 'replicate_out') AND outcome <> 'failed'
    GROUP BY ALL
),
many_cloned AS (
    SELECT hsm, part, max(clones) FILTER (week = 0) AS clones, list_aggregate(list_resize(list(clones) FILTER (week > 0), 3, 0), 'median') AS usual,
        min(first_seen) FILTER (week = 0) AS first_seen, max(last_seen) FILTER (week = 0) AS last_seen,
        list(first_record) FILTER (week = 0) || list(last_record) FILTER (week = 0) AS records
    FROM cloned
    GROUP BY ALL
    HAVING max(clones) FILTER (week = 0) >= $least_cloned AND count(*) FILTER (week > 0) >= 2
       AND max(clones) FILTER (week = 0) > $times_cloned * list_aggregate(list_resize(list(clones) FILTER (week > 0), 3, 0), 'median')
),
not_used AS (  -- by the records of a day; of the others the rest is read
    SELECT name FROM devices
    WHERE name NOT IN (
        SELECT device FROM events WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end AND family = 'hsm_audit' AND operation = 'key_use'
    )
),
unmeasured AS (  -- audit records come, yet none of use: not measured, never normal
    SELECT device, max(event_at) AS newest, arg_max(record_id, event_at) AS record_id
    FROM not_used
    JOIN events ON device = name
    WHERE event_at BETWEEN $window_end - INTERVAL 28 DAY AND $window_end AND family = 'hsm_audit'
    GROUP BY device
    HAVING count_if(operation = 'key_use') = 0
)
SELECT
    concat('use of keys on ', hsm, if(part = '', '', ' partition ' || part))          AS subject,
    first_seen,
    last_seen,
    'medium'                                                                          AS severity,
    hsm                                                                               AS device,
    if(uses > usual, 'far more use than usual', 'far less use than usual')            AS what,
    nullif(part, '')                                                                  AS partition,
    CAST(uses AS DOUBLE)                                                              AS value,
    CAST(usual AS DOUBLE)                                                             AS usual,
    CAST(NULL AS VARCHAR)                                                             AS object,
    list_distinct(list_filter(records, lambda one: one IS NOT NULL))                  AS evidence
FROM volumes
UNION ALL
SELECT
    concat('failing use of keys on ', hsm, if(part = '', '', ' partition ' || part)), first_seen, last_seen, 'medium', hsm, 'per cent of uses failed', nullif(part, ''),
    round(percent, 1), $failed_percent, NULL, list_filter(records, lambda one: one IS NOT NULL)
FROM failing
UNION ALL
SELECT
    concat('key ', object, ' on ', device, if(part = '', '', ' partition ' || part)), used_at, used_at, 'medium', device, 'days unused, and used again', nullif(part, ''),
    CAST(date_diff('day', before, used_at) AS DOUBLE), NULL, object, [record_id]
FROM used_before
WHERE before < used_at - to_days($idle_days)
UNION ALL
SELECT
    concat('replication of ', device, if(part = '', '', ' partition ' || part)), first_seen, last_seen, 'medium', device, 'keys that did not reach the partner', nullif(part, ''),
    CAST(made AS DOUBLE), NULL, NULL, records
FROM apart
UNION ALL
SELECT
    concat('clones of ', hsm, if(part = '', '', ' partition ' || part)), first_seen, last_seen, 'medium', hsm, 'more clones within a week than usual', nullif(part, ''),
    CAST(clones AS DOUBLE), CAST(usual AS DOUBLE), NULL, list_distinct(records)
FROM many_cloned
UNION ALL
SELECT 'use of keys on ' || device || ' is not measured', newest, newest, 'info', device, 'not measured: no use of keys is logged', NULL, NULL, NULL, NULL, [record_id]
FROM unmeasured
ORDER BY subject
