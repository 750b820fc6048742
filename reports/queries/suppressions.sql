-- What was told to stay silent in the period, by whom and until when.
SELECT id, detector, match::VARCHAR AS match, reason, owner, starts_at, ends_at
FROM suppressions
WHERE starts_at < $end AND ends_at > $begin
ORDER BY detector, id
LIMIT 500
