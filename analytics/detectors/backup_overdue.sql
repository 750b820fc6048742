/*
id         = "KEYS-05"
title      = "Backup or recovery test overdue"
kind       = "state"
severity   = "medium"
every      = "1d"
looks_back = "400d"
in_change_window = "never"
finds = """
A partition of a production device has no successful backup within 30 days, or a guarded one holds keys that were made more than
a day ago and after its newest backup; or nobody has restored anything to prove that it can be, for half a year: a restore within
a change of kind dr-test counts for its device and the partner."""
blind_spots = """
A backup that a client makes to an HSM of its own is not seen, unless clone records show it beside a declared backup command: the
answer ATT-11 (or ATT-15 for the test) counts as one, marked attested. Nothing is measured while the oldest line of a device is
younger than the interval. Where no partition is configured, one backup of any partition counts for the device."""
needs = { backup_serials = "backups to HSMs of one's own, told from others", partitions = "which partition has a backup" }
runbook = """
1. `partition` of `device`: its newest backup is of `newest` (`how`); without one, a tamper or a third wrong password ends its keys.
2. Back it up to the declared HSM (`partition backup`) in a change window, and see that the clone records come (KEYS-03 stays quiet).
3. Made on a client? Answer ATT-11 with the evidence.
4. A test overdue? Restore to the test device, use a key there, under a change of kind dr-test."""
recommendations = ["5.1", "6.3"]
frameworks = ["CA/B BR 5.4.1(1)", "ISO 27001 A.8.13", "SOC 2 A1.2", "ETSI EN 319 401 7.11.2"]
attack = { version = "19", techniques = ["T1490"] }

[parameters]
backup_days   = { default = 30, why = "A month of new keys is the most that may be lost." }
new_key_hours = { default = 24, why = "A key of a guarded partition is expected to have a copy the next day." }
test_days     = { default = 180, why = "Half-yearly, as the attestations of recovery." }
*/
WITH kept AS (  -- whose keys must be restorable
    SELECT name, partner, backup_serials FROM devices WHERE profile NOT IN ('test', 'decommissioning')
),
oldest AS (
    SELECT device, min(event_at) AS event_at FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND device <> ''
    GROUP BY device
),
commands AS (
    SELECT device, event_at, record_id, operation, coalesce(partition, '') AS part
    FROM events
    JOIN kept ON kept.name = events.device
    WHERE event_at BETWEEN $window_start AND $window_end AND operation IN ('backup', 'restore') AND outcome <> 'failed'
      AND regexp_matches(command, '\b(backup|restore)$') AND NOT starts_with(command, 'token ')
      AND (len(backup_serials) = 0 OR coalesce(list_contains(backup_serials, details->'options'->>'serial'), true))
),
clones AS (  -- containers that were cloned out beside a backup command
    SELECT clone.device, clone.event_at, clone.record_id, coalesce(clone.partition, '') AS part
    FROM events AS clone
    ASOF JOIN (SELECT device, event_at FROM commands WHERE operation = 'backup') AS backup
        ON backup.device = clone.device AND backup.event_at <= clone.event_at + INTERVAL 5 MINUTE
    WHERE clone.event_at BETWEEN $window_start AND $window_end AND clone.operation = 'clone_out' AND clone.outcome <> 'failed'
      AND backup.event_at >= clone.event_at - INTERVAL 5 MINUTE
),
backups AS (
    SELECT device, event_at, record_id, part FROM commands WHERE operation = 'backup'
    UNION ALL
    SELECT device, event_at, record_id, part FROM clones WHERE part <> ''
),
answers AS (  -- a person says so
    SELECT max(given_at) FILTER (id = 'ATT-11' AND lower(answer) NOT IN ('', 'no')) AS backed_up,
        max(given_at) FILTER (id IN ('ATT-11', 'ATT-15') AND lower(answer) NOT IN ('', 'no')) AS tested
    FROM attestations WHERE given_at <= $window_end
),
wanted AS (
    SELECT kept.name AS device, container, serial, label, guarded FROM kept JOIN partitions ON partitions.device = kept.name AND partitions.kind = 'application' AND NOT ephemeral
    UNION ALL
    SELECT name, '', '', '', false FROM kept WHERE name NOT IN (SELECT device FROM partitions)
),
newest AS (
    SELECT wanted.device, container, serial, label, guarded,
        max(backups.event_at) AS newest, arg_max(record_id, backups.event_at) AS record_id
    FROM wanted
    LEFT JOIN backups ON backups.device = wanted.device
        AND (part = '' OR container = '' AND serial = '' AND label = '' OR part IN (container, serial, label))
    GROUP BY ALL
),
new_keys AS (
    SELECT device, partition AS part, max(event_at) AS made_at, arg_max(record_id, event_at) AS record_id
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end - to_hours($new_key_hours) AND outcome <> 'failed'
      AND operation IN ('key_generate', 'key_create', 'key_import', 'key_copy') AND partition IS NOT NULL
      AND EXISTS (FROM partitions WHERE guarded)
    GROUP BY ALL
),
judged AS (
    SELECT newest.device, coalesce(nullif(label, ''), nullif(container, ''), nullif(serial, ''), '') AS part, newest, newest.record_id,
        backed_up, greatest(newest, backed_up) AS good,
        max(made_at) AS made_at, arg_max(new_keys.record_id, made_at) AS key_record, any_value(oldest.event_at) AS since
    FROM newest
    CROSS JOIN answers
    JOIN oldest ON oldest.device = newest.device
    LEFT JOIN new_keys ON guarded AND new_keys.device = newest.device AND new_keys.part <> '' AND new_keys.part IN (container, serial, label)
    GROUP BY ALL
),
tests AS (
    SELECT kept.name AS device, max(commands.event_at) AS newest, arg_max(commands.record_id, commands.event_at) AS record_id
    FROM kept
    LEFT JOIN (
        SELECT commands.* FROM commands
        JOIN change_windows AS test ON test.kind = 'dr-test' AND test.device = commands.device AND commands.event_at BETWEEN test.starts_at AND test.ends_at
        WHERE operation = 'restore'
    ) AS commands ON commands.device IN (kept.name, kept.partner)
    GROUP BY kept.name
)
SELECT
    concat('backup of ', device, if(part = '', '', ' partition ' || part))                             AS subject,
    coalesce(good, since)                                                                              AS first_seen,
    coalesce(good, since)                                                                              AS last_seen,
    device,
    nullif(part, '')                                                                                   AS partition,
    if(made_at > coalesce(good, since), 'keys without a copy', 'backup overdue')                       AS what,
    good                                                                                               AS newest,
    CASE WHEN good IS NULL THEN 'never seen' WHEN newest IS NULL OR backed_up > newest THEN 'attested' ELSE 'seen' END  AS how,
    list_filter([record_id, if(made_at > coalesce(good, since), key_record, NULL)], lambda one: one IS NOT NULL)        AS evidence
FROM judged
WHERE since < $window_end - to_days($backup_days) AND (good IS NULL OR good < $window_end - to_days($backup_days))
   OR made_at > good OR good IS NULL AND made_at IS NOT NULL AND since < $window_end - to_days($backup_days)
UNION ALL
SELECT
    'recovery test of ' || tests.device, coalesce(greatest(newest, tested), event_at), coalesce(greatest(newest, tested), event_at), tests.device, NULL,
    'recovery test overdue', greatest(newest, tested),
    CASE WHEN greatest(newest, tested) IS NULL THEN 'never seen' WHEN newest IS NULL OR tested > newest THEN 'attested' ELSE 'seen' END,
    list_filter([record_id], lambda one: one IS NOT NULL)
FROM tests
CROSS JOIN answers
JOIN oldest ON oldest.device = tests.device
WHERE oldest.event_at < $window_end - to_days($test_days)
  AND (greatest(newest, tested) IS NULL OR greatest(newest, tested) < $window_end - to_days($test_days))
ORDER BY subject
