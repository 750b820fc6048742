/*
id         = "LOGS-07"
title      = "Time is unreliable"
kind       = "state"
severity   = "medium"
every      = "5m"
looks_back = "35d"
in_change_window = "lower"
finds = """
What a device says of time cannot be trusted: its clock is behind or ahead of ours, lines come from the future, its clock was
set back, its time servers are lost, or the HSM's own clock was not set (`audit sync`) for more than a day, or was set while
the time servers were lost. Times of imported files and of a relay's queue that is being emptied are not judged."""
blind_spots = """
Our own clock is the measure: keep it synchronised. Behind is judged by the lines that came fastest, so a network that is
always slow looks like a clock that is slow. A clock that is behind by as much as a relay holds lines back is not told from
the relay. A device that never sent an audit record is not asked for `audit sync`."""
runbook = """
1. `what` and `seconds` say how far the clock of `device` is off; a difference of whole hours is a zone: see `time_zone` in the
   configuration and `hsmtrail status`.
2. Time servers lost? `sysconf ntp status`; a firewall on UDP 123 is the usual cause. Do not run `audit sync` before that is mended.
3. `audit sync` overdue? Put it into the auditor's daily script, after the time servers are there.
4. Set back on purpose? Look at who did what on `device` around `since`: the order of events is what such a step hides."""
recommendations = ["4.2"]
frameworks = ["PCI DSS 4.0.1 10.6", "NIST SP 800-53 AU-8", "NIST SP 800-53 AU-12(1)", "ETSI EN 319 401 7.10", "ISO 27001 A.8.17", "CIS Controls v8 8.4"]
attack = { version = "19", techniques = ["T1070.006"] }

[parameters]
medium_seconds   = { default = 5, why = "Further apart than this, two devices' events cannot be put in order." }
high_seconds     = { default = 60, why = "Further than this, certificates and reviews go wrong too." }
step_seconds     = { default = 1, why = "A clock that goes back further than this hides the order of events." }
sync_hours       = { default = 26, why = "Thales asks for `audit sync` every 24 hours; two hours of grace." }
lost_minutes     = { default = 60, why = "Time servers may be away for a moment." }
least_lines      = { default = 10, why = "Fewer lines within an hour prove nothing." }
steady_seconds   = { default = 120, why = "Lines that differ more than this from one another in delay are a queue that is emptied." }
*/
WITH offsets AS (
    SELECT record_id, received_at, device, if(family = 'hsm_audit', 'HSM clock', 'clock') AS clock,
        if(event_at_source = 'received', NULL, epoch(received_at) - epoch(event_at))    AS seconds,
        contains(trouble, 'years after its arrival')                                    AS beyond_belief  -- another clock counts
    FROM events
    WHERE received_at BETWEEN date_trunc('hour', $window_end) - INTERVAL 1 HOUR AND $window_end  -- so that evidence stays for an hour
      AND transport <> 'import' AND device <> '' AND (event_at_source <> 'received' OR beyond_belief)
),
clocks AS (
    SELECT device, clock, count(seconds) AS lines, min(seconds) AS fastest, median(seconds) AS middle,
        quantile_cont(seconds, 0.9) - quantile_cont(seconds, 0.1)                   AS usual_spread,
        min(received_at) AS oldest, max(received_at) AS newest, arg_min(record_id, received_at) AS record_id,
        count_if(beyond_belief OR seconds < -$high_seconds)                         AS from_future,
        coalesce(min(record_id) FILTER (beyond_belief), arg_min(record_id, seconds)) AS future_record
    FROM offsets
    GROUP BY ALL
),
off AS (
    SELECT device, clock, 'behind' AS what, fastest AS seconds, oldest, newest, record_id FROM clocks
    WHERE lines >= $least_lines AND fastest > $medium_seconds AND usual_spread <= $steady_seconds
    UNION ALL
    SELECT device, clock, 'ahead', -middle, oldest, newest, record_id FROM clocks
    WHERE lines >= $least_lines AND middle < -$medium_seconds AND usual_spread <= $steady_seconds
    UNION ALL
    SELECT device, clock, 'lines from the future', $high_seconds + 1, oldest, newest, future_record FROM clocks
    WHERE from_future > 0 AND NOT (lines >= $least_lines AND middle < -$medium_seconds AND usual_spread <= $steady_seconds)
),
numbered AS (  -- what newly came, and two hours: all of a day's records are too many to put into order every five minutes
    SELECT record_id, device, event_at, audit_sequence,
        lag(event_at) OVER in_order AS before, lag(audit_sequence) OVER in_order AS number_before, lag(record_id) OVER in_order AS record_before
    FROM audit_records
    WHERE event_at BETWEEN least($window_end - INTERVAL 2 HOUR, $judged_until) AND $window_end AND device <> '' AND event_at_source IN ('raw_block', 'record')
      AND event_at > $window_start
    WINDOW in_order AS (PARTITION BY device, hsm_serial ORDER BY audit_sequence)
),
steps_back AS (
    SELECT device, event_at, epoch(before) - epoch(event_at) AS seconds, [record_before, record_id] AS records
    FROM numbered
    WHERE audit_sequence = number_before + 1 AND event_at < before - to_seconds($step_seconds)
    UNION ALL
    SELECT device, event_at, -TRY_CAST(details->>'seconds' AS DOUBLE), [record_id]
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end AND device <> '' AND operation = 'time_set'
      AND (family = 'ntp' AND TRY_CAST(details->>'seconds' AS DOUBLE) < -$step_seconds OR vendor_event = 'MSG_RTC_ROLLED_BACK')
),
servers AS (  -- the newest word on time servers, and when the bad news began
    SELECT device, event_at, record_id, outcome,
        max(event_at) FILTER (outcome = 'ok') OVER (PARTITION BY device) AS last_good,
        max(event_at) OVER (PARTITION BY device) AS newest
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 7 DAY AND $window_end AND device <> '' AND family = 'ntp'
      AND operation = 'time_sync' AND outcome <> ''
),
lost AS (
    SELECT device, min(event_at) AS since, max(event_at) AS newest, list_sort(list(record_id)) AS records
    FROM servers
    WHERE outcome = 'failed' AND (last_good IS NULL OR event_at > last_good)
    GROUP BY device
),
syncs AS (
    SELECT device, received_at, event_at, record_id, transport
    FROM events
    WHERE received_at BETWEEN $window_start AND $window_end AND device <> '' AND operation = 'time_sync' AND outcome <> 'failed'
      AND (command = 'audit sync' OR vendor_event = 'LUNA_LOG_SET_TIME')
),
last_sync AS (
    SELECT device, max(received_at) AS synced_at, arg_max(record_id, received_at) AS record_id FROM syncs WHERE transport <> 'import' GROUP BY device
),
bad_syncs AS (  -- set by a host whose own servers were lost at that moment
    SELECT syncs.device, syncs.event_at, [servers.record_id, syncs.record_id] AS records
    FROM syncs
    ASOF JOIN servers ON servers.device = syncs.device AND servers.event_at <= syncs.event_at
    WHERE syncs.event_at > $window_end - INTERVAL 1 DAY AND servers.outcome = 'failed'
),
heard AS (  -- devices whose audit records have come for longer than a sync may take
    SELECT device, min(received_at) AS first, max(received_at) AS newest
    FROM events
    WHERE received_at BETWEEN $window_end - to_hours($sync_hours) * 2 AND $window_end
      AND transport <> 'import' AND family = 'hsm_audit' AND device IN (SELECT name FROM devices WHERE profile <> 'decommissioning')
    GROUP BY device
    HAVING min(received_at) < $window_end - to_hours($sync_hours)
)
SELECT
    concat(clock, ' of ', device)                                 AS subject,
    oldest                                                        AS first_seen,
    newest                                                        AS last_seen,
    if(seconds > $high_seconds, 'high', 'medium')                 AS severity,
    device,
    what,
    CAST(round(seconds) AS BIGINT)                                AS seconds,
    oldest                                                        AS since,
    [record_id]                                                   AS evidence
