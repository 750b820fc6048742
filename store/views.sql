-- The published views: what detectors and analysts read. Made anew at every start; docs/reference/views.md describes them.

-- Every received line with all its columns.
CREATE OR REPLACE VIEW records AS
SELECT record_id, batch, received_at, listener, transport, peer, peer_port, peer_identity, copy_of,
       facility, severity, sent_at, host, program, process_id, message_id, structured_data,
       coalesce(message, substring(raw, message_at::BIGINT + 1)) AS message,
       device, family,
       event_at, event_at_source, operation, outcome, strike, role, role_id, account, source, source_port, command,
       command_class, client, setting, value,
       hsm_serial, audit_sequence, session, access_major, access_minor, vendor_event, return_name, return_code,
       partition, object_handle, object_uid, entry, mac, raw_block,
       details, pattern, pattern_version, status, trouble, raw
FROM lines JOIN origins USING (origin) JOIN meanings USING (meaning);

-- Every record that is not a copy of another.
CREATE OR REPLACE VIEW events AS
SELECT * FROM records WHERE copy_of IS NULL;

-- What no body pattern knew: the drift of the vendor's words, and everybody else's lines.
CREATE OR REPLACE VIEW unknown AS
SELECT * FROM records WHERE status <> 'parsed';

-- The same with the form of each message: what differs from line to line (quoted names, addresses, hexadecimal, numbers)
-- replaced by a word in braces. Only the first 300 characters: a stranger may have written them.
CREATE OR REPLACE VIEW unknown_forms AS
SELECT *,
       regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
           left(message, 300),
           '"[^"]*"|''[^'']*''', '{quoted}', 'g'),
           '\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|\b(?:[0-9A-Fa-f]{1,4}:){3,7}:?[0-9A-Fa-f]{1,4}\b', '{address}', 'g'),
           '\b(?:0[xX][0-9A-Fa-f]+|[0-9A-Fa-f]{8,})\b', '{hex}', 'g'),
           '[0-9]+', '{number}', 'g'),
           ' +', ' ', 'g') AS form
FROM records WHERE status <> 'parsed';

-- The sums of custody, and what they leave open: nought in every row where nothing was lost.
CREATE OR REPLACE VIEW custody_balance AS
SELECT minute, listener,
       (received::HUGEINT + kernel_dropped)::UBIGINT AS sent,
       kernel_dropped, received, refused, refused_reasons, cut, spooled, stored, copies,
       (received::HUGEINT - spooled - refused)::BIGINT AS unaccounted,
       (spooled::HUGEINT - stored)::BIGINT AS not_stored
FROM custody;

-- Records of the HSM's own audit log.
CREATE OR REPLACE VIEW audit_records AS
SELECT * FROM events WHERE family = 'hsm_audit' AND audit_sequence IS NOT NULL;

-- Audit records whose raw block and text agree but for a zone: the offset of the appliance's clock, as it was then.
CREATE OR REPLACE VIEW clocks AS
SELECT record_id, received_at, device, event_at, coalesce(details->>'zone', '+00:00') AS zone
FROM audit_records
WHERE event_at_source = 'raw_block' AND NOT regexp_matches(trouble, 'raw block differs: [a-z, ]*time');

-- Commands typed into the Luna shell.
CREATE OR REPLACE VIEW lunash_commands AS
SELECT * FROM events WHERE family = 'lunash' AND command IS NOT NULL;

-- Attempts to log in: HSM roles (role <> '') and appliance accounts (account).
CREATE OR REPLACE VIEW logins AS
SELECT * FROM events WHERE operation = 'login';

-- The newest approval of each setting.
CREATE OR REPLACE VIEW approved AS
SELECT device, setting, partition,
       arg_max(value, approved_at) AS value,
       max(approved_at) AS approved_at,
       arg_max(approved_by, approved_at) AS approved_by
FROM baseline
GROUP BY device, setting, partition;

-- Groups of an IPv6 address, each with its four digits.
CREATE OR REPLACE MACRO address_groups(text) AS
array_to_string(list_transform(list_filter(string_split(text, ':'), lambda one: one <> ''), lambda one: lpad(one, 4, '0')), '');

-- An address as 32 hexadecimal digits, IPv4 within ::ffff:0:0/96, as table `ranges` has them; NULL for what is none.
CREATE OR REPLACE MACRO address_key(address) AS CASE
    WHEN regexp_full_match(address, '(::ffff:)?([0-9]{1,3}\.){3}[0-9]{1,3}')
    THEN repeat('0', 20) || 'ffff' || list_reduce(
        list_transform(string_split(replace(address, '::ffff:', ''), '.'), lambda one: printf('%02x', TRY_CAST(one AS UTINYINT))),
        lambda one, other: one || other)
    WHEN regexp_full_match(lower(address), '[0-9a-f:]*:[0-9a-f:]*')
    THEN rpad(address_groups(split_part(lower(address), '::', 1)), CAST(32 - length(address_groups(split_part(lower(address), '::', 2))) AS INTEGER), '0')
        || address_groups(split_part(lower(address), '::', 2))
END;

-- Findings that nobody has taken on or closed.
CREATE OR REPLACE VIEW open_findings AS
SELECT id, detector, kind, title, subject, device, severity, first_seen, last_seen, opened_at, change_ticket, record_count
FROM findings
WHERE state = 'open';
