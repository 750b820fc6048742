-- The last value that each device reported for each setting; clearing a list of targets clears its members.
SELECT device, setting, coalesce(partition, '') AS partition,
    arg_max(value, (event_at, record_id))                                                AS value,
    max(event_at)                                                                        AS event_at,
    coalesce(arg_max(coalesce(account, nullif(role, '')), (event_at, record_id)), '')    AS who,
    arg_max(record_id, (event_at, record_id))                                            AS record_id
FROM events
WHERE setting IS NOT NULL AND value IS NOT NULL AND outcome <> 'failed' AND event_at < $end AND device <> ''
GROUP BY device, setting, coalesce(partition, '')
