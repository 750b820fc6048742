/*
id         = "LOGS-08"
title      = "Pipeline loses or cannot read lines"
kind       = "state"
severity   = "high"
every      = "5m"
looks_back = "8d"
in_change_window = "never"
finds = """
Lines did not reach the store, or reached it unread. High: the kernel dropped messages, the receiver refused some that it
should have taken, its sums leave something open, or every source fell silent at once (then it is more likely our network
than theirs). Medium: messages were longer than they may be and were cut, or lines took more than five minutes from the disk
into the store. High or low: more than 10 %, or 1 %, of a device's lines within an hour are of no known form. In the week
after a device's software was changed that is low: new software speaks new words, and the lines are kept."""
blind_spots = """
What was lost before this machine's kernel saw it is not counted here: the HSM's own numbers tell that (LOGS-02), and only of
audit records. UDP has no receipt. Connections that were reset are in `hsmtrail status`, not here. A service that is dead
runs no query: watch it from outside."""
runbook = """
1. `what` and `messages`: the kernel dropped? Give the listener a larger `receive_buffer`, or move the loudest sender to TCP.
2. Refused? `reasons` names it: disk_full first, flooding is one sender who is too loud, too_many_connections is a bound.
3. `sums` are open: run `hsmtrail verify`, and tell the developers of hsmtrail.
4. Unread lines? `hsmtrail status` lists the new `forms`: write a pattern for them, then `hsmtrail reparse`: nothing is lost.
5. Everybody silent? Look at this machine's network first, then at the VPN, then at the HSMs."""
recommendations = ["4.2", "4.3"]
frameworks = ["PCI DSS 4.0.1 10.7.2", "NIST SP 800-53 AU-5", "SOC 2 CC7.2", "DORA Art. 12"]
attack = { version = "19", techniques = [] }

[parameters]
low_percent    = { default = 1.0, why = "More unread lines than this and something changed." }
high_percent   = { default = 10.0, why = "More than this and what matters may be among them." }
least_unread   = { default = 10, why = "Fewer unread lines within an hour are a stray." }
grace_days     = { default = 7, why = "After an update new forms are expected, and patterns for them are on their way." }
lag_minutes    = { default = 5, why = "Central copies within five minutes: NIST SP 800-92 for systems of high impact." }
silent_minutes = { default = 15, why = "As long as one device may be silent." }
harmless       = { default = ["not_allowed", "empty"], why = "Refused because they were none of ours, or nothing." }
*/
WITH minutes AS (  -- the last hour, and what came and went since the judgement before
    SELECT * FROM custody_balance
    WHERE minute > least($window_end - INTERVAL 1 HOUR, $judged_until) AND minute <= $window_end AND minute > $window_start AND listener <> 'import'
),
refused AS (
    SELECT listener, minute, reason, TRY_CAST(refused_reasons->>reason AS BIGINT) AS messages
    FROM (SELECT listener, minute, refused_reasons, unnest(json_keys(refused_reasons)) AS reason FROM minutes)
    WHERE NOT list_contains($harmless, reason)
),
losses AS (
    SELECT listener, 'the kernel dropped messages' AS what, 'high' AS severity, sum(kernel_dropped) AS messages,
        min(minute) AS first_seen, max(minute) AS last_seen, CAST([] AS VARCHAR[]) AS reasons
    FROM minutes WHERE kernel_dropped > 0 GROUP BY listener
    UNION ALL
    SELECT listener, 'messages were refused', 'high', sum(messages), min(minute), max(minute), list_sort(list(DISTINCT reason))
    FROM refused WHERE messages > 0 GROUP BY listener
    UNION ALL
    SELECT listener, 'messages were cut', 'medium', sum(cut), min(minute), max(minute), []
    FROM minutes WHERE cut > 0 GROUP BY listener
    UNION ALL
    SELECT listener, 'the sums leave something open', 'high', sum(abs(unaccounted) + abs(not_stored)), min(minute), max(minute), []
    FROM minutes WHERE minute < $window_end - INTERVAL 5 MINUTE
    GROUP BY listener HAVING sum(unaccounted) <> 0 OR sum(not_stored) <> 0
),
late AS (
    SELECT count(*) AS batches, max(epoch(stored_at) - epoch(committed_at)) AS seconds, min(committed_at) AS first_seen, max(committed_at) AS last_seen
    FROM batches
    WHERE committed_at > least($window_end - INTERVAL 1 HOUR, $judged_until) AND committed_at <= $window_end AND committed_at > $window_start
      AND stored_at - committed_at > to_minutes($lag_minutes)
),
shares AS (
    SELECT device, count(*) AS lines, count_if(status <> 'parsed') AS unread, 100.0 * count_if(status <> 'parsed') / count(*) AS percent,
        min(received_at) AS first_seen, max(received_at) AS last_seen
    FROM events
    WHERE received_at BETWEEN date_trunc('hour', $window_end) - INTERVAL 1 HOUR AND $window_end AND transport <> 'import' AND device <> ''
    GROUP BY device
    HAVING count_if(status <> 'parsed') >= $least_unread
),
unread AS (
    SELECT device, list(DISTINCT form ORDER BY form)[1:5] AS forms, (list(record_id ORDER BY record_id))[1:20] AS records
    FROM (
        SELECT device, form, min(record_id) AS record_id FROM unknown_forms
        WHERE received_at BETWEEN date_trunc('hour', $window_end) - INTERVAL 1 HOUR AND $window_end AND copy_of IS NULL
          AND device IN (SELECT device FROM shares WHERE percent > $low_percent)
        GROUP BY ALL
    )
    GROUP BY device
),
updated AS (
    SELECT device, max(event_at) AS updated_at FROM events
    WHERE event_at BETWEEN $window_end - to_days($grace_days) AND $window_end
      AND operation IN ('package_update', 'firmware_update', 'firmware_rollback') AND outcome <> 'failed'
    GROUP BY device
),
heard AS (
    SELECT max(received_at) AS last_heard, arg_max(record_id, received_at) AS record_id
    FROM events
    WHERE received_at BETWEEN $window_start AND $window_end AND transport <> 'import' AND device IN (SELECT name FROM devices)
),
listened AS (  -- we were there: the receiver spools something every minute, be it a batch without lines
    SELECT count(DISTINCT minute) AS minutes FROM custody
    WHERE minute > $window_end - to_minutes($silent_minutes) AND minute <= $window_end AND listener <> 'import'
)
SELECT
    concat(what, ' (', listener, ')')                       AS subject,
    first_seen,
    last_seen,
    severity,
    ''                                                      AS device,
    what,
    CAST(messages AS BIGINT)                                AS messages,
    CAST(NULL AS DOUBLE)                                    AS percent,
    reasons,
    CAST([] AS VARCHAR[])                                   AS forms,
    CAST([] AS UBIGINT[])                                   AS evidence
FROM losses
UNION ALL
SELECT 'lag into the store', first_seen, last_seen, 'medium', '', concat('lines took ', CAST(ceil(seconds / 60) AS BIGINT), ' minutes'),
    batches, NULL, [], [], []
FROM late WHERE batches > 0
UNION ALL
SELECT 'unread lines of ' || device, first_seen, last_seen,
    if(percent > $high_percent AND updated_at IS NULL, 'high', 'low'), device,
    if(updated_at IS NULL, 'lines of no known form', 'lines of no known form, after an update'), unread, round(percent, 1), [], forms, records
FROM shares
JOIN unread USING (device)
LEFT JOIN updated USING (device)
WHERE percent > $low_percent
UNION ALL
SELECT 'all sources', last_heard, last_heard, 'high', '', 'every source is silent at once', NULL, NULL, [], [], [record_id]
FROM heard, listened
WHERE last_heard < $window_end - to_minutes($silent_minutes) AND minutes >= $silent_minutes - 3
  AND (SELECT count(*) FROM devices) >= 2
ORDER BY subject
