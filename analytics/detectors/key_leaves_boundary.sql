/*
id         = "KEYS-03"
title      = "Key leaves the boundary"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('key_wrap', 'clone_out', 'replicate_out', 'clone_policy_set', 'clone_in', 'replicate_in', 'backup')"
in_change_window = "lower"
finds = """
A key was wrapped or extracted, cloned or replicated to somewhere that nobody declared, backed up to an HSM that is none of the
declared ones, or what may be cloned was changed. A clone is explained by a target that is a declared backup HSM or the
partner, by a backup command with a declared serial within five minutes, or by the partner taking one in within five minutes.
Tries that failed are medium: somebody looks for a way."""
blind_spots = """
The record of a clone seldom names its target. A clone that is made while a declared backup runs is explained by it: KEYS-06
counts them. What a client does with a wrapped key is not seen. Without `backup_serials` and `partner` every clone is a finding."""
needs = { backup_serials = "clones to backup HSMs, told from others", partner = "clones to the partner, told from others" }
runbook = """
1. `what` left `partition`, how often (`times`), by `accounts` through `access`? Ask the owner of the partition now.
2. `targets` and `commands` name where to, as far as anybody said it. An HSM of yours? Declare it (`backup_serials`, `partner`).
3. Nobody knows it? The key in `objects` is no longer yours alone: plan its replacement, and take the client off the device.
4. Only tries that failed? Find out who tries, before a policy changes (CONF-01) and they succeed."""
recommendations = ["5.2", "5.1"]
frameworks = ["PCI DSS 4.0.1 3.7.2", "PCI DSS 4.0.1 3.7.7", "CA/B BR 5.4.1(1)", "WebTrust 4.10", "SOC 2 CC6.1"]
attack = { version = "19", techniques = ["T1552.004", "T1048"] }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, outcome, command, account, role, object_handle, object_uid, access_major, access_minor,
        coalesce(nullif(device, ''), nullif(host, ''), peer)                             AS hsm,
        coalesce(partition, '')                                                          AS part,
        concat_ws(' ', family, pattern)                                                  AS form,
        coalesce(details->>'target', details->'options'->>'serial')                      AS target
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation IN ('key_wrap', 'clone_out', 'replicate_out', 'clone_policy_set', 'clone_in', 'replicate_in', 'backup')
),
known AS (  -- where a device may send its keys
    SELECT devices.name AS hsm, list_concat(devices.backup_serials, coalesce(partner.serials, [])) AS serials, devices.partner
    FROM devices
    LEFT JOIN devices AS partner ON partner.name = devices.partner
),
reasons AS (  -- what explains a clone that names no target, and of which device
    SELECT acts.hsm, event_at FROM acts JOIN known ON known.hsm = acts.hsm
    WHERE operation = 'backup' AND outcome <> 'failed' AND list_contains(serials, target)
    UNION ALL
    SELECT known.hsm, event_at FROM acts JOIN known ON known.partner = acts.hsm
    WHERE operation IN ('clone_in', 'replicate_in') AND outcome <> 'failed'
),
beside AS (
    SELECT record_id, hsm, event_at, false AS explains FROM acts WHERE operation IN ('clone_out', 'replicate_out') AND target IS NULL
    UNION ALL
    SELECT NULL, hsm, event_at, true FROM reasons
),
explained AS (
    SELECT record_id FROM beside
    QUALIFY record_id IS NOT NULL
        AND count_if(explains) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN INTERVAL 5 MINUTE PRECEDING AND INTERVAL 5 MINUTE FOLLOWING) > 0
),
judged AS (
    SELECT acts.*,
        CASE
            WHEN outcome = 'failed' AND operation IN ('key_wrap', 'clone_out', 'replicate_out')                     THEN 'attempt that failed'
            WHEN outcome = 'failed'                                                                                 THEN NULL
            WHEN operation = 'key_wrap'                                                                             THEN 'wrapped'
            WHEN operation = 'clone_policy_set'                                                                     THEN 'cloning changed'
            WHEN operation = 'backup' AND target IS NOT NULL AND NOT coalesce(list_contains(serials, target), false)
                AND regexp_matches(command, '\b(backup|restore)$') AND command NOT LIKE 'token %'                   THEN 'backup to an undeclared HSM'
            WHEN operation IN ('clone_out', 'replicate_out') AND target IS NOT NULL
                AND NOT coalesce(list_contains(serials, target), false)                                             THEN 'cloned to an undeclared HSM'
            WHEN operation IN ('clone_out', 'replicate_out') AND target IS NULL
                AND record_id NOT IN (FROM explained)                                                               THEN 'cloned, nobody says where to'
        END AS what
    FROM acts
    LEFT JOIN known ON known.hsm = acts.hsm
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, part ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM judged
    WHERE what IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, part ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, part, run, form, count(*) AS times, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT what) AS what,
        list(DISTINCT target) FILTER (target IS NOT NULL) AS targets,
        list(DISTINCT command) FILTER (command IS NOT NULL) AS commands,
        list(DISTINCT coalesce(object_uid, CAST(object_handle AS VARCHAR))) FILTER (coalesce(object_uid, CAST(object_handle AS VARCHAR)) IS NOT NULL) AS objects,
        list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL) AS accounts,
        list(DISTINCT concat(access_major, ':', access_minor)) FILTER (access_major IS NOT NULL) AS access,
        list(record_id) AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat('keys leave ', hsm, if(part = '', '', ' partition ' || part))                            AS subject,
    min(first_seen)                                                                                 AS first_seen,
    max(last_seen)                                                                                  AS last_seen,
    if(list_distinct(flatten(list(what))) = ['attempt that failed'], 'medium', 'high')              AS severity,
    hsm                                                                                             AS device,
    list_sort(list_distinct(flatten(list(what))))                                                   AS what,
    nullif(part, '')                                                                                AS partition,
    max(times)                                                                                      AS times,
    list_sort(list_distinct(flatten(list(targets))))                                                AS targets,
    list_sort(list_distinct(flatten(list(commands))))                                               AS commands,
    list_sort(list_distinct(flatten(list(objects))))                                                AS objects,
    list_sort(list_distinct(flatten(list(accounts))))                                               AS accounts,
    list_sort(list_distinct(flatten(list(access))))                                                 AS access,
    list_sort(flatten(list(records)))                                                               AS evidence
FROM witnesses
GROUP BY hsm, part, run
ORDER BY first_seen, subject
