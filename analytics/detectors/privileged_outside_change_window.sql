/*
id         = "PRIV-03"
title      = "Privileged operation outside a change window"
kind       = "episodes"
severity   = "medium"
every      = "5m"
looks_back = "3h"
watches    = "family IN ('lunash', 'hsm_audit') AND (command_class NOT IN ('session', 'read', 'use', 'key', 'health', 'other') OR outcome = 'failed' AND command IS NOT NULL)"
in_change_window = "lower"
finds = """
Somebody changed something about an HSM (an account, a partition, a policy, a setting, a service, a log target, the
firmware) at a time that no approved change of that device covers. The command and the audit record of the same work
are one finding. A burst of refused commands, whatever they were, is a finding too."""
blind_spots = """
A change window says when and on which device, not what: anything may be done in it. What is done over the REST
interface leaves no command line. One refused command alone is not judged."""
runbook = """
1. Find the person: `accounts` and `sources` say which credential was used and from where.
2. `operations`, `commands` and `settings` say what was done. A real change without a ticket? Have it approved after the
   fact and record the window (`hsmtrail changes add`): the finding goes.
3. Nobody knows of it? Treat it as an incident: freeze the account, compare the configuration with the baseline (CONF-07).
4. Refused commands: an account that tries what it may not do. Ask why before it finds a way."""
recommendations = ["3.3", "3.1", "4.3"]
frameworks = ["CA/B NSR 3a", "PCI DSS 4.0.1 10.2.1.2", "NIST SP 800-53 AU-6", "SOC 2 CC8.1"]
attack = { version = "19", techniques = ["T1059.008"] }

[parameters]
classes         = { default = ["privileged", "config", "logging", "availability"], why = "Classes of operations that need an approved change; destructive is PRIV-01's, log_tampering LOGS-05's." }
grace_minutes   = { default = 15, why = "Clocks drift and changes overrun: forgive this much on both sides." }
ignore          = { default = ["log_external"], why = "Of these classes, yet not done by an administrator." }
high_operations = { default = ["audit_secret_export", "module_load"], why = "Let secrets or code in or out: high." }
refused         = { default = 5, why = "Refused commands within ten minutes that make a burst." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command_class, outcome, command, setting, value, account, source, role, family,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                    AS hsm,
        concat_ws(' ', family, pattern, operation)                                              AS form,
        concat_ws(' ', coalesce(nullif(device, ''), nullif(host, ''), peer), process_id, account, source)  AS session,
        coalesce(operation = 'service_restart' AND CAST(details->'arguments' AS VARCHAR) LIKE '%cbs%', false)  AS restarts_cbs
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND family IN ('lunash', 'hsm_audit') AND (command IS NOT NULL OR vendor_event LIKE 'LUNA%')
      AND (command_class NOT IN ('session', 'read', 'use', 'key', 'health', 'other') OR outcome = 'failed' AND command IS NOT NULL)
),
off_loads AS (  -- logs are packed and cleared in one session; its restart of cbs is a part of that
    SELECT restart.record_id
    FROM acts AS restart
    JOIN acts AS other ON other.session = restart.session
        AND other.event_at BETWEEN restart.event_at - INTERVAL 1 HOUR AND restart.event_at + INTERVAL 1 HOUR
    WHERE restart.restarts_cbs AND other.outcome <> 'failed'
    GROUP BY restart.record_id
    HAVING bool_or(other.operation = 'log_off_load') AND bool_or(other.operation = 'log_clear')
),
unapproved AS (
    SELECT *, 'unapproved change' AS what, INTERVAL 15 MINUTE AS apart
    FROM acts
    WHERE list_contains($classes, command_class) AND NOT list_contains($ignore, operation) AND outcome <> 'failed'
      AND record_id NOT IN (SELECT record_id FROM off_loads)
      AND NOT EXISTS (
          FROM change_windows AS approved
          WHERE approved.device = acts.hsm
            AND acts.event_at BETWEEN approved.starts_at - to_minutes($grace_minutes)
                                  AND approved.ends_at + to_minutes($grace_minutes)
      )
),
refusals AS (
    SELECT *,
        count(*) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) >= $refused AS hot
    FROM acts
    WHERE outcome = 'failed' AND family = 'lunash'
),
members AS (
    FROM unapproved
    UNION ALL BY NAME
    SELECT * EXCLUDE (hot), 'refused commands' AS what, INTERVAL 10 MINUTE AS apart
    FROM refusals
    QUALIFY bool_or(hot) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, what ORDER BY event_at) > apart, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, what ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, what, run, operation, form, count(*) AS times, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT command) FILTER (command IS NOT NULL)                                       AS commands,
        list(DISTINCT concat_ws(' = ', setting, value)) FILTER (setting IS NOT NULL)              AS settings,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL) AS accounts,
        list(DISTINCT source) FILTER (source IS NOT NULL)                                         AS sources,
        list(record_id)                                                                           AS records
    FROM runs
    GROUP BY ALL
),
operations AS (  -- an operation was done as often as the form of line that tells it most often says
    SELECT hsm, what, run, operation, max(times) AS times, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        flatten(list(commands)) AS commands, flatten(list(settings)) AS settings, flatten(list(accounts)) AS accounts,
        flatten(list(sources)) AS sources, flatten(list(records)) AS records
    FROM witnesses
    GROUP BY ALL
)
SELECT
    what || ' on ' || hsm                                                                   AS subject,
    min(first_seen)                                                                         AS first_seen,
    max(last_seen)                                                                          AS last_seen,
    if(what = 'unapproved change' AND bool_or(list_contains($high_operations, operation)), 'high', 'medium')  AS severity,
    hsm                                                                                     AS device,
    CAST(sum(times) AS BIGINT)                                                              AS times,
    list_sort(list(DISTINCT operation))                                                     AS operations,
    list_sort(list_distinct(flatten(list(commands))))                                       AS commands,
    list_sort(list_distinct(flatten(list(settings))))                                       AS settings,
    list_sort(list_distinct(flatten(list(accounts))))                                       AS accounts,
    list_sort(list_distinct(flatten(list(sources))))                                        AS sources,
    list_sort(flatten(list(records)))                                                       AS evidence
FROM operations
GROUP BY hsm, what, run
ORDER BY first_seen, subject
