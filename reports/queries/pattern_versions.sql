-- With which patterns the period's lines were read.
SELECT pattern_version AS version, count(*) AS lines
FROM events
WHERE event_at >= $begin AND event_at < $end AND status = 'parsed'
GROUP BY pattern_version
ORDER BY lines DESC, version
LIMIT 50
