-- Logins to the appliance itself, one row per device, source, account, message form and day.
SELECT
    device, coalesce(source, '') AS source, coalesce(account, '') AS account,
    concat_ws(' ', family, pattern) AS form,
    (epoch_us($end) - epoch_us(event_at) - 1) // 86400000000                                    AS days_back,
    count(*) FILTER (outcome = 'failed')                                            AS failures,
    min(event_at) FILTER (outcome = 'failed')                                       AS first_failure,
    max(event_at) FILTER (outcome = 'failed')                                       AS last_failure,
    max(event_at) FILTER (outcome = 'ok')                                           AS last_success
FROM logins
WHERE event_at >= $begin AND event_at < $end AND role = '' AND strike IS NOT TRUE
  AND family <> 'hsm_audit' AND command IS NULL AND coalesce(details->>'target', '') <> 'backup token'
GROUP BY ALL
