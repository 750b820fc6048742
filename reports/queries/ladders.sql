-- with: tries
-- The longest row of wrong secrets that touched the period, for every role that logged in or tried to. The HSM's counter has
-- no clock: a streak may have begun earlier. One try has several witnesses: counted per message form, the largest number wins.
, streaks AS (
    SELECT *, count_if(succeeded) OVER (
        PARTITION BY device, partition, role ORDER BY event_at, succeeded, record_id ROWS UNBOUNDED PRECEDING
    ) AS streak
    FROM tries
),
forms AS (
    SELECT device, partition, role, streak, form,
        count(*) FILTER (struck)                                 AS strikes,
        count(*) FILTER (struck AND event_at >= $begin)          AS strikes_in_period,
        count(*) FILTER (succeeded AND event_at >= $begin)       AS successes,
        min(event_at) FILTER (struck)                            AS first_strike,
        max(event_at) FILTER (struck)                            AS last_strike,
        list(record_id ORDER BY record_id) FILTER (struck)       AS records
    FROM streaks
    GROUP BY device, partition, role, streak, form
),
counted AS (
    SELECT device, partition, role, streak,
        max(strikes)                AS strikes,
        max(strikes_in_period)      AS strikes_in_period,
        max(successes)              AS successes,
        min(first_strike)           AS first_strike,
        max(last_strike)            AS last_strike,
        flatten(list(records) FILTER (records IS NOT NULL)) AS records
    FROM forms
    GROUP BY device, partition, role, streak
),
closed AS (
    SELECT *, lead(streak) OVER (PARTITION BY device, partition, role ORDER BY streak) IS NOT NULL AS ended
    FROM counted
)
SELECT
    device, partition, role,
    coalesce(max(strikes) FILTER (last_strike >= $begin), 0)                                            AS longest,
    arg_max(first_strike, (strikes, streak)) FILTER (last_strike >= $begin)                             AS first_strike,
    arg_max(last_strike, (strikes, streak)) FILTER (last_strike >= $begin)                              AS last_strike,
    coalesce(arg_max(ended, (strikes, streak)) FILTER (last_strike >= $begin), false)                   AS ended,
    coalesce(list_sort(arg_max(records, (strikes, streak)) FILTER (last_strike >= $begin)), [])[1:10]   AS records,
    sum(strikes_in_period)                                                                              AS failures,
    sum(successes)                                                                                      AS successes
FROM closed
GROUP BY device, partition, role
HAVING sum(strikes_in_period) > 0 OR sum(successes) > 0
ORDER BY longest DESC, device, partition, role
LIMIT 500