FROM off
UNION ALL
SELECT 'clock set back on ' || device, min(event_at), max(event_at), 'high', device, 'set back', CAST(ceil(max(seconds)) AS BIGINT), min(event_at),
    list_sort(list_distinct(flatten(list(records))))
FROM steps_back
GROUP BY device
UNION ALL
SELECT 'time servers of ' || device, since, newest, 'medium', device, 'lost', CAST(epoch($window_end) - epoch(since) AS BIGINT), since, records
FROM lost
WHERE since < $window_end - to_minutes($lost_minutes)
UNION ALL
SELECT 'audit sync on ' || heard.device, coalesce(synced_at, first), newest, 'medium', heard.device,
    if(synced_at IS NULL, 'never run', 'overdue'), CAST(epoch($window_end) - epoch(coalesce(synced_at, first)) AS BIGINT), coalesce(synced_at, first), [record_id]
FROM heard
LEFT JOIN last_sync ON last_sync.device = heard.device
WHERE synced_at IS NULL OR synced_at < $window_end - to_hours($sync_hours)
UNION ALL
SELECT 'audit sync without time servers on ' || device, min(event_at), max(event_at), 'high', device, 'set while time servers were lost', NULL, min(event_at),
    list_sort(list_distinct(flatten(list(records))))
FROM bad_syncs
GROUP BY device
ORDER BY subject
