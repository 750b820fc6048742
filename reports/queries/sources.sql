-- Every device that is configured or was heard, with the moment from which it is expected.
SELECT device, any_value(configured) AS configured, any_value(expected_from) AS expected_from, max(lines) AS lines,
    max(hours_heard) AS hours_heard
FROM (
    SELECT name AS device, true AS configured, greatest($begin, least(coalesce(since, $begin), $end)) AS expected_from,
        0 AS lines, 0 AS hours_heard
    FROM devices
    UNION ALL
    SELECT device, device IN (SELECT name FROM devices),
        coalesce((SELECT greatest($begin, least(coalesce(since, $begin), $end)) FROM devices WHERE name = device), $begin),
        count(*), count(DISTINCT date_trunc('hour', event_at))
    FROM events
    WHERE event_at >= $begin AND event_at < $end AND device <> ''
    GROUP BY device
)
GROUP BY device
ORDER BY device
