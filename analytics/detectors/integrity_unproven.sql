/*
id         = "LOGS-03"
title      = "Integrity proof fails or is missing"
kind       = "state"
severity   = "critical"
every      = "1d"
looks_back = "35d"
in_change_window = "never"
finds = """
The proofs that nobody altered a log. Critical: an HSM could not verify its audit log (`audit log verify`), or its module
says that the log was truncated or that a record's HMAC is wrong; or our own chain of batches is broken or lacks one.
Medium: nobody has verified the audit log of a device for a week. A later verification of the same file that succeeds
clears its failure."""
blind_spots = """
The HMACs can be checked by an HSM alone, one that holds the same audit secret: here only what its commands answered is
known. A verification in lunacm on a client leaves a record only if the audit mask covers log management. Held files,
segments and packs are read again by `hsmtrail verify`, not by this query. A device is not measured until its audit records
have come for as long as the interval."""
runbook = """
1. `what` says 'chain': run `hsmtrail verify` now; it names the file and the range. Take the spool's disk out of use, keep it.
2. `what` says 'verification failed'? Was the right secret imported (`audit secret import`), of the same domain? Verify `file` again.
3. It fails with the right secret: this is an incident. Compare the records of `file` with those that came by syslog (LOGS-02).
4. 'not verified': verify the newest closed files of `device` on an HSM of its domain, and put it into the daily script."""
recommendations = ["4.2"]
frameworks = ["NIST SP 800-53 AU-9(3)", "NIST SP 800-53 AU-10", "PCI DSS 4.0.1 10.3.4", "CA/B NSR 3e", "ETSI EN 319 401 7.10"]
attack = { version = "19", techniques = ["T1565.001"] }

[parameters]
unverified_days = { default = 7, why = "Each review should rest on logs that were verified since the last one." }
broken          = { default = ["MSG_LOG_WAS_TRUNCATED", "MSG_BAD_HMAC"], why = "What the module itself says when its log was altered." }
*/
WITH verified AS (  -- the file's own HSM, which need not be the one that was asked
    SELECT record_id, event_at, received_at, outcome, coalesce(details->'options'->>'file', '') AS file,
        coalesce((
            SELECT min(name) FROM devices
            WHERE list_contains(serials, details->'options'->>'serialsource')
               OR list_contains(serials, nullif(regexp_extract(details->'options'->>'file', 'hsm_(\d+)_', 1), ''))
        ), nullif(device, ''), nullif(host, ''), peer) AS hsm
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (command = 'audit log verify' OR vendor_event = 'LUNA_LOG_VERIFY')
),
failed AS (
    SELECT hsm, file, arg_max(record_id, (event_at, record_id)) AS record_id, max(event_at) AS told_at
    FROM verified
    GROUP BY ALL
    HAVING arg_max(outcome, (event_at, record_id)) = 'failed'
),
altered AS (
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, coalesce(return_name, vendor_event) AS said,
        min(event_at) AS first_seen, max(event_at) AS last_seen, list_sort(list(record_id)) AS records
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'hsm_audit'
      AND (list_contains($broken, vendor_event) OR return_name LIKE '%LOG_BAD_RECORD_HMAC' AND vendor_event IS DISTINCT FROM 'LUNA_LOG_VERIFY')
    GROUP BY ALL
),
chained AS (
    SELECT batch, batch >> 48 AS receiver, committed_at, previous,
        lag(batch) OVER in_order AS batch_before, lag(sha256) OVER in_order AS sha256_before, lag(committed_at) OVER in_order AS before
    FROM batches
    WHERE committed_at BETWEEN $window_start AND $window_end
    WINDOW in_order AS (PARTITION BY batch >> 48 ORDER BY batch)
),
breaks AS (
    SELECT *, batch - batch_before > 1 AS gap FROM chained
    WHERE batch - batch_before > 1 OR previous <> sha256_before
),
proving AS (  -- devices whose audit records have come for so long that somebody should have verified them
    SELECT device, min(received_at) AS since, max(received_at) AS newest, arg_max(record_id, received_at) AS record_id
    FROM events
    WHERE received_at BETWEEN $window_start AND $window_end AND family = 'hsm_audit' AND transport <> 'import'
      AND device IN (SELECT name FROM devices WHERE profile NOT IN ('test', 'decommissioning'))
    GROUP BY device
    HAVING min(received_at) < $window_end - to_days($unverified_days) AND max(received_at) > $window_end - to_days($unverified_days)
),
last_verified AS (
    SELECT hsm, max(event_at) AS told_at FROM verified WHERE outcome = 'ok' GROUP BY hsm
)
SELECT
    concat_ws(' ', 'audit log of', hsm, nullif(file, ''))       AS subject,
    told_at                                                     AS first_seen,
    told_at                                                     AS last_seen,
    'critical'                                                  AS severity,
    hsm                                                         AS device,
    'verification failed'                                       AS what,
    file,
    told_at                                                     AS since,
    [record_id]                                                 AS evidence
FROM failed
UNION ALL
SELECT concat(said, ' on ', hsm), first_seen, last_seen, 'critical', hsm, 'the module says ' || said, '', first_seen, records
FROM altered
UNION ALL
SELECT
    concat('chain of receiver ', receiver, ' at batch ', batch & 281474976710655), before, committed_at, 'critical', '',
    if(gap, 'batches are missing before it in the chain', 'it does not follow the batch before it in the chain'), '', before, []
FROM breaks
UNION ALL
SELECT
    'verification of ' || device, coalesce(told_at, since), newest, 'medium', device, 'not verified', '', coalesce(told_at, since), [record_id]
FROM proving
LEFT JOIN last_verified ON hsm = device
WHERE told_at IS NULL OR told_at < $window_end - to_days($unverified_days)
ORDER BY subject
