-- Every table of hsmtrail. All times are UTC. No ENUM, key, index or sequence: a scale-out catalog refuses them.
-- zstd where nearly every value differs: half the time and 0.4 of the size of what DuckDB chooses by itself (a scale-out
-- catalog knows no compression of columns: it is left out there).
-- Text columns that are judged or counted ('words') are never NULL: '' says nothing. All others are NULL when absent.

CREATE TABLE records (
    -- identity
    record_id UBIGINT NOT NULL,         -- receiver number in the high 16 bits, running number below
    batch UBIGINT NOT NULL,             -- receiver number in the high 16 bits, running number below
    received_at TIMESTAMP NOT NULL,
    listener VARCHAR NOT NULL,
    transport VARCHAR NOT NULL,         -- udp, tcp, tls, import
    peer VARCHAR NOT NULL,
    peer_port USMALLINT,
    peer_identity VARCHAR NOT NULL,     -- certificate subject and fingerprint
    copy_of UBIGINT,                    -- the record that this one repeats
    -- syslog header
    facility UTINYINT,
    severity UTINYINT,
    sent_at TIMESTAMP,
    host VARCHAR NOT NULL,
    program VARCHAR NOT NULL,
    process_id VARCHAR,
    message_id VARCHAR,
    structured_data JSON,
    message VARCHAR NOT NULL USING COMPRESSION zstd,
    -- source
    device VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    -- event
    event_at TIMESTAMP NOT NULL,
    event_at_source VARCHAR NOT NULL,   -- raw_block, record, header, received
    operation VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,           -- ok, failed, ''
    strike BOOLEAN,                     -- a wrong secret reached a role's counter
    role VARCHAR NOT NULL,
    role_id UTINYINT,
    account VARCHAR,
    source VARCHAR,
    source_port USMALLINT,
    command VARCHAR,
    command_class VARCHAR NOT NULL,
    client VARCHAR,
    setting VARCHAR,
    value VARCHAR,
    -- HSM record
    hsm_serial VARCHAR,
    audit_sequence UBIGINT,
    session UBIGINT,
    access_major UBIGINT,
    access_minor UBIGINT,
    vendor_event VARCHAR,
    return_name VARCHAR,
    return_code UINTEGER,
    partition VARCHAR,
    object_handle UBIGINT,
    object_uid VARCHAR,
    entry VARCHAR,
    mac VARCHAR USING COMPRESSION zstd,
    raw_block VARCHAR USING COMPRESSION zstd,
    -- rest
    details JSON,
    pattern VARCHAR NOT NULL,
    pattern_version VARCHAR NOT NULL,
    status VARCHAR NOT NULL,            -- parsed, partial, unparsed
    trouble VARCHAR NOT NULL,
    raw VARCHAR NOT NULL USING COMPRESSION zstd
);

CREATE TABLE batches (
    batch UBIGINT NOT NULL,
    position UBIGINT NOT NULL,          -- order of arrival in this store, 1, 2, 3 …
    segment VARCHAR NOT NULL,           -- file below data_dir
    first_record UBIGINT NOT NULL,
    rows UBIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,            -- of the rows, chained on `previous`
    previous VARCHAR NOT NULL,
    committed_at TIMESTAMP NOT NULL,    -- when the spool had it on disk
    stored_at TIMESTAMP NOT NULL,
    counters JSON NOT NULL              -- the receiver's, per listener, cumulative, as of this batch
);

CREATE TABLE custody (
    minute TIMESTAMP NOT NULL,
    listener VARCHAR NOT NULL,
    received UBIGINT NOT NULL,
    kernel_dropped UBIGINT NOT NULL,
    refused UBIGINT NOT NULL,
    refused_reasons JSON NOT NULL,      -- {"reason": number}
    cut UBIGINT NOT NULL,
    spooled UBIGINT NOT NULL,
    stored UBIGINT NOT NULL,
    copies UBIGINT NOT NULL
);

CREATE TABLE devices (
    name VARCHAR NOT NULL,
    hosts VARCHAR[] NOT NULL,
    serials VARCHAR[] NOT NULL,
    time_zone VARCHAR NOT NULL,
    profile VARCHAR NOT NULL,           -- production, test, new, decommissioning
    partner VARCHAR NOT NULL,
    behind_nva BOOLEAN NOT NULL,
    microsoft_monitor BOOLEAN NOT NULL,
    expects VARCHAR[] NOT NULL,         -- families
    since TIMESTAMP
);

