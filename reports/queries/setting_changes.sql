-- with: acts
-- Settings that were changed in the period, with the value before where the store knows one.
SELECT c.event_at, c.device, c.partition, c.setting, c.value, c.ticket,
    coalesce(nullif(c.account, ''), c.role)   AS who,
    coalesce((
        SELECT arg_max(e.value, (e.event_at, e.record_id))
        FROM events AS e
        WHERE e.device = c.device AND e.setting = c.setting AND coalesce(e.partition, '') = c.partition
          AND e.event_at < c.event_at AND e.outcome <> 'failed'
    ), '')                                    AS before,
    c.records
FROM acts AS c
WHERE c.setting <> '' AND c.outcome <> 'failed'
ORDER BY c.event_at, c.device, c.setting, c.partition, c.records
LIMIT $most
