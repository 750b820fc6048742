-- The lines of the period, by event time, each counted once.
SELECT
    count(*)                                                                             AS records,
    count(*) FILTER (status <> 'parsed')                                                 AS unread,
    count(*) FILTER (transport = 'import' OR received_at - event_at > INTERVAL 24 HOUR)  AS backfilled,
    count(DISTINCT device) FILTER (device <> '')                                         AS devices_heard,
    count(DISTINCT (device, date_trunc('hour', event_at))) FILTER (device <> '')         AS hours_heard,
    (SELECT count(*) FROM devices)                                                       AS devices_configured,
    (SELECT max(received_at) FROM records)                                               AS newest_received
FROM events
WHERE event_at >= $begin AND event_at < $end