CREATE TABLE findings (
    id UBIGINT NOT NULL,
    detector VARCHAR NOT NULL,          -- AUTH-01 …
    kind VARCHAR NOT NULL,              -- episodes, state
    title VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    device VARCHAR NOT NULL,
    severity VARCHAR NOT NULL,          -- info, low, medium, high, critical
    state VARCHAR NOT NULL,             -- open, acknowledged, closed, superseded
    disposition VARCHAR NOT NULL,       -- expected, fixed, incident, false_alarm, cleared, ''
    owner VARCHAR NOT NULL,
    first_seen TIMESTAMP NOT NULL,
    last_seen TIMESTAMP NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    closed_at TIMESTAMP,
    alerted_severity VARCHAR NOT NULL,  -- the worst that was alerted, '' for none
    superseded_by UBIGINT,
    change_ticket VARCHAR NOT NULL,     -- the approved change that lowered the severity, '' for none
    record_count UBIGINT NOT NULL,
    columns JSON NOT NULL,
    detector_sha256 VARCHAR NOT NULL,
    parameters JSON NOT NULL
);

CREATE TABLE finding_records (finding UBIGINT NOT NULL, record_id UBIGINT NOT NULL);

CREATE TABLE finding_history (
    finding UBIGINT NOT NULL,
    done_at TIMESTAMP NOT NULL,
    action VARCHAR NOT NULL,            -- opened, updated, raised, acknowledged, closed, reopened, superseded
    done_by VARCHAR NOT NULL,
    note VARCHAR NOT NULL
);

CREATE TABLE runs (
    detector VARCHAR NOT NULL,
    version VARCHAR NOT NULL,           -- SHA-256 of the detector's file
    state VARCHAR NOT NULL,             -- ran, failed, skipped, filled
    from_position UBIGINT NOT NULL,     -- batches that this run judged, exclusive
    to_position UBIGINT NOT NULL,       -- inclusive
    window_start TIMESTAMP,
    window_end TIMESTAMP,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP NOT NULL,
    times UBIGINT NOT NULL,             -- live runs that follow one another are one row
    findings UBIGINT NOT NULL,
    suppressed UBIGINT NOT NULL,
    error VARCHAR NOT NULL
);

CREATE TABLE outbox (
    id UBIGINT NOT NULL,
    finding UBIGINT,                    -- NULL for messages of our own, such as a pack by mail
    sink VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,              -- finding, pack
    severity VARCHAR NOT NULL,
    message JSON NOT NULL,
    created_at TIMESTAMP NOT NULL,
    next_attempt_at TIMESTAMP NOT NULL,
    attempts UINTEGER NOT NULL,
    state VARCHAR NOT NULL,             -- waiting, delivered, dead
    last_error VARCHAR NOT NULL
);

CREATE TABLE deliveries (
    outbox UBIGINT NOT NULL,
    sink VARCHAR NOT NULL,
    attempt UINTEGER NOT NULL,
    attempted_at TIMESTAMP NOT NULL,
    accepted BOOLEAN NOT NULL,
    answer VARCHAR NOT NULL
);

CREATE TABLE baseline (
    device VARCHAR NOT NULL,
    setting VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    approved_at TIMESTAMP NOT NULL,
    approved_by VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    as_of TIMESTAMP NOT NULL            -- the moment whose state was approved
);

CREATE TABLE change_windows (
    id UBIGINT NOT NULL,
    device VARCHAR NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    ticket VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,              -- change, patch, decommission, provisioning, dr-test, ceremony
    note VARCHAR NOT NULL,
    added_at TIMESTAMP NOT NULL,
    added_by VARCHAR NOT NULL
);

CREATE TABLE suppressions (
    id UBIGINT NOT NULL,
    detector VARCHAR NOT NULL,
    match JSON NOT NULL,
    reason VARCHAR NOT NULL,
    owner VARCHAR NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    added_by VARCHAR NOT NULL
);

CREATE TABLE reviews (
    pack VARCHAR NOT NULL,
    period_start TIMESTAMP NOT NULL,
    period_end TIMESTAMP NOT NULL,
    sha256 VARCHAR NOT NULL,
    reviewer VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    signed_at TIMESTAMP NOT NULL
);

CREATE TABLE attestations (
    id VARCHAR NOT NULL,                -- ATT-01 …
    answer VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL,
    given_by VARCHAR NOT NULL,
    given_at TIMESTAMP NOT NULL,
    valid_until TIMESTAMP NOT NULL
);

CREATE TABLE queries (
    asked_at TIMESTAMP NOT NULL,
    asked_by VARCHAR NOT NULL,
    sql VARCHAR NOT NULL,
    state VARCHAR NOT NULL,             -- answered, refused, failed, stopped
    rows UBIGINT NOT NULL,
    seconds DOUBLE NOT NULL
);
