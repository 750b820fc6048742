/*
id         = "NTLS-04"
title      = "Client is gone or unstable"
kind       = "state"
severity   = "low"
every      = "1h"
looks_back = "8d"
in_change_window = "lower"
finds = """
A client that connects on most days has not been there for a day, or for three times as long as it ever stays away (low);
clients have not come back half an hour after the HSM's service started (medium); or a client connects five times as often
in an hour as it usually does (medium)."""
blind_spots = """
A client that keeps its connection open is there. One that connects on fewer than four days of a week has no habit. What is
silent as a whole is LOGS-01's. Whether a client fell back to the other member only its owner knows."""
runbook = """
1. gone: ask the owner of `clients` whether it was retired. Yes: delete its registration (NTLS-03). No: can it reach the HSM?
2. not back after a start: the client's own recovery may be off; let its owner recover the HA group by hand.
3. unstable: `connects` in the last hour against `usual`; an application that opens a connection for each operation, or a link that drops.
4. All clients of a device? Look at NTLS-02 and HARD-03 first."""
recommendations = ["1.3", "1.4", "6.1", "6.4"]
frameworks = ["SOC 2 A1.2", "SOC 2 CC7.2"]
attack = { version = "19", techniques = ["T1489"] }

[parameters]
days         = { default = 4, why = "On so many of seven days a client has connected that has a habit." }
absent_hours = { default = 24, why = "So long it may stay away at least." }
usual_times  = { default = 3, why = "Or so many times as long as it ever stayed away." }
most_hours   = { default = 120, why = "But no longer than this." }
back_minutes = { default = 30, why = "So long after a start of the service clients may take to come back." }
churn_times  = { default = 5, why = "So many times as many connections in an hour as usual are unstable." }
churn_least  = { default = 60, why = "Fewer connections in an hour are nothing." }
*/
WITH connects AS (
    SELECT record_id, event_at, device AS hsm, client
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'ntls' AND device <> ''
      AND operation = 'connection_open' AND outcome = 'ok' AND client IS NOT NULL
),
closes AS (
    SELECT device AS hsm, client, max(event_at) AS closed_at
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'ntls' AND operation = 'connection_close' AND client IS NOT NULL
    GROUP BY ALL
),
heard AS (
    SELECT DISTINCT device AS hsm FROM events WHERE event_at BETWEEN $window_end - INTERVAL 1 HOUR AND $window_end AND device <> ''
),
stepped AS (
    SELECT *, event_at - lag(event_at) OVER (PARTITION BY hsm, client ORDER BY event_at) AS gap FROM connects
),
habits AS (
    SELECT hsm, client, max(event_at) AS last_at, arg_max(record_id, (event_at, record_id)) AS record_id,
        count(DISTINCT CAST(event_at AS DATE)) AS days, max(gap) AS longest
    FROM stepped
    GROUP BY ALL
),
gone AS (
    SELECT habits.*
    FROM habits
    JOIN heard ON heard.hsm = habits.hsm
    LEFT JOIN closes ON closes.hsm = habits.hsm AND closes.client = habits.client
    WHERE days >= $days AND closes.closed_at >= last_at
      AND epoch($window_end) - epoch(last_at) > 3600 * least($most_hours, greatest($absent_hours, epoch(longest) / 3600 * $usual_times))
),
starts AS (
    SELECT device AS hsm, max(event_at) AS started_at, arg_max(record_id, (event_at, record_id)) AS record_id
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end AND family = 'ntls' AND operation = 'service_start' AND device <> ''
    GROUP BY ALL
),
not_back AS (
    SELECT starts.hsm, any_value(started_at) AS started_at, any_value(starts.record_id) AS record_id, list_sort(list(before.client)) AS clients
    FROM starts
    JOIN (
        SELECT starts.hsm AS hsm, client, max(event_at) AS last_at
        FROM connects JOIN starts ON starts.hsm = connects.hsm AND event_at > starts.started_at - INTERVAL 1 DAY
        GROUP BY ALL
    ) AS before ON before.hsm = starts.hsm AND before.last_at < starts.started_at
    JOIN habits ON habits.hsm = before.hsm AND habits.client = before.client
    WHERE starts.started_at < $window_end - to_minutes($back_minutes)
      AND $window_end - starts.started_at > coalesce(longest, INTERVAL 0 SECOND)  -- who comes once a day is not missed after half an hour
    GROUP BY starts.hsm
),
hours AS (
    SELECT hsm, client, date_sub('hour', event_at, $window_end) AS ago, count(*) AS connects, list(record_id) AS records
    FROM connects
    GROUP BY ALL
),
churn AS (
    SELECT hsm, client, any_value(connects) FILTER (ago = 0) AS connects, median(connects) FILTER (ago > 0) AS usual,
        any_value(records) FILTER (ago = 0) AS records
    FROM hours
    GROUP BY hsm, client
)
SELECT
    concat('client ', client, ' on ', hsm, ' is gone')      AS subject,
    last_at                                                 AS first_seen,
    greatest(last_at, $window_end)                          AS last_seen,
    'low'                                                   AS severity,
    hsm                                                     AS device,
    [client]                                                AS clients,
    CAST(date_sub('hour', last_at, $window_end) AS BIGINT)  AS hours,
    NULL                                                    AS connects,
    NULL                                                    AS usual,
    [record_id]                                             AS evidence
FROM gone
UNION ALL
SELECT concat('clients of ', hsm, ' are not back'), started_at, $window_end, 'medium', hsm, clients,
    CAST(date_sub('hour', started_at, $window_end) AS BIGINT), NULL, NULL, [record_id]
FROM not_back
UNION ALL
SELECT concat('client ', client, ' on ', hsm, ' is unstable'), $window_end - INTERVAL 1 HOUR, $window_end, 'medium', hsm, [client],
    1, connects, CAST(usual AS BIGINT), list_sort(records)[1:100]
FROM churn
WHERE connects >= $churn_least AND connects > usual * $churn_times
ORDER BY subject
