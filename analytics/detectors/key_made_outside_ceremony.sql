/*
id         = "KEYS-02"
title      = "Key created or imported outside a ceremony"
kind       = "episodes"
severity   = "medium"
every      = "5m"
looks_back = "36d"
watches    = "operation IN ('key_generate', 'key_create', 'key_import', 'key_derive', 'key_copy')"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
In a guarded partition every key is made in a ceremony: one that is generated, created, unwrapped or derived there at a time
that no approved ceremony of the device covers is high. In other partitions medium when a week has more than three times as
many new keys as the weeks before it usually had."""
blind_spots = """
Which partitions are guarded is asked of the configuration. What is usual is the median of the four weeks before: with new keys
in fewer than two of them, or with few new keys, it is not measured. A ceremony's window says when, not which keys: the pack
lists them. Keys of a session only look like keys that stay: configure such a partition as ephemeral."""
needs = { partitions = "keys made in guarded partitions" }
runbook = """
1. `made` keys in `partition`, by `accounts` through `access`: does its owner know them?
2. Guarded? Name the ceremony (`hsmtrail changes add --kind ceremony`), also afterwards: the finding goes. Without one, treat
   the keys in `objects` as made by an intruder until somebody says otherwise.
3. More than usual (`usual_per_week`)? A new application, a load test, or somebody filling the HSM: ask before it is full."""
recommendations = ["3.1", "5.2"]
frameworks = ["CA/B BR 5.4.1(1)(1)", "PCI DSS 4.0.1 3.7.1", "PCI DSS 4.0.1 3.7.7"]
attack = { version = "19", techniques = [] }

[parameters]
times_usual = { default = 3, why = "More than so many times the usual keys of a week." }
least       = { default = 20, why = "Fewer new keys within a week are never more than usual." }
*/
WITH acts AS (
    SELECT record_id, event_at, coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, coalesce(partition, '') AS part, family, pattern
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('key_generate', 'key_create', 'key_import', 'key_derive', 'key_copy')
),
hours AS (  -- an hour of one form of line is one row
    SELECT hsm, part, concat_ws(' ', family, pattern) AS form, date_trunc('hour', event_at) AS hour,
        count(*) AS made, min(event_at) AS first_seen, max(event_at) AS last_seen,
        [arg_min(record_id, (event_at, record_id)), arg_max(record_id, (event_at, record_id))] AS records
    FROM acts
    GROUP BY ALL
),
kinds AS (
    SELECT hsm, part,
        EXISTS (FROM partitions WHERE guarded AND partitions.device = hsm AND part <> '' AND part IN (container, serial, label))    AS guarded,
        EXISTS (FROM partitions WHERE ephemeral AND partitions.device = hsm AND part <> '' AND part IN (container, serial, label))  AS ephemeral
    FROM (SELECT DISTINCT hsm, part FROM hours)
),
outside AS (  -- in a guarded partition, at a time of no ceremony
    SELECT acts.hsm, acts.part, concat_ws(' ', family, pattern) AS form, 1 AS made, event_at AS first_seen, event_at AS last_seen, [record_id] AS records,
        'in a guarded partition, in no ceremony' AS what, CAST(NULL AS DOUBLE) AS usual, INTERVAL 1 HOUR AS apart
    FROM acts
    JOIN kinds ON kinds.hsm = acts.hsm AND kinds.part = acts.part AND guarded
    WHERE NOT EXISTS (
        FROM change_windows AS ceremony
        WHERE ceremony.kind = 'ceremony' AND ceremony.device = acts.hsm AND acts.event_at BETWEEN ceremony.starts_at AND ceremony.ends_at
    )
),
weeks AS (
    SELECT hours.*,
        sum(made) OVER (PARTITION BY hours.hsm, hours.part, form ORDER BY hour RANGE BETWEEN INTERVAL 167 HOUR PRECEDING AND CURRENT ROW) AS week,
        list_transform([
            sum(made) OVER (PARTITION BY hours.hsm, hours.part, form ORDER BY hour RANGE BETWEEN INTERVAL 335 HOUR PRECEDING AND INTERVAL 168 HOUR PRECEDING),
            sum(made) OVER (PARTITION BY hours.hsm, hours.part, form ORDER BY hour RANGE BETWEEN INTERVAL 503 HOUR PRECEDING AND INTERVAL 336 HOUR PRECEDING),
            sum(made) OVER (PARTITION BY hours.hsm, hours.part, form ORDER BY hour RANGE BETWEEN INTERVAL 671 HOUR PRECEDING AND INTERVAL 504 HOUR PRECEDING),
            sum(made) OVER (PARTITION BY hours.hsm, hours.part, form ORDER BY hour RANGE BETWEEN INTERVAL 839 HOUR PRECEDING AND INTERVAL 672 HOUR PRECEDING)
        ], lambda one: coalesce(one, 0)) AS before
    FROM hours
    JOIN kinds ON kinds.hsm = hours.hsm AND kinds.part = hours.part AND NOT guarded AND NOT ephemeral
),
many AS (
    SELECT hsm, part, form, made, first_seen, last_seen, records,
        'more than usual' AS what, CAST(list_aggregate(before, 'median') AS DOUBLE) AS usual, INTERVAL 1 DAY AS apart
    FROM weeks
    WHERE week >= $least AND len(list_filter(before, lambda one: one > 0)) >= 2 AND week > $times_usual * list_aggregate(before, 'median')
),
steps AS (
    SELECT *, coalesce(first_seen - max(last_seen) OVER (PARTITION BY hsm, part, what ORDER BY first_seen, form ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > apart, true) AS begins
    FROM (FROM outside UNION ALL FROM many)
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part, what ORDER BY first_seen, form ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, part, what, run, form, sum(made) AS made, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        min(usual) AS usual, list_distinct(flatten(list(records))) AS records
    FROM runs
    GROUP BY ALL
),
found AS (
    SELECT hsm, part, what, run, max(made) AS made, min(first_seen) AS first_seen, max(last_seen) AS last_seen, min(usual) AS usual,
        list_sort(flatten(list(records))) AS records
    FROM witnesses
    GROUP BY hsm, part, what, run
),
said AS (  -- who and what, of the records in evidence alone
    SELECT found.hsm, found.part, found.what, found.run,
        list_sort(list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL))                                          AS accounts,
        list_sort(list(DISTINCT concat(access_major, ':', access_minor)) FILTER (access_major IS NOT NULL))                                                             AS access,
        list_sort(list(DISTINCT coalesce(object_uid, CAST(object_handle AS VARCHAR))) FILTER (coalesce(object_uid, CAST(object_handle AS VARCHAR)) IS NOT NULL))[1:100] AS objects
    FROM (SELECT hsm, part, what, run, unnest(records) AS record_id FROM found) AS found
    JOIN events ON events.record_id = found.record_id
    WHERE event_at BETWEEN $window_start AND $window_end
    GROUP BY ALL
)
SELECT
    concat('new keys on ', hsm, if(part = '', '', ' partition ' || part), if(usual IS NULL, '', ', more than usual'))  AS subject,
    first_seen,
    last_seen,
    if(usual IS NULL, 'high', 'medium')                                                                                AS severity,
    hsm                                                                                                                AS device,
    what,
    nullif(part, '')                                                                                                   AS partition,
    CAST(made AS BIGINT)                                                                                               AS made,
    usual                                                                                                              AS usual_per_week,
    accounts,
    access,
    objects,
    records                                                                                                            AS evidence
FROM found
JOIN said USING (hsm, part, what, run)
ORDER BY first_seen, subject
