-- The first records of each finding, by event time.
SELECT finding, record_id
FROM finding_records
JOIN records USING (record_id)
WHERE finding IN (SELECT unnest($findings::UBIGINT[]))
QUALIFY row_number() OVER (PARTITION BY finding ORDER BY event_at, record_id) <= $most
ORDER BY finding, record_id
