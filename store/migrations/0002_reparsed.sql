-- How far history was read again (`hsmtrail reparse`), what that changed, and what detectors must still judge of it.

CREATE TABLE reparsed (
    receiver UBIGINT NOT NULL,          -- one row each
    reading VARCHAR NOT NULL,           -- digest of all that decides how a line is read
    last_batch UBIGINT NOT NULL,        -- read again up to here
    done_at TIMESTAMP NOT NULL
);

CREATE TABLE reparse_changes (          -- rows of one transaction each: sum them
    receiver UBIGINT NOT NULL,
    reading VARCHAR NOT NULL,
    done_at TIMESTAMP NOT NULL,
    family_before VARCHAR NOT NULL,
    pattern_before VARCHAR NOT NULL,
    version_before VARCHAR NOT NULL,
    status_before VARCHAR NOT NULL,
    family VARCHAR NOT NULL,
    pattern VARCHAR NOT NULL,
    pattern_version VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    records UBIGINT NOT NULL,
    changed UBIGINT NOT NULL,           -- in more than pattern_version
    renewed UBIGINT NOT NULL            -- in pattern_version alone
);

CREATE TABLE unjudged (                 -- spans of event time of changed records; gone when they are judged
    begins_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    added_at TIMESTAMP NOT NULL
);
