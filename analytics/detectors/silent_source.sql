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
off, or cut off on purpose. And silences of the past that only late lines show: a relay that kept them, a replay after
an outage, judged by the device's own clock."""
blind_spots = """
A device that is not configured is missed by nobody. Imported files say nothing about whether a source is alive. All
sources silent at once is more likely our own network."""
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
*/
WITH started AS (  -- when this installation began to listen
    SELECT min(minute) AS at FROM custody WHERE minute <= $window_end
),
recent AS (
    SELECT device, family, max(received_at) AS at, arg_max(record_id, received_at) AS record_id
    FROM events
    WHERE received_at BETWEEN $window_start AND $window_end AND transport <> 'import' AND device <> ''
    GROUP BY ALL
),
channels AS (
    SELECT name, '' AS family, to_minutes($device_silent_minutes) AS allowed, 'critical' AS severity, since FROM devices
    UNION ALL
    SELECT name, unnest(expects), to_hours($channel_silent_hours), 'high', since FROM devices
),
heard AS (
    SELECT channels.name, channels.family, any_value(channels.allowed) AS allowed, any_value(channels.severity) AS severity,
        if(any_value(started.at) IS NULL, NULL, greatest(any_value(channels.since), any_value(started.at))) AS expected_from,
        max(recent.at) AS at, arg_max(recent.record_id, recent.at) AS record_id
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
        coalesce(heard.at, long_ago.at)                 AS last_heard,
        coalesce(heard.record_id, long_ago.record_id)   AS record_id,
        if(coalesce(heard.at, long_ago.at) IS NULL, heard.expected_from, coalesce(heard.at, long_ago.at))  AS silent_from,
        if(coalesce(heard.at, long_ago.at) IS NULL, greatest(to_minutes($onboarding_minutes), INTERVAL 0 MINUTE), heard.allowed)  AS allowed
    FROM heard
    LEFT JOIN long_ago ON long_ago.name = heard.name AND long_ago.family = heard.family
),
late_devices AS (  -- lines that came long after they were written: a relay's queue, a replay
    SELECT device, min(event_at) AS begins, max(event_at) AS ends
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND received_at <= $window_end
      AND received_at - event_at > to_minutes($device_silent_minutes) AND transport <> 'import'
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
    concat_ws(' ', name, nullif(family, ''))                                          AS subject,
    silent_from                                                                       AS first_seen,
    $window_end                                                                       AS last_seen,
    severity,
    name                                                                              AS device,
    family,
    last_heard,
    CAST(date_sub('minute', silent_from, $window_end) AS BIGINT)                     AS minutes,
    if(last_heard IS NULL, 'never heard', 'not heard any more')                       AS what,
    list_filter([record_id], lambda one: one IS NOT NULL)                             AS evidence
FROM silent
WHERE silent_from IS NOT NULL AND silent_from < $window_end - allowed
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
