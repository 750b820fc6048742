/*
id         = "LOGS-05"
title      = "Logs cleared or removed"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "2h"
watches    = "operation IN ('log_clear', 'log_off_load', 'log_rotate', 'file')"
in_change_window = "lower"
finds = """
Somebody cleared the HSM's audit log or the appliance's logs. Packed first (`audit log tarlogs`) and cleared afterwards in
the same session, as the manual advises every day, is info. Cleared without having been packed there is critical, and
`syslog cleanup` is high: what was written since the last copy may exist nowhere but here. Rotating twice within ten
minutes, or just before a cleanup, pushes what happened out of the log: high."""
blind_spots = """
Packed is not fetched: whether somebody has the file is not logged. Logs that are deleted below the Luna shell leave no
line at all. What was sent to this collector before is here whatever happens there."""
runbook = """
1. `critical`: fetch what is left on `device` now (`audit log list`, `audit log tarlogs`), and see what this collector has.
2. LOGS-02 says whether audit records are missing here: if not, nothing is lost.
3. Ask `accounts` what it was for; look at what they did on `device` in the hours before `first_seen`: what was to be hidden?
4. `what` is a daily off-load that forgot to pack? Mend the script: tarlogs, fetch, clear, restart cbs, in one session."""
recommendations = ["4.2", "4.4"]
frameworks = ["PCI DSS 4.0.1 10.2.1.6", "PCI DSS 4.0.1 10.3.2", "NIST SP 800-53 AU-9", "CA/B BR 5.4.4", "CA/B code-signing BR 5.4.1.2(3)"]
attack = { version = "19", techniques = ["T1685.006"] }

[parameters]
session_minutes = { default = 60, why = "So long before clearing the logs may have been packed, in the same session." }
rotations       = { default = 2, why = "Rotations within ten minutes: one is housekeeping." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, command, account, source, outcome <> 'failed' AS done,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                                                     AS hsm,
        concat_ws(' ', family, pattern, operation)                                                               AS form,
        concat_ws(' ', coalesce(nullif(device, ''), nullif(host, ''), peer), process_id, account, source)        AS session
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation IN ('log_clear', 'log_off_load', 'log_rotate', 'file') AND command IS NOT NULL
),
packed AS (  -- packed before it was cleared, in one session
    SELECT DISTINCT clear.record_id
    FROM acts AS clear
    JOIN acts AS pack ON pack.session = clear.session
        AND pack.event_at BETWEEN clear.event_at - to_minutes($session_minutes) AND clear.event_at
    WHERE clear.command = 'audit log clear' AND pack.command = 'audit log tarlogs' AND pack.done
),
judged AS (
    SELECT *,
        CASE
            WHEN operation = 'log_clear' AND NOT done                                  THEN 'refused'
            WHEN command = 'audit log clear' AND record_id IN (FROM packed)            THEN 'off-load'
            WHEN command = 'audit log clear'                                           THEN 'audit log cleared, not packed'
            WHEN operation = 'log_clear'                                               THEN 'appliance logs removed'
            WHEN operation = 'log_rotate' AND done AND (
                count_if(operation = 'log_rotate' AND done) OVER (PARTITION BY hsm, form ORDER BY event_at
                    RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND INTERVAL 10 MINUTE FOLLOWING) >= $rotations
                OR count_if(operation = 'log_clear' AND done) OVER (PARTITION BY hsm ORDER BY event_at
                    RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING) > 0)   THEN 'rotated away'
            WHEN operation = 'file' AND done AND command IN ('my file clear', 'my file delete')
                AND count_if(operation = 'log_clear' AND done AND command <> 'audit log clear') OVER (PARTITION BY hsm ORDER BY event_at
                    RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND INTERVAL 10 MINUTE FOLLOWING) > 0  THEN 'files removed'
        END AS what
    FROM acts
),
steps AS (
    SELECT *, what = 'off-load' AS daily,
        coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, what = 'off-load' ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM judged
    WHERE what IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, daily ORDER BY event_at) AS run
    FROM steps
)
SELECT
    if(daily, 'log off-load on ', 'logs on ') || hsm                                        AS subject,
    min(event_at)                                                                           AS first_seen,
    max(event_at)                                                                           AS last_seen,
    CASE
        WHEN daily                                                       THEN 'info'
        WHEN bool_or(what = 'audit log cleared, not packed')             THEN 'critical'
        WHEN bool_or(what <> 'refused')                                  THEN 'high'
        ELSE 'medium'
    END                                                                                     AS severity,
    hsm                                                                                     AS device,
    list_sort(list(DISTINCT what))                                                          AS what,
    list_sort(list(DISTINCT command))                                                       AS commands,
    list_sort(list(DISTINCT account) FILTER (account IS NOT NULL))                          AS accounts,
    list_sort(list(DISTINCT source) FILTER (source IS NOT NULL))                            AS sources,
    list_sort(list(record_id))                                                              AS evidence
FROM runs
GROUP BY hsm, daily, run
ORDER BY first_seen, subject
