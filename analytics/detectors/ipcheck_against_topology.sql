/*
id         = "CONF-02"
title      = "NTLS address check contradicts the topology"
kind       = "state"
severity   = "high"
every      = "1m"
looks_back = "3650d"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
NTLS checks that a client comes from the address in its certificate (`ntls ipcheck`). Off is right behind a proxy that hides
the clients' addresses (`behind_nva = true`), and a hole everywhere else: high. On behind such a proxy, clients fail: medium."""
blind_spots = """
The last word counts, a command's or that of imported console output: a check that was never set while this collector
listened is not observed (`hsmtrail baseline show` says so), nor is one that is set over the REST interface. `ntls ipcheck show`
prints its answer on the screen, not into the log: `hsmtrail baseline observe` takes it from a file."""
runbook = """
1. `ipcheck` is in force on `device` since `since`, set by `who`; the configuration says that it stands `behind_nva` or not.
   `source` is 'observed'? No command was seen that set it: console output, imported by `who`, shows it.
2. The configuration is right? Put the check back (`ntls ipcheck enable`, or `disable` behind a proxy) in a change window.
3. The device moved behind a proxy, or out from there? Write it into the configuration first, then change the check.
4. It was off without reason for a while? Look at NTLS-01 for that time: who came in from where?"""
recommendations = ["1.6", "1.5"]
frameworks = ["SOC 2 CC7.1", "CA/B NSR 1", "ISO 27001 A.8.9"]
attack = { version = "19", techniques = ["T1686"] }
*/
WITH told AS (
    SELECT record_id, event_at, received_at, device, value, coalesce(account, nullif(role, ''), '') AS who,
        'told' AS source, 0 AS observation
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND setting = 'ipcheck' AND value IN ('on', 'off') AND outcome = 'ok'
    UNION ALL  -- what console output showed, where it was not what commands had told
    SELECT record_id, event_at, imported_at, observed.device, value, who, source, observation
    FROM settings_told AS observed
    JOIN observations ON observations.id = observation
    WHERE event_at BETWEEN $window_start AND $window_end
      AND setting = 'ipcheck' AND value IN ('on', 'off') AND source = 'observed'
),
spans AS (
    SELECT *, lead(event_at) OVER (PARTITION BY device ORDER BY event_at, observation, record_id) AS until
    FROM told
),
standing AS (  -- as it is now, and what came and went since the judgement before
    SELECT spans.*, behind_nva, (value = 'off') = behind_nva AS agrees
    FROM spans
    JOIN devices ON devices.name = spans.device
    WHERE until IS NULL OR received_at > $judged_until
)
SELECT
    'address check of NTLS on ' || device                              AS subject,
    min(event_at)                                                      AS first_seen,
    max(coalesce(until, event_at))                                     AS last_seen,
    if(any_value(behind_nva), 'medium', 'high')                        AS severity,
    device,
    arg_max(value, (event_at, observation, record_id))                 AS ipcheck,
    any_value(behind_nva)                                              AS behind_nva,
    max(event_at)                                                      AS since,
    arg_max(who, (event_at, observation, record_id))                   AS who,
    arg_max(source, (event_at, observation, record_id))                AS source,
    list_sort(list(record_id))                                         AS evidence
FROM standing
WHERE NOT agrees
GROUP BY device
ORDER BY subject
