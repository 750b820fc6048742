/*
id         = "LOGS-06"
title      = "Log store filling"
kind       = "state"
severity   = "medium"
every      = "5m"
looks_back = "2d"
in_change_window = "lower"
finds = """
The place where logs are kept is running full: the HSM's audit log (a return code, LOG_FULL, says that it is), the
appliance's disk (a line says so, or says how full it is), or our own: it is nearly full, will be within a month at the rate of
the last day, or the receiver refused lines for want of room. A full audit log stops most of what an HSM does, and lets log-ins go
by unlogged. What an appliance says is of the last 24 hours; clearing the audit log ends what was said of it, and lines that were
refused are of the last hour."""
blind_spots = """
How full a disk is stands in the log only if the appliance says so in words that a pattern or this query knows; `status disk`
prints it on the screen. Our own disk is looked at once an hour, and not judged in the first day of an installation: until then its
rate is that of whatever was loaded first. A service that does not run does not look: watch the disk from outside as well."""
runbook = """
1. `percent` 100, `what` of the audit log? Now: `audit log tarlogs`, fetch, `audit log clear`, `service restart cbs`, as the auditor.
2. What was done since `since` may be logged nowhere: say so in the review (log-ins go on when the log is full).
3. The appliance's disk? `syslog tarlogs`, fetch, then clean up in a change window; look for what fills it.
4. Our own? Make room below `data_dir`, or move it: senders on TCP wait meanwhile, UDP is lost and counted (LOGS-08)."""
recommendations = ["4.2"]
frameworks = ["NIST SP 800-53 AU-4", "NIST SP 800-53 AU-5(1)", "PCI DSS 4.0.1 10.7.2"]
attack = { version = "19", techniques = ["T1499"] }

[parameters]
days_left      = { default = 30, why = "A month to find room, or to seal and move the archive." }
medium_percent = { default = 75, why = "As full as this, there is time to act: FedRAMP asks for a warning here." }
high_percent   = { default = 90, why = "As full as this, it may be full before anybody looks again." }
*/
WITH full_logs AS (
    SELECT record_id, event_at, coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end
      AND family IN ('hsm_audit', 'lunash') AND (return_name LIKE '%LOG_FULL' OR return_name LIKE '%LOG_FILE_WRITE_ERROR' OR return_code = 2147486979)
),
emptied AS (
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, max(event_at) AS emptied_at
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end AND command = 'audit log clear' AND outcome = 'ok'
    GROUP BY ALL
),
lines AS (  -- in whatever words: a program of the appliance's own, a disk or a log, and how full
    SELECT record_id, event_at, coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm,
        lower(regexp_extract(message, '(?i)\b(disk|file ?system|audit log|log)\b', 1))                                       AS place,
        if(regexp_matches(message, '(?i)no space left on device|\b(disk|file ?system|log)( is| file)? full\b'), 100,
           TRY_CAST(regexp_extract(message, '(?i)\b(?:disk|file ?system|log)\b.*?\b(\d{1,3}) ?%', 1) AS INTEGER))            AS percent
    FROM events
    WHERE event_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end
      AND family IN ('system', 'sysstat', 'oamp', 'snmp') AND operation IN ('', 'other', 'disk', 'fault', 'state', 'alarm')
      AND regexp_matches(message, '(?i)no space left on device|\b(disk|file ?system|log)\b.*(\bfull\b|\d ?%)')
),
newest AS (
    SELECT hsm, place, arg_max(percent, (event_at, record_id)) AS percent, max(event_at) AS told_at, arg_max(record_id, (event_at, record_id)) AS record_id
    FROM lines
    WHERE percent BETWEEN 0 AND 100
    GROUP BY ALL
),
own AS (  -- the newest look at our own disk
    SELECT looked_at, 100.0 * (1 - free_bytes / total_bytes) AS percent, days_left
    FROM room
    WHERE looked_at BETWEEN $window_end - INTERVAL 1 DAY AND $window_end
      AND (SELECT min(minute) FROM custody WHERE listener <> 'import') < $window_end - INTERVAL 1 DAY
    QUALIFY row_number() OVER (ORDER BY looked_at DESC) = 1
)
SELECT
    'audit log of ' || hsm                                    AS subject,
    min(event_at)                                             AS first_seen,
    max(event_at)                                             AS last_seen,
    'critical'                                                AS severity,
    hsm                                                       AS device,
    'the audit log is full'                                   AS what,
    100                                                       AS percent,
    min(event_at)                                             AS since,
    list_sort(list(record_id))                                AS evidence
FROM full_logs
LEFT JOIN emptied USING (hsm)
WHERE emptied_at IS NULL OR event_at > emptied_at
GROUP BY hsm
UNION ALL
SELECT
    concat(coalesce(nullif(place, ''), 'disk'), ' space of ', hsm), told_at, told_at,
    CASE WHEN percent >= 100 THEN 'critical' WHEN percent >= $high_percent THEN 'high' ELSE 'medium' END,
    hsm, 'the appliance says so', percent, told_at, [record_id]
FROM newest
WHERE percent >= $medium_percent
UNION ALL
SELECT
    'our own disk', min(minute), max(minute), 'critical', '', 'lines were refused for want of room', 100, min(minute), []
FROM custody_balance
WHERE minute BETWEEN least($window_end - INTERVAL 1 HOUR, $judged_until) AND $window_end
  AND TRY_CAST(refused_reasons->>'disk_full' AS UBIGINT) > 0 AND minute > $window_start
HAVING count(*) > 0
UNION ALL
SELECT 'our own disk', looked_at, looked_at, if(percent >= $high_percent, 'high', 'medium'), '',
    if(percent >= $medium_percent, 'it is filling', concat('full in ', CAST(floor(days_left) AS BIGINT), ' days at the rate of the last day')),
    CAST(floor(percent) AS INTEGER), looked_at, []
FROM own
WHERE percent >= $medium_percent OR days_left < $days_left
ORDER BY subject
