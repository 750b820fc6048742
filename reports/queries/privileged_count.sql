-- with: acts
-- The acts of the period in numbers.
SELECT
    count(*)                                                            AS acts,
    count(*) FILTER (ticket = '' AND outcome <> 'failed')               AS without_ticket,
    count(*) FILTER (outcome = 'failed')                                AS refused,
    count(*) FILTER (kind = 'destructive' AND outcome <> 'failed')     AS destructive,
    count(*) FILTER (operation IN ('zeroize', 'factory_reset', 'hsm_init', 'decommission') AND outcome <> 'failed') AS zeroized
FROM acts
