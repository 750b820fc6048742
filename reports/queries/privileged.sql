-- with: acts
-- Acts of the period; when there are more than can be shown, those without an approved change come first.
SELECT * EXCLUDE (routine) FROM (
    SELECT * FROM acts
    WHERE NOT routine
    ORDER BY ticket <> '', event_at, device, operation, records
    LIMIT $most
)
ORDER BY event_at, device, operation, records
