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
The last value that an HSM reported for a setting, or that imported console output showed of it, is not the value that was
approved for it, or the setting was never approved. Set and set back is no drift; taken away is drift when it was approved,
and none when it was not. Low: an approved value that a reset to the version's defaults (factory reset, firmware rollback) has
made unknown."""
blind_spots = """
Only what was logged or imported is known: a setting that was changed while nothing was received is seen when it is set
again or when console output that shows it is imported (`hsmtrail baseline observe`), which is as true as the file. A device
without any approved setting is not measured."""
runbook = """
1. Read the row as a sentence: on `device`, `approved` was agreed for `setting`, and `actual` is in force since `since`.
2. Planned? Approve the new value (`hsmtrail baseline approve`), with the ticket; the finding closes itself.
3. Not planned? Put the approved value back in a change window, and ask `who`.
4. `source` is 'observed'? No command was seen that did it; `before` is what had stood until then: `hsmtrail baseline
   observations` has the file, imported by `who`. Look for lost lines (LOGS-01, LOGS-02) and for work over lunacm or REST."""
recommendations = ["3.3", "4.4", "7.1"]
frameworks = ["PCI DSS 4.0.1 11.5.2", "SOC 2 CC7.1", "CA/B NSR 3a", "ISO 27001 A.8.9"]
attack = { version = "19", techniques = [] }

[parameters]
ignore = { default = ["time", "drift", "certificate", "ssh host key", "package", "appliance configuration"], why = "Settings that say what was done, not how something stands: the first word or words of their names." }
gone   = { default = ["removed", "deleted", "revoked", "cleared", "unregistered"], why = "Values that say that there is no such thing any more." }
*/
WITH told AS (  -- the newest word on each setting, of devices that have an approved one
    SELECT device, setting, partition AS part,
        arg_max_null(value, (event_at, observation, record_id))      AS value,
        arg_max(who, (event_at, observation, record_id))             AS who,
        max(event_at)                                                AS event_at,
        arg_max_null(record_id, (event_at, observation, record_id))  AS record_id,
        arg_max(source, (event_at, observation, record_id))          AS source,
        arg_max_null(before, (event_at, observation, record_id))     AS before
    FROM settings_told
    WHERE event_at BETWEEN $window_start AND $window_end AND device IN (SELECT device FROM approved)
      AND len(list_filter($ignore, lambda one: setting = one OR starts_with(setting, one || ' '))) = 0
    GROUP BY ALL
),
actual AS (
    SELECT told.*, approved.value AS approved
    FROM told
    LEFT JOIN approved ON approved.device = told.device AND approved.setting = told.setting AND approved.partition = told.part
)
SELECT
    concat(setting, ' on ', device, if(part = '' OR contains(setting, 'partition ' || part), '', ' partition ' || part))  AS subject,
    event_at                                                                   AS first_seen,
    event_at                                                                   AS last_seen,
    if(value IS NULL, 'low', 'medium')                                         AS severity,
    device,
    setting,
    coalesce(approved, '(never approved)')                                     AS approved,
    coalesce(value, '(not observed since then)')                               AS actual,
    event_at                                                                   AS since,
    who,
    source,
    if(source = 'observed', before, NULL)                                      AS before,
    [record_id]                                                                AS evidence
FROM actual
WHERE meant(setting, value) IS DISTINCT FROM meant(setting, approved)
  AND NOT (coalesce(list_contains($gone, value), false) AND (approved IS NULL OR list_contains($gone, approved)))
ORDER BY subject
