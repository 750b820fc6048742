-- The last value that each device reported, or console output showed, for each setting; what nobody knows any more (a reset) is left out.
SELECT device, setting, partition,
    arg_max(value, (event_at, observation, record_id))           AS value,
    max(event_at)                                                AS event_at,
    arg_max(who, (event_at, observation, record_id))             AS who,
    arg_max_null(record_id, (event_at, observation, record_id))  AS record_id,
    arg_max(observation, (event_at, observation, record_id))     AS observation
FROM settings_told
WHERE event_at < $end
  AND NOT EXISTS (SELECT 1 FROM unnest($ignore::VARCHAR[]) AS t (word) WHERE setting = word OR starts_with(setting, word || ' '))
GROUP BY device, setting, partition
HAVING arg_max_null(value, (event_at, observation, record_id)) IS NOT NULL
