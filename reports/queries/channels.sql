-- Each device and family: how much came, when it was silent, how late, how well understood. What is expected and never came
-- is a row too.
WITH lines AS (
    SELECT device, family, event_at, transport, status,
        epoch(received_at) - epoch(event_at)                                              AS lag,
        transport = 'import' OR received_at - event_at > INTERVAL 24 HOUR                 AS backfilled,
        date_diff('millisecond', lag(event_at, 1, $begin) OVER channel, event_at) / 1000  AS silence
    FROM events
    WHERE event_at >= $begin AND event_at < $end
    WINDOW channel AS (PARTITION BY device, family ORDER BY event_at, record_id)
),
summed AS (
    SELECT device, family,
        count(*)                                                                         AS lines,
        count(DISTINCT date_trunc('hour', event_at))                                     AS hours_heard,
        greatest(max(silence), date_diff('millisecond', max(event_at), $end) / 1000)     AS longest_silence,
        count(*) FILTER (status <> 'parsed')                                             AS unread,
        count(*) FILTER (backfilled)                                                     AS backfilled,
        quantile_cont(lag, 0.5) FILTER (NOT backfilled)                                  AS lag_median,
        quantile_cont(lag, 0.99) FILTER (NOT backfilled)                                 AS lag_slowest,
        quantile_cont(lag, 0.01) FILTER (NOT backfilled)                                 AS lag_quickest,
        list(DISTINCT transport ORDER BY transport)                                      AS transports
    FROM lines
    GROUP BY device, family
),
expected AS (
    SELECT name AS device, unnest(expects) AS family FROM devices
    UNION
    SELECT name, 'any' FROM devices WHERE name NOT IN (SELECT device FROM summed) AND len(expects) = 0
)
SELECT
    device, family,
    coalesce(lines, 0)                                                   AS lines,
    coalesce(hours_heard, 0)                                             AS hours_heard,
    coalesce(longest_silence, date_diff('second', $begin, $end))         AS longest_silence,
    coalesce(unread, 0)                                                  AS unread,
    coalesce(backfilled, 0)                                              AS backfilled,
    lag_median, lag_slowest, lag_quickest,
    coalesce(transports, [])                                             AS transports
FROM summed
FULL JOIN expected USING (device, family)
ORDER BY device = '', device, family
