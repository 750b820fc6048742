-- `records` becomes a view over three tables: `lines` for what differs from line to line, `origins` and `meanings` for
-- what repeats. docs/decisions/0027: a third of the time to insert, two thirds of the size.

CREATE TABLE origins (                  -- who sent it; two rows may say the same
    origin UINTEGER NOT NULL,
    listener VARCHAR NOT NULL,
    transport VARCHAR NOT NULL,
    peer VARCHAR NOT NULL,
    peer_identity VARCHAR NOT NULL,
    facility UTINYINT,
    severity UTINYINT,
    host VARCHAR NOT NULL,
    program VARCHAR NOT NULL,
    device VARCHAR NOT NULL,
    hsm_serial VARCHAR
);

CREATE TABLE meanings (                 -- what it means; two rows may say the same
    meaning UINTEGER NOT NULL,
    family VARCHAR NOT NULL,
    event_at_source VARCHAR NOT NULL,
    operation VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    strike BOOLEAN,
    role VARCHAR NOT NULL,
    role_id UTINYINT,
    command VARCHAR,
    command_class VARCHAR NOT NULL,
    vendor_event VARCHAR,
    return_name VARCHAR,
    return_code UINTEGER,
    entry VARCHAR,
    pattern VARCHAR NOT NULL,
    pattern_version VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    trouble VARCHAR NOT NULL
);

CREATE TABLE lines (
    record_id UBIGINT NOT NULL,
    batch UBIGINT NOT NULL,
    origin UINTEGER NOT NULL,
    meaning UINTEGER NOT NULL,
    received_at TIMESTAMP NOT NULL,
    peer_port USMALLINT,
    copy_of UBIGINT,
    sent_at TIMESTAMP,
    process_id VARCHAR,
    message_id VARCHAR,
    structured_data JSON,
    message VARCHAR USING COMPRESSION zstd,     -- NULL where it is the end of `raw`
    message_at UINTEGER,                        -- there: characters of `raw` before it
    event_at TIMESTAMP NOT NULL,
    account VARCHAR,
    source VARCHAR,
    source_port USMALLINT,
    client VARCHAR,
    setting VARCHAR,
    value VARCHAR,
    audit_sequence UBIGINT,
    session UBIGINT,
    access_major UBIGINT,
    access_minor UBIGINT,
    partition VARCHAR,
    object_handle UBIGINT,
    object_uid VARCHAR,
    mac VARCHAR USING COMPRESSION zstd,
    raw_block VARCHAR USING COMPRESSION zstd,
    details JSON,
    raw VARCHAR NOT NULL USING COMPRESSION zstd
);

INSERT INTO origins BY NAME
SELECT row_number() OVER () AS origin, * FROM (
    SELECT DISTINCT listener, transport, peer, peer_identity, facility, severity, host, program, device, hsm_serial
    FROM records
);

INSERT INTO meanings BY NAME
SELECT row_number() OVER () AS meaning, * FROM (
    SELECT DISTINCT family, event_at_source, operation, outcome, strike, role, role_id, command, command_class,
           vendor_event, return_name, return_code, entry, pattern, pattern_version, status, trouble
    FROM records
);

INSERT INTO lines BY NAME
SELECT record_id, batch, origin, meaning, received_at, peer_port, copy_of, sent_at, process_id, message_id,
       structured_data,
       if(ends_with(raw, message), NULL, message) AS message,
       if(ends_with(raw, message), length(raw) - length(message), NULL) AS message_at,
       event_at, account, source, source_port, client, setting, value, audit_sequence, session, access_major,
       access_minor, partition, object_handle, object_uid, mac, raw_block, details, raw
FROM records
JOIN origins
ON origins.listener = records.listener AND origins.transport = records.transport AND origins.peer = records.peer
   AND origins.peer_identity = records.peer_identity AND origins.facility IS NOT DISTINCT FROM records.facility
   AND origins.severity IS NOT DISTINCT FROM records.severity AND origins.host = records.host
   AND origins.program = records.program AND origins.device = records.device
   AND origins.hsm_serial IS NOT DISTINCT FROM records.hsm_serial
JOIN meanings
ON meanings.family = records.family AND meanings.event_at_source = records.event_at_source
   AND meanings.operation = records.operation AND meanings.outcome = records.outcome
   AND meanings.strike IS NOT DISTINCT FROM records.strike AND meanings.role = records.role
   AND meanings.role_id IS NOT DISTINCT FROM records.role_id
   AND meanings.command IS NOT DISTINCT FROM records.command AND meanings.command_class = records.command_class
   AND meanings.vendor_event IS NOT DISTINCT FROM records.vendor_event
   AND meanings.return_name IS NOT DISTINCT FROM records.return_name
   AND meanings.return_code IS NOT DISTINCT FROM records.return_code
   AND meanings.entry IS NOT DISTINCT FROM records.entry AND meanings.pattern = records.pattern
   AND meanings.pattern_version = records.pattern_version AND meanings.status = records.status
   AND meanings.trouble = records.trouble;

DROP TABLE records;
