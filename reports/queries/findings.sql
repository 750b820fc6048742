-- What concerns the period: it happened in it, or waits for a decision since before. Worst first.
SELECT
    id, detector, title, subject, device, severity, state, disposition, owner, first_seen, last_seen, change_ticket,
    record_count, columns::VARCHAR AS columns, detector_sha256,
    (SELECT min(d.at) FROM outbox AS o JOIN deliveries AS d ON d.outbox = o.id WHERE o.finding = f.id AND d.accepted)
        AS alerted_at,
    (SELECT min(o.created_at) FROM outbox AS o WHERE o.finding = f.id) AS alert_made_at
FROM findings AS f
WHERE state <> 'superseded' AND first_seen < $end AND (last_seen >= $begin OR state = 'open')
ORDER BY list_position(['critical', 'high', 'medium', 'low', 'info'], severity), first_seen, id
LIMIT 5000
