-- with: observed
-- Where the last observed value is not the approved one, on devices that have an approved baseline. What is gone and was
-- never approved is no difference.
SELECT o.device, o.setting, o.partition, coalesce(a.value, '') AS approved, a.value IS NOT NULL AS was_approved,
    o.value AS observed, o.event_at AS since, o.who, o.record_id
FROM observed AS o
LEFT JOIN approved AS a ON a.device = o.device AND a.setting = o.setting AND a.partition = o.partition
WHERE o.device IN (SELECT device FROM baseline) AND a.value IS DISTINCT FROM o.value
  AND NOT (list_contains($gone, o.value) AND (a.value IS NULL OR list_contains($gone, a.value)))
ORDER BY o.device, o.setting, o.partition
LIMIT 500
