-- with: appliance_tries
-- Failed logins to appliances, each try once.
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
)
SELECT
    coalesce(sum(failures), 0)                                              AS failures,
    count(DISTINCT (device, source)) FILTER (failures > 0)                  AS sources
FROM daily
