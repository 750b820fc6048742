-- Keys destroyed or taken out of an HSM in the period.
SELECT
    count(*) FILTER (operation = 'key_destroy')                             AS destroyed,
    count(*) FILTER (operation IN ('key_wrap', 'clone_out'))                AS taken_out
FROM events
WHERE event_at >= $begin AND event_at < $end AND command_class = 'key' AND outcome <> 'failed'
