-- Lines as they were received, secrets masked by the parser; very long ones are cut here and counted.
SELECT record_id, device, family, event_at, received_at, transport, listener, peer, status, trouble,
    left(raw, 2000) AS raw, length(raw) AS characters
FROM records
WHERE record_id IN (SELECT unnest($records::UBIGINT[]))
ORDER BY record_id
