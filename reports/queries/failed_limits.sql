-- Partition policy 20, as the logs show it: failed logins before a partition's role is locked.
SELECT device, coalesce(partition, '') AS partition, arg_max(value, (event_at, record_id)) AS value
FROM events
WHERE setting = 'partition policy 20' AND outcome <> 'failed' AND value IS NOT NULL AND event_at < $end
GROUP BY device, partition
ORDER BY device, partition
