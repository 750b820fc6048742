-- The last value that each device reported for each setting. `log target *` removed takes every log target away.
WITH said AS (
    SELECT record_id, event_at, device, setting, coalesce(partition, '') AS partition, value,
        coalesce(account, nullif(role, ''), '') AS who
    FROM events
    WHERE event_at < $end AND setting IS NOT NULL AND value IS NOT NULL AND outcome = 'ok' AND device <> ''
      AND NOT EXISTS (SELECT 1 FROM unnest($ignore::VARCHAR[]) AS t (word) WHERE setting = word OR starts_with(setting, word || ' '))
),
last_said AS (
    SELECT device, setting, partition, arg_max(said, (event_at, record_id)) AS line
    FROM said
    WHERE NOT ends_with(setting, ' *')
    GROUP BY device, setting, partition
),
emptied AS (
    SELECT device, regexp_replace(setting, '\*$', '') AS beginning, arg_max(said, (event_at, record_id)) AS line
    FROM said
    WHERE ends_with(setting, ' *')
    GROUP BY device, beginning
)
SELECT o.device, o.setting, o.partition,
    if(e.line IS NULL, o.line.value, 'removed')            AS value,
    coalesce(e.line, o.line).event_at                      AS event_at,
    coalesce(e.line, o.line).who                           AS who,
    coalesce(e.line, o.line).record_id                     AS record_id
FROM last_said AS o
LEFT JOIN emptied AS e
    ON e.device = o.device AND starts_with(o.setting, e.beginning) AND e.line.event_at > o.line.event_at
