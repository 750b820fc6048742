/*
id         = "HARD-04"
title      = "Pair at risk"
kind       = "state"
severity   = "critical"
every      = "5m"
looks_back = "35d"
in_change_window = "lower"
needs = { partner = "pairs" }
finds = """
Both members of a declared pair are silent or out of service while others are heard: clients have nobody left (critical). Or
one member has carried the clients alone for more than a day (medium): the next fault takes the service down."""
blind_spots = """
Whether the members still share their keys is KEYS-06's, and whether clients use both only the clients know. Where only the
pair sends logs, its silence looks like our own: LOGS-08 and LOGS-01 tell that. A member that was never heard is LOGS-01's."""
runbook = """
1. critical: can the clients work? Call their owners, then the data centres of `down`; start the plan for the loss of a site.
2. `state` says whether a member is silent or says itself that it is out of service: HARD-03 has its words.
3. medium: bring the member of `down` back, let it catch up (KEYS-05), and see that clients return to it (NTLS-04).
4. Taken out of the pair on purpose? Change `partner` in the configuration."""
recommendations = ["6.1", "6.2", "6.4", "1.4"]
frameworks = ["SOC 2 A1.2", "ETSI EN 319 401 7.11", "ISO 27001 A.8.14"]
attack = { version = "19", techniques = ["T1499"] }

[parameters]
silent_minutes = { default = 15, why = "The provider's monitor alone gives a line every ten minutes." }
alone_hours    = { default = 24, why = "So long one member may carry the clients." }
states         = { default = ["OOS", "OFL", "OFT"], why = "States in which an appliance serves nobody." }
*/
WITH pairs AS (
    SELECT DISTINCT least(name, partner) AS one, greatest(name, partner) AS other FROM devices WHERE partner <> '' AND partner <> name
),
members AS (
    SELECT DISTINCT unnest([one, other]) AS name FROM pairs
),
lately AS (
    SELECT device AS name, max(received_at) AS at, arg_max(record_id, received_at) AS record_id
    FROM events
    WHERE received_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end AND transport <> 'import' AND device IN (SELECT name FROM members)
    GROUP BY ALL
),
earlier AS (  -- of a member that was not heard for a day; when there is none, nothing is read
    SELECT name, max(received_at) AS at, arg_max(record_id, received_at) AS record_id
    FROM (SELECT name FROM members WHERE name NOT IN (SELECT name FROM lately))
    JOIN events ON device = name
    WHERE received_at >= $window_start AND received_at < $window_end - INTERVAL 1 DAY AND transport <> 'import'
    GROUP BY ALL
),
heard AS (
    FROM lately UNION ALL FROM earlier
),
said AS (  -- the appliance's own word: the newest state, until it starts anew
    SELECT device AS name, arg_max((details->>'state'), (event_at, record_id)) AS state, max(event_at) AS at,
        arg_max(record_id, (event_at, record_id)) AS record_id
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'sysstat' AND operation = 'state'
      AND device IN (SELECT name FROM members)
    GROUP BY ALL
),
down AS (
    SELECT heard.name,
        CASE WHEN heard.at < $window_end - to_minutes($silent_minutes) THEN 'silent' ELSE said.state END             AS state,
        CASE WHEN heard.at < $window_end - to_minutes($silent_minutes) THEN heard.at ELSE said.at END                AS since,
        CASE WHEN heard.at < $window_end - to_minutes($silent_minutes) THEN heard.record_id ELSE said.record_id END  AS record_id
    FROM heard
    LEFT JOIN said ON said.name = heard.name
    WHERE heard.at < $window_end - to_minutes($silent_minutes) OR coalesce(list_contains($states, said.state), false)
),
judged AS (
    SELECT one, other, list_sort(list(name)) AS down, list(name || ' ' || state ORDER BY name) AS state,
        max(since) AS since, count(*) AS members, bool_and(state = 'silent') AS silent, list(record_id ORDER BY record_id) AS records
    FROM pairs
    JOIN down ON down.name IN (one, other)
    GROUP BY one, other
),
around AS (  -- others are heard now, and were before: it is not we who are deaf, or were until a moment ago
    SELECT one, other,
        bool_or(received_at >= $window_end - to_minutes($silent_minutes))  AS now_heard,
        bool_or(received_at < $window_end - to_minutes($silent_minutes))   AS heard_before
    FROM judged
    JOIN events ON events.received_at BETWEEN $window_end - to_minutes(3 * $silent_minutes) AND $window_end
        AND events.transport <> 'import' AND NOT list_contains(judged.down, events.device)
    GROUP BY one, other
)
SELECT
    concat('pair ', one, ' and ', other)   AS subject,
    since                                  AS first_seen,
    greatest(since, $window_end)           AS last_seen,
    if(members = 2, 'critical', 'medium')  AS severity,
    if(members = 2, one, down[1])          AS device,
    down,
    state,
    CAST(date_sub('minute', since, $window_end) AS BIGINT)  AS minutes,
    records                                                 AS evidence
FROM judged
LEFT JOIN around USING (one, other)
WHERE (NOT silent OR coalesce(now_heard AND heard_before, false))
  AND (members = 2 OR since < $window_end - to_hours($alone_hours))
ORDER BY subject
