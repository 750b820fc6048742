-- How much of each device was approved.
SELECT d.name AS device, count(a.setting) AS settings, max(a.approved_at) AS approved_at
FROM devices AS d
LEFT JOIN approved AS a ON a.device = d.name
GROUP BY d.name
ORDER BY d.name
