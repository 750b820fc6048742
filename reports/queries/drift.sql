-- with: observed
-- Where the last observed value is not the approved one, on devices that have an approved baseline. What is gone and was
-- never approved is no difference.
SELECT o.device, o.setting, o.partition, coalesce(a.value, '') AS approved, a.value IS NOT NULL AS was_approved,
    o.value AS observed, o.event_at AS since, o.who, o.record_id, coalesce(c.file, '') AS file, coalesce(c.sha256, '') AS sha256
FROM observed AS o
LEFT JOIN observations AS c ON c.id = o.observation
LEFT JOIN approved AS a ON a.device = o.device AND a.setting = o.setting AND a.partition = o.partition
WHERE o.device IN (SELECT device FROM baseline) AND meant(o.setting, a.value) IS DISTINCT FROM meant(o.setting, o.value)
  AND NOT (list_contains($gone, o.value) AND (a.value IS NULL OR list_contains($gone, a.value)))
ORDER BY o.device, o.setting, o.partition
LIMIT 500
