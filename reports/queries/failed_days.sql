-- with: tries
-- Wrong secrets per role and day, days counted back from the period's end.
, forms AS (
    SELECT device, partition, role, form, (epoch_us($end) - epoch_us(event_at) - 1) // 86400000000 AS days_back, count(*) AS strikes
    FROM tries
    WHERE struck AND event_at >= $end - to_days($days)
    GROUP BY ALL
),
counted AS (
    SELECT device, partition, role, days_back, max(strikes) AS strikes
    FROM forms
    GROUP BY device, partition, role, days_back
)
SELECT role, days_back, sum(strikes) AS strikes
FROM counted
GROUP BY role, days_back
ORDER BY role, days_back
