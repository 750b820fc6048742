-- The newest batch of each receiver in the whole store.
SELECT batch >> 48 AS receiver, batch, first_record + rows - 1 AS last_record, sha256
FROM batches
QUALIFY row_number() OVER (PARTITION BY batch >> 48 ORDER BY batch DESC) = 1
ORDER BY receiver
