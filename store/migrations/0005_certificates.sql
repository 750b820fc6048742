-- What a device's client certificates may be called: one that has any is expected to send over TLS. NULL until the
-- configuration is written at the next start (DuckDB adds no column of lists with a default once it is locked).

ALTER TABLE devices ADD COLUMN certificates VARCHAR[];
