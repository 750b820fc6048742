-- How far back the store reaches.
SELECT min(event_at) AS event_at FROM records WHERE event_at < $end
