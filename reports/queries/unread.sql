-- What no pattern knew, by program: the vendor's new words, or somebody else's lines.
SELECT device, program, count(*) AS lines, arg_min(record_id, (event_at, record_id)) AS record_id
FROM events
WHERE event_at >= $begin AND event_at < $end AND status <> 'parsed'
GROUP BY device, program
ORDER BY lines DESC, device, program
LIMIT 8
