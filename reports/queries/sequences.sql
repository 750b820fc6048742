-- The HSM numbers its audit records: what is missing between two of them was lost or withheld. Numbers begin again near the
-- bottom after a re-initialisation; records before the period close the gap at its beginning.
WITH ordered AS (
    SELECT device, coalesce(hsm_serial, '') AS serial, audit_sequence::HUGEINT AS sequence, event_at,
        transport = 'import' AS imported,
        lag(audit_sequence::HUGEINT) OVER (PARTITION BY device, hsm_serial ORDER BY event_at, audit_sequence) AS before
    FROM audit_records
    WHERE event_at >= $begin - INTERVAL 35 DAY AND event_at < $end
),
numbered AS (
    SELECT *, count_if(coalesce(sequence < before AND sequence < 100 AND (sequence <= 1 OR before - sequence > 20), false))
        OVER (PARTITION BY device, serial ORDER BY event_at, sequence ROWS UNBOUNDED PRECEDING) AS count_anew
    FROM ordered
),
single AS (
    SELECT device, serial, count_anew, sequence, min(event_at) AS event_at, bool_and(imported) AS imported
    FROM numbered
    GROUP BY device, serial, count_anew, sequence
),
stepped AS (
    SELECT *, lag(sequence) OVER (PARTITION BY device, serial, count_anew ORDER BY sequence) AS last_before
    FROM single
),
spans AS (
    SELECT device, serial, list(concat(first, ' to ', last) ORDER BY count_anew)[1:4] AS spans
    FROM (
        SELECT device, serial, count_anew, min(sequence) AS first, max(sequence) AS last
        FROM stepped
        WHERE event_at >= $begin
        GROUP BY device, serial, count_anew
    )
    GROUP BY device, serial
),
gapped AS (
    SELECT *, coalesce(sequence - last_before - 1, 0) AS missing FROM stepped WHERE event_at >= $begin
)
SELECT
    device, serial,
    count(*)::HUGEINT + sum(missing)                                                       AS expected,
    count(*)                                                                               AS received,
    sum(missing)                                                                           AS missing,
    count(*) FILTER (missing > 0)                                                          AS gaps,
    coalesce(list(
        CASE WHEN missing = 1 THEN (sequence - 1)::VARCHAR ELSE concat(last_before + 1, ' to ', sequence - 1) END
        ORDER BY event_at, sequence
    ) FILTER (missing > 0), [])[1:12]                                                      AS ranges,
    count(*) FILTER (imported)                                                             AS imported,
    any_value(spans)                                                                       AS spans
FROM gapped JOIN spans USING (device, serial)
GROUP BY device, serial
ORDER BY device, serial
