/*
id         = "HARD-03"
title      = "HSM fault, or a restart that nobody asked for"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "2d"
watches    = "operation IN ('fault', 'state', 'boot', 'uptime', 'reboot', 'power_off', 'hsm_restart', 'firmware_update', 'package_update') OR family IN ('alarm', 'lunash')"
in_change_window = "lower"
finds = """
The HSM or its appliance reports a hardware error, a halt, a fatal firmware error or that it is out of service; or the
appliance has started although nobody rebooted it and no change was approved: it lost its power, crashed, or somebody
pulled a plug. A restart shows as boot lines, or as an uptime that is shorter than it should be."""
blind_spots = """
An appliance whose earlier lines are not here may have been rebooted by somebody: its first start is not judged. What a
number of the system state means is in the manual only. A restart and the next within an hour of a command are the command's."""
runbook = """
1. `what` and `texts` say what happened. A restart: ask the data centre about power, the provider about maintenance (a case?).
2. A fault: fetch `hsm supportinfo`, open a case with the texts in evidence, see that the partner carries the clients (HARD-04).
3. More restarts than one? The operating system's patch (KB0019789) may be missing; plan it.
4. Look at HARD-01 and HARD-02 around `first_seen`: a tamper restarts the HSM as well."""
recommendations = ["4.1", "7.1", "6.1"]
frameworks = ["CA/B BR 5.4.1(3)(5)", "PCI DSS 4.0.1 10.7.2", "SOC 2 CC7.2"]
attack = { version = "19", techniques = ["T1529"] }

[parameters]
alarms            = { default = ["ALM0012", "ALM0016", "ALM0017", "ALM1000", "ALM1003", "ALM1004"], why = "Alarms of the HSM's own health; tampers are HARD-01's." }
states            = { default = ["OOS", "OFL", "OFT"], why = "States of the appliance in which it serves nobody." }
explained_minutes = { default = 60, why = "A start within so long after a command or an update is its work." }
grace_minutes     = { default = 15, why = "Clocks drift and changes overrun: forgive this much on both sides." }
*/
WITH lines AS (
    SELECT record_id, event_at, family, operation, outcome, vendor_event, command, details,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation IN ('fault', 'state', 'boot', 'uptime', 'reboot', 'power_off', 'hsm_restart', 'firmware_update', 'package_update')
           OR family = 'alarm')
),
heard AS (  -- an hour in which an appliance said something is one row
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, min(event_at) AS first, max(event_at) AS last
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation IN ('fault', 'state', 'boot', 'uptime', 'reboot', 'power_off', 'hsm_restart', 'firmware_update', 'package_update')
           OR family IN ('alarm', 'lunash'))
    GROUP BY hsm, date_trunc('hour', event_at)
),
asked AS (
    SELECT hsm, event_at FROM lines
    WHERE command IS NOT NULL AND outcome <> 'failed' AND operation IN ('reboot', 'power_off', 'hsm_restart', 'firmware_update', 'package_update')
),
faults AS (
    SELECT record_id, event_at AS happened_at, event_at, hsm, 'fault' AS what,
        concat_ws(' ', vendor_event, (details->>'state'), coalesce((details->>'text'), (details->>'errors'), (details->>'code_text'), (details->>'dump'))) AS text
    FROM lines
    WHERE family = 'alarm' AND list_contains($alarms, vendor_event)
       OR family = 'oamp' AND operation = 'fault' AND (outcome = 'failed' OR (details->>'level') = 'CRIT')
       OR family = 'sysstat' AND operation = 'state' AND list_contains($states, (details->>'state'))
       OR family = 'hsm_audit' AND operation = 'fault' AND vendor_event NOT IN ('MSG_BAD_HMAC', 'MSG_LOG_WAS_TRUNCATED')
),
uptimes AS (  -- '6:50', '35 min', '12 days, 3:04'; only the first day tells a start that is new
    SELECT record_id, event_at, hsm,
        event_at - to_minutes(CASE WHEN regexp_matches(up, '^\d+:\d+$') THEN CAST(split_part(up, ':', 1) AS BIGINT) * 60 + CAST(split_part(up, ':', 2) AS BIGINT)
                                   WHEN regexp_matches(up, '^\d+ min') THEN CAST(split_part(up, ' ', 1) AS BIGINT) END) AS happened_at
    FROM (SELECT record_id, event_at, hsm, trim((details->>'up')) AS up FROM lines WHERE operation = 'uptime')
    WHERE regexp_matches(up, '^(\d{1,2}:\d{2}|\d{1,2} min.*)$')
),
starts AS (
    SELECT record_id, event_at AS happened_at, event_at, hsm, (details->>'text') AS text
    FROM lines
    WHERE operation = 'boot' OR family = 'sysstat' AND operation = 'state' AND (details->>'state') = 'Started'
       OR family = 'hsm_audit' AND operation = 'hsm_restart'
    UNION ALL
    SELECT record_id, happened_at, event_at, hsm, 'uptime' FROM uptimes WHERE happened_at IS NOT NULL
),
unasked AS (
    SELECT record_id, happened_at, event_at, hsm, 'restart' AS what, coalesce(text, '') AS text
    FROM starts
    WHERE EXISTS (  -- it was there before
          FROM heard WHERE heard.hsm = starts.hsm AND first <= starts.happened_at - INTERVAL 10 MINUTE AND last >= starts.happened_at - INTERVAL 1 DAY
            AND (first >= starts.happened_at - INTERVAL 1 DAY OR last <= starts.happened_at - INTERVAL 10 MINUTE))
      AND NOT EXISTS (
          FROM asked WHERE asked.hsm = starts.hsm
            AND asked.event_at BETWEEN starts.happened_at - to_minutes($explained_minutes) AND starts.happened_at + INTERVAL 5 MINUTE)
      AND NOT EXISTS (
          FROM change_windows AS approved
          WHERE approved.device = starts.hsm
            AND starts.happened_at BETWEEN approved.starts_at - to_minutes($grace_minutes) AND approved.ends_at + to_minutes($grace_minutes))
),
members AS (
    SELECT * FROM faults
    UNION ALL
    SELECT * FROM unasked
),
steps AS (
    SELECT *, coalesce(happened_at - lag(happened_at) OVER (PARTITION BY hsm, what ORDER BY happened_at) > INTERVAL 1 HOUR, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, what ORDER BY happened_at) AS run
    FROM steps
)
SELECT
    if(what = 'restart', 'restart that nobody asked for on ', 'fault on ') || hsm  AS subject,
    min(happened_at)                                                               AS first_seen,
    max(event_at)                                                                  AS last_seen,
    hsm                                                                            AS device,
    what,
    coalesce(list_sort(list(DISTINCT text) FILTER (text <> ''))[1:10], [])  AS texts,
    list_sort(list(record_id))                                              AS evidence
FROM runs
GROUP BY hsm, what, run
ORDER BY first_seen, subject
