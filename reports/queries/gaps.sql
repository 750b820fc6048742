-- Holes of 30 minutes and more in what a device said, by event time; a device that said nothing is one hole.
WITH heard AS (
    SELECT DISTINCT device, event_at FROM events
    WHERE event_at >= $begin AND event_at < $end AND device <> ''
),
known AS (
    SELECT name AS device, greatest($begin, coalesce(since, $begin)) AS expected_from FROM devices
    UNION ALL
    SELECT DISTINCT device, $begin FROM heard WHERE device NOT IN (SELECT name FROM devices)
),
moments AS (
    SELECT device, event_at FROM heard
    UNION ALL SELECT device, expected_from FROM known WHERE expected_from < $end
    UNION ALL SELECT device, $end FROM known WHERE expected_from < $end
),
steps AS (
    SELECT device, event_at AS began, lead(event_at) OVER (PARTITION BY device ORDER BY event_at) AS ended
    FROM moments
)
SELECT device, began, ended
FROM steps
WHERE ended - began >= INTERVAL 30 MINUTE
ORDER BY device, began
LIMIT 5000
