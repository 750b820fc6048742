-- What concerns the period: it happened in it, or waits for a decision since before. Worst first.
WITH alerts AS (
    SELECT m.finding, min(m.created_at) AS alert_made_at, min(d.attempted_at) FILTER (d.accepted) AS alerted_at
    FROM outbox AS m
    LEFT JOIN deliveries AS d ON d.outbox = m.id
    GROUP BY m.finding
)
SELECT
    id, detector, title, subject, device, severity, state, disposition, owner, first_seen, last_seen, change_ticket,
    record_count, columns::VARCHAR AS columns, detector_sha256, alerted_at, alert_made_at
FROM findings
LEFT JOIN alerts ON alerts.finding = findings.id
WHERE state <> 'superseded' AND first_seen < $end AND (last_seen >= $begin OR state = 'open')
ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), first_seen, id
LIMIT 5000
