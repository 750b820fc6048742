-- with: acts
-- Who used which power: account of the appliance, else role of the HSM.
SELECT
    coalesce(nullif(account, ''), nullif(role, ''), '')     AS who,
    account <> ''                                           AS is_account,
    kind,
    count(*)                                                AS acts,
    count(*) FILTER (ticket = '' AND outcome <> 'failed')   AS without_ticket,
    count(*) FILTER (outcome = 'failed')                    AS refused
FROM acts
WHERE NOT routine
GROUP BY who, is_account, kind
ORDER BY who, is_account, kind
LIMIT 500
