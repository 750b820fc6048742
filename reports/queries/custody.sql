-- The sums of the minutes in which the period's lines arrived: the period itself, and later ones for lines that came late.
WITH arrivals AS (
    SELECT DISTINCT listener, date_trunc('minute', received_at) AS minute
    FROM records
    WHERE event_at >= $begin AND event_at < $end
),
around AS (
    SELECT DISTINCT listener, minute + to_minutes(step) AS minute FROM arrivals, (VALUES (-1), (0), (1)) AS steps (step)
)
SELECT
    listener,
    sum(received)        AS received,
    sum(kernel_dropped)  AS kernel_dropped,
    sum(refused)         AS refused,
    sum(cut)             AS cut,
    sum(spooled)         AS spooled,
    sum(stored)          AS stored,
    sum(copies)          AS copies,
    count(*) FILTER (unaccounted <> 0 OR not_stored <> 0)  AS minutes_off
FROM custody_balance
WHERE (minute >= $begin AND minute < $end)
   OR (listener, minute) IN (SELECT (listener, minute) FROM around)
GROUP BY listener
ORDER BY listener
