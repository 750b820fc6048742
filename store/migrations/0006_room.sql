-- How much room the disk under data_dir had, each hour: what `hsmtrail status` shows, kept for the detector of full disks.

CREATE TABLE room (
    looked_at TIMESTAMP NOT NULL,
    total_bytes UBIGINT NOT NULL,       -- of the file system
    free_bytes UBIGINT NOT NULL,
    spool_bytes UBIGINT NOT NULL,
    archive_bytes UBIGINT NOT NULL,
    store_bytes UBIGINT NOT NULL,
    days_left DOUBLE                    -- until it is full at the rate of the last day; NULL while nothing can be said
);
