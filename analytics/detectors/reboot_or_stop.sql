/*
id         = "PRIV-05"
title      = "Reboot, power-off or stop of a service"
kind       = "episodes"
severity   = "medium"
every      = "live"
looks_back = "6h"
watches    = "family <> 'hsm_audit'"
in_change_window = "lower"
finds = """
Somebody rebooted the appliance, switched it off, or stopped or restarted one of its services. An appliance that is not
heard again a quarter of an hour after a reboot is critical, approved or not: some hang until the provider resets them."""
blind_spots = """
That an appliance is not back shows when others are heard, or when it is back at last; where there is no other, LOGS-01
tells it. What it says within three minutes may be its going down, unless it is the start of something. A restart that
nobody asked for is HARD-03's."""
runbook = """
1. `back` is false: can the appliance be reached? Open a case with the provider for a hard reboot (it may take two days), and
   see that the other member of the pair carries the clients (HARD-04, NTLS-04).
2. `accounts` and `sources` say who did it; match it with a ticket.
3. A service was stopped? `services` says which: without syslog and snmp nobody hears the device, without ntls no client works.
4. Nobody's ticket? Look at what `accounts` did before (PRIV-03), and treat the account as taken."""
recommendations = ["7.1", "4.2", "6.1"]
frameworks = ["PCI DSS 4.0.1 10.2.1.6", "PCI DSS 4.0.1 10.7.2", "CA/B BR 5.4.1(3)(5)", "NIS2 2024/2690 3.2 (k)"]
attack = { version = "19", techniques = ["T1529", "T1489"] }

[parameters]
return_minutes = { default = 15, why = "So long a reboot may take." }
down_minutes   = { default = 3, why = "What is heard so soon after the command may be the going down." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, account, source, command,
        coalesce((details->>'$.arguments[0]'), '')                                                         AS service,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                               AS hsm,
        concat_ws(' ', coalesce(nullif(device, ''), nullif(host, ''), peer), process_id, account, source)  AS session
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'lunash' AND command IS NOT NULL AND outcome <> 'failed'
      AND operation IN ('reboot', 'power_off', 'hsm_restart', 'service_stop', 'service_restart', 'log_off_load', 'log_clear')
),
off_loads AS (  -- logs are packed and cleared in one session; its restart of cbs is a part of that
    SELECT restart.record_id
    FROM acts AS restart
    JOIN acts AS other ON other.session = restart.session
        AND other.event_at BETWEEN restart.event_at - INTERVAL 1 HOUR AND restart.event_at + INTERVAL 1 HOUR
    WHERE restart.operation = 'service_restart' AND restart.service = 'cbs'
    GROUP BY restart.record_id
    HAVING bool_or(other.operation = 'log_off_load') AND bool_or(other.operation = 'log_clear')
),
stops AS (
    SELECT * FROM acts
    WHERE operation NOT IN ('log_off_load', 'log_clear') AND record_id NOT IN (SELECT record_id FROM off_loads)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, operation ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM stops
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, operation ORDER BY event_at) AS run
    FROM steps
),
acted AS (
    SELECT hsm, operation, run, min(event_at) AS first_seen, max(event_at) AS last_seen, count(*) AS times,
        coalesce(list_sort(list(DISTINCT service) FILTER (service <> '')), [])        AS services,
        coalesce(list_sort(list(DISTINCT account) FILTER (account IS NOT NULL)), [])  AS accounts,
        coalesce(list_sort(list(DISTINCT source) FILTER (source IS NOT NULL)), [])    AS sources,
        list(record_id)                                                               AS records
    FROM runs
    GROUP BY ALL
),
reboots AS (
    SELECT hsm, run, last_seen AS typed_at FROM acted WHERE operation = 'reboot'
),
after AS (  -- whoever is heard after a reboot: the appliance itself, or others
    SELECT reboots.hsm, run, any_value(reboots.typed_at) AS typed_at,
        min(event_at) FILTER (itself)                                                      AS back_at,
        arg_min(record_id, (event_at, record_id)) FILTER (itself)                          AS back_record,
        bool_or(NOT itself AND event_at > reboots.typed_at + to_minutes($return_minutes))  AS others
    FROM reboots
    JOIN (
        SELECT record_id, event_at, coalesce(nullif(device, ''), nullif(host, ''), peer) AS heard,
            operation = 'boot' OR operation = 'service_start' AND command IS NULL OR family = 'sysstat' AND coalesce((details->>'state') = 'Started', false) AS starts
        FROM events
        WHERE event_at BETWEEN $window_start AND $window_end AND family <> 'hsm_audit'
    ) AS lines ON event_at > reboots.typed_at AND event_at <= reboots.typed_at + $looks_back
    CROSS JOIN LATERAL (SELECT heard = reboots.hsm AS itself)
    WHERE NOT itself OR starts OR event_at > reboots.typed_at + to_minutes($down_minutes)
    GROUP BY reboots.hsm, run
),
returns AS (
    SELECT hsm, run, back_at, back_record,
        CASE WHEN back_at <= typed_at + to_minutes($return_minutes) THEN true WHEN back_at IS NOT NULL OR others THEN false END AS back
    FROM after
)
SELECT
    operation || ' on ' || acted.hsm                                            AS subject,
    first_seen,
    greatest(last_seen, coalesce(if(back, NULL, back_at), last_seen))  AS last_seen,
    if(NOT coalesce(back, true), 'critical', 'medium')                 AS severity,
    if(NOT coalesce(back, true), 'never', '')                          AS in_change_window,
    acted.hsm                                                          AS device,
    times,
    services,
    back,
    CAST(date_sub('minute', last_seen, back_at) AS BIGINT)                      AS away_minutes,
    accounts,
    sources,
    list_sort(list_distinct(list_concat(records, if(back_record IS NULL, [], [back_record]))))  AS evidence
FROM acted
LEFT JOIN returns ON acted.operation = 'reboot' AND returns.hsm = acted.hsm AND returns.run = acted.run
ORDER BY first_seen, subject
