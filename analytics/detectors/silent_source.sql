/*
id         = "LOGS-01"
title      = "Source is silent"
kind       = "state"
severity   = "critical"
every      = "1m"
looks_back = "35d"
in_change_window = "lower"
finds = """
A configured device is not heard, or one of the families of lines that it is expected to send is not: lost, switched
off, or cut off on purpose. And silences of the past: those that began and ended while nobody judged, and those that
only late lines show (a relay that kept them, a replay after an outage), judged by the device's own clock."""
blind_spots = """
A device that is not configured is missed by nobody. Imported files say nothing about whether a source is alive. All
sources silent at once is more likely our own network, or our receiver: while that is down every source counts as silent,
and once it is back the time that it was down counts for none. A device that was zeroized in an approved decommission is
missed by nobody for a month; then it should be out of the configuration."""
runbook = """
1. `family` is empty? The whole device is silent: can it be reached, do its clients still work? Look at HARD findings.
2. `family` is hsm_audit? Look at the audit role, the audit mask and `audit remotehost list`; then LOGS-02.
3. Look for a log target that was removed before `last_heard` (CONF-03).
4. Back again? Fetch what is missing (`audit log tarlogs`), import it, and see that LOGS-02 has no gap.
5. Planned? Record the change window with its end; a device that is gone for good goes out of the configuration."""
recommendations = ["4.2", "4.4", "5.4"]
frameworks = ["PCI DSS 4.0.1 10.7.2", "NIST SP 800-53 AU-5", "NIS2 2024/2690 3.2.6", "DORA Art. 12", "SOC 2 CC7.2"]
attack = { version = "19", techniques = ["T1685"] }

[parameters]
device_silent_minutes = { default = 15, why = "Microsoft's monitor account alone gives a line every ten minutes." }
channel_silent_hours  = { default = 24, why = "Every family that is expected gives at least a line a day." }
onboarding_minutes    = { default = 60, why = "So long a new device or channel may take to be heard at all." }
quiet_hours           = { default = 1, why = "What a device says for so long after its decommission still belongs to it." }
*/
WITH planned AS (
    SELECT device, starts_at, ends_at FROM change_windows
    WHERE kind = 'decommission' AND starts_at BETWEEN $window_start AND $window_end
),
retired AS (  -- zeroized in an approved decommission, and not heard since: silence is its last step, which COMP-03 watches
    SELECT planned.device
    FROM planned
    JOIN events ON events.device = planned.device AND event_at >= starts_at
    WHERE EXISTS (FROM planned) AND event_at BETWEEN $window_start AND $window_end AND transport <> 'import'
    GROUP BY planned.device, starts_at
    HAVING bool_or(operation IN ('zeroize', 'factory_reset', 'decommission') AND outcome <> 'failed' AND NOT contains(pattern, 'token_') AND event_at <= ends_at)
       AND max(received_at) <= any_value(ends_at) + to_hours($quiet_hours)
),
expected AS (
    SELECT name, expects, since FROM devices WHERE name NOT IN (FROM retired)
),
channels AS (
    SELECT name, '' AS family, 60 * $device_silent_minutes AS allowed, 'critical' AS severity, since FROM expected
    UNION ALL
    SELECT name, unnest(expects), 3600 * $channel_silent_hours, 'high', since FROM expected
),
listened AS (  -- the receiver spools something each minute, be it a batch without lines
    SELECT DISTINCT minute FROM custody
    WHERE minute <= $window_end AND listener <> 'import'
        AND minute >= (SELECT coalesce(max(minute), $window_start) FROM custody WHERE minute <= $window_start AND listener <> 'import')
),
steps AS (
    SELECT minute, coalesce(minute - lag(minute) OVER (ORDER BY minute) > INTERVAL 3 MINUTE, true) AS begins FROM listened
),
numbered AS (
    SELECT minute, count_if(begins) OVER (ORDER BY minute) AS stretch, max(minute) OVER () AS newest FROM steps
),
stretches AS (  -- from one start of the receiver to its end; the newest lasts until now
    SELECT min(minute) AS begins, if(max(minute) = any_value(newest), $window_end, max(minute) + INTERVAL 1 MINUTE) AS ends
    FROM numbered
    GROUP BY stretch
),
lately AS (  -- nearly every channel was heard on the day before the newest judgement
    SELECT device, family,
        max(received_at)                                                       AS at,
        arg_max(record_id, received_at)                                        AS record_id,
        max(received_at) FILTER (received_at <= $judged_until)                 AS before,
        arg_max(record_id, received_at) FILTER (received_at <= $judged_until)  AS record_before
    FROM events
    WHERE received_at BETWEEN greatest($window_start, $judged_until - INTERVAL 1 DAY) AND $window_end AND transport <> 'import' AND device <> ''
    GROUP BY ALL
),
unheard AS (
    SELECT name, family FROM channels
    WHERE NOT EXISTS (FROM lately WHERE lately.device = name AND (channels.family = '' OR lately.family = channels.family) AND before IS NOT NULL)
),
earlier AS (  -- the rest of the window is read for the others; when there are none, nothing is
    SELECT events.device, events.family, max(received_at) AS at, arg_max(record_id, received_at) AS record_id
    FROM unheard
    JOIN events ON events.device = name AND (unheard.family = '' OR events.family = unheard.family)
    WHERE received_at >= $window_start AND received_at < $judged_until - INTERVAL 1 DAY AND transport <> 'import'
    GROUP BY ALL
),
recent AS (
    FROM lately UNION ALL SELECT device, family, earlier.at, record_id, earlier.at, record_id FROM earlier
),
started AS (  -- when this installation began to listen
    SELECT min(minute) AS at FROM custody WHERE minute <= $window_end AND listener <> 'import'
),
heard AS (
    SELECT channels.name, channels.family, any_value(channels.allowed) AS allowed, any_value(channels.severity) AS severity,
        if(any_value(started.at) IS NULL, NULL, greatest(any_value(channels.since), any_value(started.at))) AS expected_from,
        max(recent.at) AS at, arg_max(recent.record_id, recent.at) AS record_id,
        max(recent.before) AS before, arg_max(recent.record_before, recent.before) AS record_before
    FROM channels
    CROSS JOIN started
    LEFT JOIN recent ON recent.device = channels.name AND (channels.family = '' OR recent.family = channels.family)
    GROUP BY ALL
),
long_ago AS (  -- not heard in the window at all: when was it last? Nothing is read unless there is such a channel
    SELECT heard.name, heard.family, max(events.received_at) AS at, arg_max(events.record_id, events.received_at) AS record_id
    FROM heard
    JOIN events ON events.device = heard.name AND (heard.family = '' OR events.family = heard.family)
    WHERE heard.at IS NULL AND events.transport <> 'import' AND events.received_at < $window_start
    GROUP BY ALL
),
silent AS (
    SELECT heard.name, heard.family, heard.severity,
        coalesce(heard.at, long_ago.at)                                                  AS last_heard,
        coalesce(heard.at, long_ago.at, heard.expected_from)                             AS begins,
        if(coalesce(heard.at, long_ago.at) IS NULL, 60 * $onboarding_minutes, allowed)   AS allowed,
        [coalesce(heard.record_id, long_ago.record_id)]                                  AS records
    FROM heard
    LEFT JOIN long_ago ON long_ago.name = heard.name AND long_ago.family = heard.family
),
sounds AS (  -- the last line before the newest judgement, and what was heard since, minute by minute
    SELECT name, family, severity, allowed, before AS first, before AS last, record_before AS first_record, record_before AS last_record
    FROM heard
    WHERE before IS NOT NULL
    UNION ALL
    SELECT name, channels.family, any_value(channels.severity), any_value(allowed), min(received_at), max(received_at),
        arg_min(record_id, received_at), arg_max(record_id, received_at)
    FROM channels
    JOIN events ON events.device = name AND (channels.family = '' OR events.family = channels.family)
    WHERE received_at > $judged_until AND received_at <= $window_end AND transport <> 'import'
    GROUP BY name, channels.family, date_trunc('minute', received_at)
),
pauses AS (
    SELECT name, family, severity, allowed, last AS begins, lead(first) OVER next AS ends,
        [last_record, lead(first_record) OVER next] AS records
    FROM sounds
    WINDOW next AS (PARTITION BY name, family ORDER BY first)
),
quiet AS (  -- now, or over since nobody judged; by the clock
    SELECT name, family, severity, allowed, last_heard, begins, $window_end AS ends, true AS lasts, records
    FROM silent
    WHERE begins < $window_end - to_seconds(allowed)
    UNION ALL
    SELECT name, family, severity, allowed, begins, begins, ends, false, records
    FROM pauses
    WHERE ends > begins + to_seconds(allowed)
),
pieces AS (  -- as far as we listened: seconds in all, and up to the newest judgement
    SELECT quiet.*,
        epoch(least(quiet.ends, stretches.ends)) - epoch(greatest(quiet.begins, stretches.begins)) AS whole,
        epoch(least(quiet.ends, stretches.ends, $judged_until)) - epoch(greatest(quiet.begins, stretches.begins)) AS early
    FROM quiet
    JOIN stretches ON stretches.begins < quiet.ends AND stretches.ends > quiet.begins
),
silences AS (  -- one piece must be as long as a device may be silent: after a start, senders may take that long to come back
    SELECT name, family, severity, last_heard, begins, ends, lasts, records
    FROM pieces
    GROUP BY ALL
    HAVING sum(whole) > any_value(allowed) AND max(whole) > 60 * $device_silent_minutes
        AND (lasts OR NOT (sum(greatest(early, 0)) > any_value(allowed) AND max(early) > 60 * $device_silent_minutes))
),
late_devices AS (  -- lines that came long after they were written: a relay's queue, a replay
    SELECT device, min(event_at) AS begins, max(event_at) AS ends
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND received_at <= $window_end
      AND epoch_us(received_at) - epoch_us(event_at) > epoch_us(to_minutes($device_silent_minutes)) AND transport <> 'import'
      AND device IN (SELECT name FROM devices)
    GROUP BY ALL
),
minutes AS (  -- a minute that has lines is one row: a silence lies between two of them
    SELECT events.device, date_trunc('minute', event_at) AS minute,
        min(event_at) AS first, max(event_at) AS last,
        arg_min(record_id, (event_at, record_id))  AS first_record,
        arg_max(record_id, (event_at, record_id))  AS last_record,
        arg_min(received_at - event_at, (event_at, record_id))  AS first_late,
        arg_max(received_at - event_at, (event_at, record_id))  AS last_late
    FROM events
    JOIN late_devices ON late_devices.device = events.device AND event_at BETWEEN late_devices.begins AND late_devices.ends
    WHERE transport <> 'import' AND received_at <= $window_end
    GROUP BY ALL
),
gaps AS (
    SELECT device, last, lead(first) OVER next AS back, last_late, lead(first_late) OVER next AS back_late,
        last_record, lead(first_record) OVER next AS back_record
    FROM minutes
    WINDOW next AS (PARTITION BY device ORDER BY minute)
)
SELECT
    concat_ws(' ', name, nullif(family, ''), if(lasts, NULL, strftime(begins, 'from %Y-%m-%d %H:%M')))           AS subject,
    begins                                                                                                       AS first_seen,
    ends                                                                                                         AS last_seen,
    severity,
    name                                                                                                         AS device,
    family,
    last_heard,
    CAST(date_sub('minute', begins, ends) AS BIGINT)                                                             AS minutes,
    if(last_heard IS NULL, 'never heard', if(lasts, 'not heard any more', 'was not heard, while nobody judged')) AS what,
    list_filter(records, lambda one: one IS NOT NULL)                                                            AS evidence
FROM silences
UNION ALL
SELECT
    concat(device, ' from ', strftime(last, '%Y-%m-%d %H:%M')),
    last,
    back,
    'critical',
    device,
    '',
    last,
    CAST(date_sub('minute', last, back) AS BIGINT),
    'was not heard, by its own clock',
    [last_record, back_record]
FROM gaps
WHERE back - last > to_minutes($device_silent_minutes)
  AND last_late > to_minutes($device_silent_minutes) AND back_late > to_minutes($device_silent_minutes)
ORDER BY subject
