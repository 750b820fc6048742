-- The messages of the findings of the period: sent, accepted, given up, waiting.
SELECT
    o.sink,
    count(DISTINCT o.id)                                                                  AS messages,
    count(DISTINCT o.id) FILTER (o.state = 'delivered')                                   AS accepted,
    count(DISTINCT o.id) FILTER (o.state = 'waiting')                                     AS waiting,
    count(DISTINCT o.id) FILTER (o.state = 'dead')                                        AS dead,
    count(*) FILTER (NOT d.accepted)                                                      AS failed_attempts,
    max(epoch(d.attempted_at) - epoch(o.created_at)) FILTER (d.accepted)                            AS slowest,
    median(epoch(d.attempted_at) - epoch(o.created_at)) FILTER (d.accepted)                         AS median
FROM outbox AS o
JOIN findings AS f ON f.id = o.finding
LEFT JOIN deliveries AS d ON d.outbox = o.id
WHERE f.first_seen < $end AND f.last_seen >= $begin
GROUP BY o.sink
ORDER BY o.sink
