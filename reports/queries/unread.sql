-- What no pattern knew, by the form of the message: the vendor's new words, or somebody else's lines.
-- is_new: the four weeks before had no such form.
WITH before AS (
    SELECT DISTINCT device, family, form FROM unknown_forms
    WHERE copy_of IS NULL AND event_at >= $begin - INTERVAL 28 DAY AND event_at < $begin
)
SELECT device, family, form, count(*) AS lines, min(event_at) AS first_seen, max(event_at) AS last_seen,
       arg_min(record_id, (event_at, record_id)) AS record_id, NOT bool_or(before.form IS NOT NULL) AS is_new
FROM unknown_forms LEFT JOIN before USING (device, family, form)
WHERE copy_of IS NULL AND event_at >= $begin AND event_at < $end
GROUP BY device, family, form
ORDER BY lines DESC, device, family, form
LIMIT 12
