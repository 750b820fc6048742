-- What a site says about its devices, people, networks, clients and partitions (hsmtrail.toml), for detectors and packs to
-- join with: written anew at every start. And what a run could not measure because nobody said it.

CREATE TABLE devices_now (
    name VARCHAR NOT NULL,
    hosts VARCHAR[] NOT NULL,
    serials VARCHAR[] NOT NULL,
    time_zone VARCHAR NOT NULL,
    profile VARCHAR NOT NULL,           -- production, test, new, decommissioning
    partner VARCHAR NOT NULL,
    behind_nva BOOLEAN NOT NULL,
    microsoft_monitor BOOLEAN NOT NULL,
    expects VARCHAR[] NOT NULL,         -- families
    since TIMESTAMP,
    firmware_minimum VARCHAR NOT NULL,
    backup_serials VARCHAR[] NOT NULL,
    working_days UTINYINT[] NOT NULL,   -- 1 is Monday; empty when nobody said it
    working_from TIME,                  -- in the device's zone, like holidays
    working_until TIME,
    holidays DATE[] NOT NULL
);

INSERT INTO devices_now BY NAME
SELECT *, '' AS firmware_minimum, [] AS backup_serials, [] AS working_days, [] AS holidays FROM devices;

DROP TABLE devices;

ALTER TABLE devices_now RENAME TO devices;

CREATE TABLE accounts (
    name VARCHAR NOT NULL,
    devices VARCHAR[] NOT NULL,         -- empty is everywhere
    roles VARCHAR[] NOT NULL,
    owner VARCHAR NOT NULL,
    until TIMESTAMP                     -- the first moment that it may no longer be
);

CREATE TABLE ranges (
    name VARCHAR NOT NULL,
    cidr VARCHAR NOT NULL,
    use VARCHAR[] NOT NULL,             -- admin, client, nva, probe, relay
    first VARCHAR NOT NULL,             -- as address_key() writes it
    last VARCHAR NOT NULL
);

CREATE TABLE clients (
    name VARCHAR NOT NULL,
    addresses VARCHAR[] NOT NULL,
    devices VARCHAR[] NOT NULL,
    partitions VARCHAR[] NOT NULL
);

CREATE TABLE partitions (
    device VARCHAR NOT NULL,
    container VARCHAR NOT NULL,
    serial VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,              -- application, admin
    guarded BOOLEAN NOT NULL,
    ephemeral BOOLEAN NOT NULL,
    limits JSON NOT NULL                -- {"co": 10}
);

ALTER TABLE runs ADD COLUMN not_measured VARCHAR DEFAULT '';
