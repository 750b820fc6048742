-- Logins of HSM roles. So and auditor are the whole HSM's, other roles are a partition's. A backup token's logins are its own.
SELECT
    record_id, event_at, device, role,
    concat_ws(' ', family, pattern)                                                           AS form,
    CASE WHEN role IN ('so', 'au', 'admin') THEN '' ELSE coalesce(partition, '') END          AS partition,
    outcome = 'ok'                                                                            AS succeeded,
    coalesce(strike, false)                                                                   AS struck
FROM logins
WHERE event_at >= $begin - INTERVAL 56 DAY AND event_at < $end
  AND (role <> '' OR strike OR family = 'hsm_audit')
  AND coalesce(command, '') NOT LIKE 'token %' AND coalesce(details->>'target', '') <> 'backup token'
