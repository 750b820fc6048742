-- What console output showed of a device at a moment: files that administrators saved, and the settings read out of them.

CREATE TABLE observations (
    id UBIGINT NOT NULL,
    device VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,         -- of output that names none, as its bringer says; '' for nobody said it
    observed_at TIMESTAMP NOT NULL,     -- when the output was taken, as its bringer says
    file VARCHAR NOT NULL,              -- its name, without folders
    sha256 VARCHAR NOT NULL,            -- of its bytes
    bytes UBIGINT NOT NULL,
    text VARCHAR NOT NULL,              -- the output that a form knows, secrets masked
    left_out JSON NOT NULL,             -- what no form knows: [{"line", "text", "why"}]
    imported_at TIMESTAMP NOT NULL,
    imported_by VARCHAR NOT NULL,
    withdrawn_at TIMESTAMP,             -- since then it counts for nothing
    withdrawn_by VARCHAR NOT NULL,
    withdrawn_reason VARCHAR NOT NULL
);

CREATE TABLE observed_settings (
    observation UBIGINT NOT NULL,
    setting VARCHAR NOT NULL,
    partition VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    line UINTEGER NOT NULL,             -- of the file
    form VARCHAR NOT NULL               -- of console output
);

CREATE TABLE observed_lists (
    observation UBIGINT NOT NULL,
    members VARCHAR NOT NULL,           -- regular expression over names of settings: the output lists all of these
    gone VARCHAR NOT NULL,              -- what those that it does not list are
    line UINTEGER NOT NULL,
    form VARCHAR NOT NULL
);
