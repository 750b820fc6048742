-- with: appliance_tries
-- Who failed to log in to the appliance, and from where: sshd and PAM are two witnesses of one try, PAM may not know the name.
, named AS (
    SELECT device, source, days_back, account, max(failures) AS failures
    FROM appliance_tries
    GROUP BY device, source, days_back, account
),
daily AS (
    SELECT device, source, days_back,
        greatest(coalesce(sum(failures) FILTER (account <> ''), 0), coalesce(max(failures) FILTER (account = ''), 0)) AS failures
    FROM named
    GROUP BY device, source, days_back
),
summed AS (
    SELECT device, source, sum(failures) AS failures FROM daily GROUP BY device, source
),
spans AS (
    SELECT device, source,
        min(first_failure)                                                              AS first_failure,
        max(last_failure)                                                               AS last_failure,
        max(last_success)                                                               AS last_success,
        (list(DISTINCT account ORDER BY account) FILTER (account <> '' AND failures > 0))[1:8]  AS accounts
    FROM appliance_tries
    GROUP BY device, source
)
SELECT device, source, failures, first_failure, last_failure,
    coalesce(last_success > first_failure, false)  AS success_after,
    coalesce(accounts, [])                         AS accounts
FROM summed
JOIN spans USING (device, source)
WHERE failures > 0
ORDER BY failures DESC, device, source
LIMIT $most
