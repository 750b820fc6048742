-- Every setting that was approved, or observed up to $at by event time, with its last value.
WITH said AS (
    SELECT record_id, event_at, device, setting, coalesce(partition, '') AS part, value
    FROM events
    WHERE event_at <= $at AND setting IS NOT NULL AND value IS NOT NULL AND outcome = 'ok' AND device <> ''
),
last_said AS (
    SELECT device, setting, part,
        arg_max(value, (event_at, record_id)) AS value,
        max(event_at) AS event_at
    FROM said
    WHERE NOT ends_with(setting, ' *')
    GROUP BY ALL
),
emptied AS (  -- `log target *` removed takes every log target away
    SELECT device, regexp_replace(setting, '\*$', '') AS beginning, max(event_at) AS event_at
    FROM said
    WHERE ends_with(setting, ' *')
    GROUP BY ALL
),
observed AS (
    SELECT last_said.device, last_said.setting, last_said.part,
        if(count(emptied.event_at) = 0, any_value(last_said.value), 'removed') AS value,
        greatest(any_value(last_said.event_at), max(emptied.event_at)) AS event_at
    FROM last_said
    LEFT JOIN emptied ON emptied.device = last_said.device AND starts_with(last_said.setting, emptied.beginning)
        AND emptied.event_at > last_said.event_at
    GROUP BY ALL
)
SELECT
    coalesce(observed.device, approved.device) AS device,
    coalesce(observed.setting, approved.setting) AS setting,
    coalesce(observed.part, approved.partition) AS partition,
    approved.value AS approved,
    observed.value AS observed,
    observed.event_at AS observed_at
FROM observed
FULL JOIN approved
    ON approved.device = observed.device AND approved.setting = observed.setting AND approved.partition = observed.part
ORDER BY device, setting, partition
