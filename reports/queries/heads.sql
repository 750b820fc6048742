-- The head of each receiver's chain as far as the period's lines (and what lay before) reach.
SELECT receiver, batch, first_record + rows - 1 AS last_record, sha256
FROM (
    SELECT batch >> 48 AS receiver, * FROM batches
    WHERE batch IN (SELECT batch FROM records WHERE event_at < $end)
    QUALIFY row_number() OVER (PARTITION BY batch >> 48 ORDER BY batch DESC) = 1
)
ORDER BY receiver
