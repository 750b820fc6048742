-- with: tries
-- Roles that tried to log in within the shown days, and where, for the lockout line.
SELECT DISTINCT role, device, partition
FROM tries
WHERE event_at >= $end - to_days($days)
ORDER BY role, device, partition
LIMIT 1000
