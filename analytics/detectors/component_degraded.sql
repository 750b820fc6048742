/*
id         = "HARD-02"
title      = "Power, fan, temperature, battery or disk"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "1d"
watches    = "command_class = 'health' OR family IN ('lunash', 'ntp')"
in_change_window = "lower"
finds = """
A part of the appliance is worse than upkeep explains: both power supplies within five minutes (critical), a supply that is
out for four hours (medium), a fan, a disk or the battery (high), the HSM's warning of heat (high), a board that is hot or
warms up fast (medium). A feed that is out for a while and comes back is the maintenance of a data centre: info."""
blind_spots = """
Fans and sensors are told when they cross a threshold, not while they stay beyond it. That a supply stays out is known when
the appliance goes on talking. A fan that is taken out tampers the HSM: that is HARD-01's."""
runbook = """
1. Read `texts`: which `part`, since when. Is the data centre working on its feeds? One supply that comes back needs no ticket.
2. Both supplies, or one for hours: ask the data centre now; the appliance runs on what is left.
3. Fan or temperature: before the HSM tampers itself at 80 degrees, move the load to the other member, then open a case.
4. Battery or disk: order the part; an HSM that loses power with an empty battery loses its keys."""
recommendations = ["4.1", "4.3"]
frameworks = ["SOC 2 A1.2", "CA/B BR 5.4.1(3)(5)", "NIS2 2024/2690 3.2 (l)"]
attack = { version = "19", techniques = [] }

[parameters]
both_minutes  = { default = 5, why = "Two supplies that go out so near each other are no maintenance of one feed." }
outage_hours  = { default = 4, why = "So long a supply may be out." }
hot           = { default = 70, why = "Degrees of a board from which on it is told; the HSM tampers itself above 80." }
rise          = { default = 10, why = "Degrees that a sensor may rise within a day." }
*/
WITH lines AS (
    SELECT record_id, event_at, family, operation, outcome, vendor_event, details,
        coalesce(nullif(device, ''), nullif(host, ''), peer)       AS hsm,
        coalesce((details->>'text'), (details->>'threshold'), '')  AS text
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation IN ('power', 'fan', 'temperature', 'voltage', 'battery', 'disk', 'state')
      AND family IN ('ipmi', 'alarm', 'system', 'hsm_audit')
),
power AS (
    SELECT record_id, event_at, hsm, regexp_extract(coalesce((details->>'number'), (details->>'sensor'), ''), '\d+') AS unit,
        coalesce(outcome = 'failed' OR regexp_matches((details->>'what'), '^(- )?Asserted') AND regexp_matches(text, '(?i)lost|fail|predictive'), false)  AS lost,
        coalesce(outcome = 'ok' OR regexp_matches((details->>'what'), 'Deasserted'), false)  AS restored
    FROM lines
    WHERE family = 'ipmi' AND (operation = 'power' AND outcome <> '' OR operation = 'state' AND (details->>'type') IN ('Power Supply', 'Power Unit'))
),
outages AS (  -- the first word of a supply that is out; sensor and daemon may both tell it
    SELECT *, lag(lost) OVER (PARTITION BY hsm, unit ORDER BY event_at) IS DISTINCT FROM true
            OR event_at - lag(event_at) OVER (PARTITION BY hsm, unit ORDER BY event_at) > $looks_back AS begins,
        min(if(restored, event_at, NULL)) OVER (PARTITION BY hsm, unit ORDER BY event_at RANGE BETWEEN CURRENT ROW AND $looks_back FOLLOWING)  AS back_at,
        arg_min(record_id, event_at) FILTER (restored) OVER (PARTITION BY hsm, unit ORDER BY event_at RANGE BETWEEN CURRENT ROW AND $looks_back FOLLOWING)  AS back_record
    FROM power
    WHERE lost OR restored
),
out AS (
    SELECT hsm, unit, event_at, record_id, back_at, back_record,
        coalesce(event_at - lag(event_at) OVER pairs <= to_minutes($both_minutes) AND lag(unit) OVER pairs <> unit, false)
            OR coalesce(lead(event_at) OVER pairs - event_at <= to_minutes($both_minutes) AND lead(unit) OVER pairs <> unit, false) AS both_out
    FROM outages
    WHERE lost AND begins
    WINDOW pairs AS (PARTITION BY hsm ORDER BY event_at, unit)
),
heard AS (  -- the appliance goes on
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, max(event_at) AS heard_at
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND (command_class = 'health' OR family IN ('lunash', 'ntp')) AND EXISTS (FROM out)
    GROUP BY hsm, date_trunc('hour', event_at)
),
still_out AS (
    SELECT out.record_id
    FROM out
    JOIN heard ON heard.hsm = out.hsm AND heard_at > out.event_at + to_hours($outage_hours) AND heard_at <= out.event_at + $looks_back
    WHERE back_at IS NULL
    GROUP BY ALL
),
readings AS (
    SELECT *, coalesce((details->>'sensor'), '') AS sensor, TRY_CAST((details->>'reading') AS DOUBLE) AS reading,
        TRY_CAST((details->>'reading') AS DOUBLE) - min(TRY_CAST((details->>'reading') AS DOUBLE)) OVER (
            PARTITION BY hsm, (details->>'sensor') ORDER BY event_at RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW) AS risen
    FROM lines
    WHERE operation = 'temperature' AND family = 'ipmi'
),
parts AS (
    SELECT record_id, event_at, hsm, 'fan ' || coalesce((details->>'sensor'), '?') AS part, 'high' AS severity, text
    FROM lines
    WHERE operation = 'fan' AND coalesce(starts_with((details->>'threshold'), 'Lower') = ((details->>'direction') = 'low'), true)
    UNION ALL
    SELECT record_id, event_at, hsm, 'temperature of the HSM', 'high', text FROM lines WHERE operation = 'temperature' AND vendor_event IS NOT NULL
    UNION ALL
    SELECT record_id, event_at, hsm, 'temperature ' || sensor, if(contains(text, 'Non-Recoverable'), 'high', 'medium'), text
    FROM readings
    WHERE reading >= $hot OR risen >= $rise
        OR coalesce(starts_with((details->>'threshold'), 'Upper') AND (details->>'direction') = 'high', false)
    UNION ALL
    SELECT record_id, event_at, hsm, 'voltage ' || coalesce((details->>'sensor'), '?'), 'medium', text FROM lines WHERE operation = 'voltage'
    UNION ALL
    SELECT record_id, event_at, hsm, 'battery', 'high', text FROM lines WHERE operation = 'battery'
    UNION ALL
    SELECT record_id, event_at, hsm, 'disk ' || coalesce((details->>'part'), ''), 'high', text FROM lines WHERE operation = 'disk' AND outcome = 'failed'
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, part ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM parts
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part ORDER BY event_at) AS run
    FROM steps
)
SELECT
    rtrim(part) || ' on ' || hsm                                            AS subject,
    min(event_at)                                                           AS first_seen,
    max(event_at)                                                           AS last_seen,
    if(bool_or(severity = 'high'), 'high', 'medium')                        AS severity,
    hsm                                                                     AS device,
    rtrim(part)                                                             AS part,
    NULL                                                                    AS out_minutes,
    coalesce(list_sort(list(DISTINCT text) FILTER (text <> ''))[1:10], [])  AS texts,
    list_sort(list(record_id))                                              AS evidence
FROM runs
GROUP BY hsm, part, run
UNION ALL
SELECT
    'power supply ' || unit || ' on ' || hsm,
    event_at,
    coalesce(back_at, event_at),
    CASE WHEN both_out THEN 'critical'
         WHEN record_id IN (SELECT record_id FROM still_out) OR back_at - event_at > to_hours($outage_hours) THEN 'medium'
         ELSE 'info' END,
    hsm,
    'power supply ' || unit,
    CAST(date_sub('minute', event_at, back_at) AS BIGINT),
    [if(back_at IS NULL, 'AC outage', 'AC outage, AC restored')],
    list_sort(list_filter([record_id, back_record], lambda one: one IS NOT NULL))
FROM out
ORDER BY first_seen, subject
