-- Holes of 30 minutes and more in what a device said, by event time; a device that said nothing is one hole.
WITH tens AS (  -- no hole of 30 minutes lies within ten: the first and last line of each ten minutes say it all
    SELECT device, min(event_at) AS first, max(event_at) AS last
    FROM events
    WHERE event_at >= $begin AND event_at < $end AND device <> ''
    GROUP BY device, time_bucket(INTERVAL 10 MINUTE, event_at)
),
heard AS (
    SELECT device, first AS event_at FROM tens
    UNION
    SELECT device, last FROM tens
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
