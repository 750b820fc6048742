-- with: acts
-- The acts of the period in numbers.
SELECT
    count(*) FILTER (NOT routine)                                       AS acts,
    count(*) FILTER (routine)                                           AS routine,
    count(*) FILTER (ticket = '' AND outcome <> 'failed' AND NOT routine) AS without_ticket,
    count(*) FILTER (outcome = 'failed' AND NOT routine)                AS refused,
    count(*) FILTER (kind = 'destructive' AND outcome <> 'failed')     AS destructive,
    count(*) FILTER (operation IN ('zeroize', 'factory_reset', 'hsm_init', 'decommission') AND outcome <> 'failed') AS zeroized
FROM acts
