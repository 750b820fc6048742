/*
id         = "KEYS-04"
title      = "Attributes of a key changed"
kind       = "episodes"
severity   = "medium"
every      = "5m"
looks_back = "28d"
watches    = "operation = 'key_modify'"
in_change_window = "lower"
finds = """
Attributes of objects were changed: extractable, sensitive, label, allowed uses. In a guarded partition, or where the
record itself says that it was a private or secret key, one change is high. In other partitions it is medium when a day
has more than three times as many changes as the days of the four weeks before it, and low when nobody had changed
anything there for four weeks."""
blind_spots = """
The record of a Luna HSM names the object, not the attribute, and seldom what kind of object it was: a label that an
application counts in looks like a key that was made extractable. What is usual is taken from four weeks before: with less
history there is less that is usual, and a first change is low."""
runbook = """
1. `objects` in `partition`: look at them with a client (`cmu getattribute`): is one extractable that was not?
2. Ask the owner of the partition about `changes` by `accounts`; `usual_per_day` is what they do otherwise.
3. Extractable and not meant? Treat the key as exposed: look for KEYS-03 in the same partition, and replace it."""
recommendations = ["5.2"]
frameworks = ["PCI DSS 4.0.1 3.7.7", "NIST SP 800-57", "CSA CCM CEK-21"]
attack = { version = "19", techniques = ["T1552.004"] }

[parameters]
times_usual = { default = 3, why = "More than so many times the usual changes of a day." }
least       = { default = 10, why = "Fewer changes within a day are never more than usual." }
*/
WITH acts AS (
    SELECT record_id, event_at, object_handle, object_uid, role, access_major, access_minor,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        coalesce(partition, '')                               AS part,
        concat_ws(' ', family, pattern)                       AS form,
        coalesce(lower(coalesce(details->>'class', details->>'object_class')) IN ('private', 'secret', 'cko_private_key', 'cko_secret_key'), false)  AS secret
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND operation = 'key_modify' AND outcome <> 'failed'
),
counted AS (
    SELECT *,
        EXISTS (FROM partitions WHERE guarded AND partitions.device = hsm AND part <> '' AND part IN (container, serial, label))    AS guarded,
        EXISTS (FROM partitions WHERE ephemeral AND partitions.device = hsm AND part <> '' AND part IN (container, serial, label))  AS ephemeral,
        count(*) OVER day                         AS within_day,
        (count(*) OVER weeks - count(*) OVER day) AS before
    FROM acts
    WINDOW day AS (PARTITION BY hsm, part, form ORDER BY event_at RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW),
        weeks AS (PARTITION BY hsm, part, form ORDER BY event_at RANGE BETWEEN INTERVAL 27 DAY PRECEDING AND CURRENT ROW)
),
judged AS (
    SELECT *, before / 26 AS usual_per_day,
        CASE
            WHEN ephemeral                                                                THEN NULL
            WHEN guarded OR secret                                                        THEN 'high'
            WHEN before = 0                                                               THEN 'low'
            WHEN within_day >= $least AND within_day > $times_usual * before / 26         THEN 'medium'
        END AS how
    FROM counted
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, part ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM judged
    WHERE how IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, part, run, form, count(*) AS changes, min(event_at) AS first_seen, max(event_at) AS last_seen,
        bool_or(how = 'high') AS high, bool_or(how = 'medium') AS medium, min(usual_per_day) AS usual_per_day,
        list(DISTINCT coalesce(object_uid, CAST(object_handle AS VARCHAR))) FILTER (coalesce(object_uid, CAST(object_handle AS VARCHAR)) IS NOT NULL)  AS objects,
        list(DISTINCT role) FILTER (role <> '')                                                    AS accounts,
        list(DISTINCT concat(access_major, ':', access_minor)) FILTER (access_major IS NOT NULL)   AS access,
        list(record_id)                                                                            AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat('key attributes on ', hsm, if(part = '', '', ' partition ' || part))                   AS subject,
    min(first_seen)                                                                               AS first_seen,
    max(last_seen)                                                                                AS last_seen,
    CASE WHEN bool_or(high) THEN 'high' WHEN bool_or(medium) THEN 'medium' ELSE 'low' END         AS severity,
    hsm                                                                                           AS device,
    nullif(part, '')                                                                              AS partition,
    max(changes)                                                                                  AS changes,
    round(min(usual_per_day), 1)                                                                  AS usual_per_day,
    list_sort(list_distinct(flatten(list(objects))))                                              AS objects,
    list_sort(list_distinct(flatten(list(accounts))))                                             AS accounts,
    list_sort(list_distinct(flatten(list(access))))                                               AS access,
    list_sort(flatten(list(records)))                                                             AS evidence
FROM witnesses
GROUP BY hsm, part, run
ORDER BY first_seen, subject
