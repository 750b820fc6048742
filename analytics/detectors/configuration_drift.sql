/*
id         = "CONF-07"
title      = "Configuration differs from the approved baseline"
kind       = "state"
severity   = "medium"
every      = "5m"
looks_back = "3650d"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
The last value that an HSM reported for a setting is not the value that was approved for it, or the setting was never
approved. Set and set back is no drift; taken away is drift when it was approved, and none when it was not."""
blind_spots = """
Only what was logged is known: a setting that was changed while nothing was received is seen when it is set again. A
device without any approved setting is not measured."""
runbook = """
1. Read the row as a sentence: on `device`, `approved` was agreed for `setting`, and `actual` is in force since `since`.
2. Planned? Approve the new value (`hsmtrail baseline approve`), with the ticket; the finding closes itself.
3. Not planned? Put the approved value back in a change window, and ask `who`."""
recommendations = ["3.3", "4.4", "7.1"]
frameworks = ["PCI DSS 4.0.1 11.5.2", "SOC 2 CC7.1", "CA/B NSR 3a", "ISO 27001 A.8.9"]
attack = { version = "19", techniques = [] }

[parameters]
ignore = { default = ["time", "drift", "certificate", "ssh host key", "package"], why = "Settings that say what was done, not how something stands: the first word or words of their names." }
gone   = { default = ["removed", "deleted", "revoked", "cleared", "unregistered"], why = "Values that say that there is no such thing any more." }
*/
WITH set_once AS (
    SELECT record_id, event_at, device, setting, coalesce(partition, '') AS part, value,
        coalesce(account, nullif(role, ''), '') AS who
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND setting IS NOT NULL AND value IS NOT NULL AND outcome = 'ok'
      AND device IN (SELECT device FROM approved)
      AND len(list_filter($ignore, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
),
last_set AS (
    SELECT device, setting, part,
        arg_max(value, (event_at, record_id))      AS value,
        arg_max(who, (event_at, record_id))        AS who,
        max(event_at)                              AS event_at,
        arg_max(record_id, (event_at, record_id))  AS record_id
    FROM set_once
    WHERE NOT ends_with(setting, ' *')
    GROUP BY ALL
),
emptied AS (  -- `log target *` removed: every log target that was not added later is gone
    SELECT device, regexp_replace(setting, '\*$', '') AS beginning,
        arg_max(who, (event_at, record_id))        AS who,
        max(event_at)                              AS event_at,
        arg_max(record_id, (event_at, record_id))  AS record_id
    FROM set_once
    WHERE ends_with(setting, ' *')
    GROUP BY ALL
),
known AS (  -- a setting that is approved is known too, though nothing was logged of it
    SELECT coalesce(last_set.device, approved.device) AS device, coalesce(last_set.setting, approved.setting) AS setting,
        coalesce(last_set.part, approved.partition) AS part, approved.value AS approved,
        last_set.value, last_set.who, last_set.event_at, last_set.record_id
    FROM last_set
    FULL JOIN approved ON approved.device = last_set.device AND approved.setting = last_set.setting
        AND approved.partition = last_set.part
),
actual AS (
    SELECT known.device, known.setting, known.part, known.approved,
        if(emptied.event_at IS NULL, known.value, 'removed')                       AS value,
        if(emptied.event_at IS NULL, known.who, emptied.who)                       AS who,
        coalesce(emptied.event_at, known.event_at)                                 AS event_at,
        coalesce(emptied.record_id, known.record_id)                               AS record_id
    FROM known
    LEFT JOIN emptied ON emptied.device = known.device AND starts_with(known.setting, emptied.beginning)
        AND known.setting <> emptied.beginning || '*'
        AND (known.event_at IS NULL OR emptied.event_at > known.event_at)
    QUALIFY row_number() OVER (PARTITION BY known.device, known.setting, known.part ORDER BY emptied.event_at DESC) = 1
)
SELECT
    concat(setting, ' on ', device, if(part = '' OR contains(setting, 'partition ' || part), '', ' partition ' || part))  AS subject,
    event_at                                                                   AS first_seen,
    event_at                                                                   AS last_seen,
    device,
    setting,
    coalesce(approved, '(never approved)')                                     AS approved,
    value                                                                      AS actual,
    event_at                                                                   AS since,
    who,
    [record_id]                                                                AS evidence
FROM actual
WHERE value IS NOT NULL AND value IS DISTINCT FROM approved
  AND NOT (list_contains($gone, value) AND (approved IS NULL OR list_contains($gone, approved)))
ORDER BY subject
