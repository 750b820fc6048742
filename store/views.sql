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

-- What a value of a setting means, to tell whether two say the same: there are many words for what is there and for what is
-- gone, and an audit mask is a set, however it is written.
CREATE OR REPLACE MACRO meant(setting, value) AS CASE
    WHEN value IN ('removed', 'deleted', 'revoked', 'cleared', 'unregistered') THEN 'removed'
    WHEN value IN ('added', 'enabled', 'registered', 'updated', 'created') THEN 'added'
    WHEN setting = 'audit mask' THEN array_to_string(list_sort(list_distinct(list_transform(
        if(value <> 'all' AND regexp_full_match(value, '[fsamkurxgln]+'), string_split(value, ''),
           list_filter(regexp_split_to_array(lower(value), '[^a-z]+'), lambda one: one <> '')),
        lambda one: coalesce(MAP {
            'failure': 'f', 'success': 's', 'access': 'a', 'manage': 'm', 'keymanage': 'k', 'usage': 'u', 'keyusage': 'u',
            'first': 'r', 'external': 'x', 'logmanage': 'g', 'all': 'l', 'none': 'n'}[one], one)))), ',')
    ELSE value
END;

-- What was told of each setting by commands and records, what console output showed of it, and what took several away at once:
-- emptying a list, deleting a client, a user or a partition, erasing an HSM. A row says what its setting was from then on; value
-- NULL: since then nobody knows (a reset to defaults). Output that shows what stands already is no row. What stood at a moment
-- is the newest row of each setting up to it: docs/decisions/0029 and 0030.
CREATE OR REPLACE VIEW settings_told AS
WITH said AS (
    SELECT record_id, event_at, device, family, operation, setting, coalesce(partition, '') AS partition, value,
           coalesce(account, nullif(role, ''), '') AS who
    FROM events
    WHERE device <> '' AND outcome = 'ok' AND command_class NOT IN ('session', 'read', 'use', 'health') AND NOT contains(pattern, 'token_')
      AND (setting IS NOT NULL AND value IS NOT NULL AND NOT (operation = 'user_password_set' AND value = 'set')
           OR operation IN ('partition_create', 'partition_delete', 'zeroize', 'hsm_init', 'factory_reset', 'firmware_rollback'))
),
one AS (
    SELECT record_id, event_at, device, who, setting, partition, value
    FROM said
    WHERE setting IS NOT NULL AND NOT ends_with(setting, ' *')
      AND NOT (operation = 'user_role_set' AND regexp_full_match(value, '(added|removed) .+|cleared'))
    UNION ALL  -- a user's roles are a list: each by itself
    SELECT record_id, event_at, device, who, concat(regexp_replace(setting, ' roles$', ' role '), regexp_extract(value, ' (.+)$', 1)),
           partition, regexp_extract(value, '^\w+')
    FROM said
    WHERE operation = 'user_role_set' AND regexp_full_match(value, '(added|removed) .+')
    UNION ALL  -- the shell's word for a partition; its records have a number
    SELECT record_id, event_at, device, who, 'partition ' || partition, partition, if(operation = 'partition_create', 'created', 'deleted')
    FROM said
    WHERE operation IN ('partition_create', 'partition_delete') AND family = 'lunash' AND partition <> ''
),
several AS (  -- what goes, as an expression over names of settings; within one partition, or ''
    SELECT record_id, event_at, device, who, regexp_escape(regexp_replace(setting, '\*$', '')) || '.*' AS gone, '' AS within, 'removed' AS value
    FROM said WHERE ends_with(setting, ' *')
    UNION ALL  -- a target without its port is each of its ports, and 514/udp is what one without a port has
    SELECT record_id, event_at, device, who, concat(regexp_escape(setting), ':.*|', regexp_escape(regexp_replace(setting, ':514/udp$', ''))), '', 'removed'
    FROM said WHERE regexp_matches(setting, '^(audit )?log target [^*]+$') AND value = 'removed'
    UNION ALL
    SELECT record_id, event_at, device, who, regexp_escape(regexp_replace(setting, ' roles$', ' role ')) || '.*', '', 'removed'
    FROM said WHERE operation = 'user_role_set' AND value = 'cleared'
    UNION ALL
    SELECT record_id, event_at, device, who, regexp_escape(setting || ' ') || '.*', '', 'removed'
    FROM said WHERE operation IN ('client_delete', 'user_delete') AND value = 'deleted'
    UNION ALL
    SELECT record_id, event_at, device, who, concat('partition ', regexp_escape(partition), ' .*|client .* partition ', regexp_escape(partition)), '', 'removed'
    FROM said WHERE operation = 'partition_delete' AND partition <> ''
    UNION ALL
    SELECT record_id, event_at, device, who, 'partition policy .*', partition, 'removed'
    FROM said WHERE operation = 'partition_delete' AND partition <> ''
    UNION ALL
    SELECT record_id, event_at, device, who, 'partition .*|client .* partition .*', '', 'removed'
    FROM said WHERE operation IN ('zeroize', 'hsm_init', 'factory_reset')
    UNION ALL
    SELECT record_id, event_at, device, who, if(operation = 'factory_reset', 'hsm policy .*', '(hsm|partition) policy .*'), '', NULL
    FROM said WHERE operation IN ('factory_reset', 'firmware_rollback')
    UNION ALL  -- the appliance's own configuration, of one service or of all
    SELECT record_id, event_at, device, who,
           CASE regexp_replace(setting, '^appliance configuration ?', '')
               WHEN 'network' THEN 'network .*' WHEN 'ssh' THEN 'ssh .*' WHEN 'ntls' THEN 'ntls .*|ipcheck' WHEN 'snmp' THEN 'snmp.*'
               WHEN 'ntp' THEN 'ntp.*' WHEN 'syslog' THEN 'log .*' WHEN 'webserver' THEN 'webserver.*' WHEN 'users' THEN 'user .*'
               ELSE '(network|ssh|ntls|snmp|ntp|log|webserver|user|client|tls|stc|radius|ped|banner|time)( .*)?|ipcheck'
           END, '', NULL
    FROM said WHERE operation IN ('config_clear', 'config_restore') AND starts_with(setting, 'appliance configuration')
),
named AS (  -- by commands and approvals; also what was approved though nothing was logged of it
    SELECT device, setting, partition, min(event_at) AS since FROM one GROUP BY ALL
    UNION ALL
    SELECT DISTINCT device, setting, partition, CAST('-infinity' AS TIMESTAMP) FROM baseline
),
looked AS (
    SELECT id AS observation, device, observed_at AS event_at, imported_by AS who FROM observations WHERE withdrawn_at IS NULL
),
seen AS (
    SELECT looked.*, setting, partition, value,
           if(ends_with(setting, ':514/udp'), regexp_replace(setting, ':514/udp$', ''), NULL) AS short
    FROM observed_settings JOIN looked USING (observation)
),
shown AS (  -- a log target on the usual port has the name that commands gave it, which may lack the port
    SELECT * FROM seen
    WHERE short IS NULL OR NOT EXISTS (FROM named WHERE named.device = seen.device AND named.setting = short)
       OR EXISTS (FROM named WHERE named.device = seen.device AND named.setting = seen.setting)
    UNION ALL
    SELECT * REPLACE (short AS setting) FROM seen
    WHERE EXISTS (FROM named WHERE named.device = seen.device AND named.setting = short)
),
known AS (
    FROM named
    UNION ALL
    SELECT device, setting, partition, min(event_at) AS since FROM shown GROUP BY ALL
),
absent AS (  -- what a list that shows all of its kind does not show
    SELECT DISTINCT observation, device, event_at, who, known.setting, known.partition, observed_lists.gone AS value
    FROM observed_lists
    JOIN looked USING (observation)
    JOIN known USING (device)
    WHERE known.since <= event_at AND regexp_full_match(known.setting, members)
      AND NOT EXISTS (FROM shown WHERE shown.observation = observed_lists.observation AND shown.setting = known.setting)
),
gone_with AS (  -- what belonged to it, as if it had been deleted by a command
    SELECT observation, device, event_at, who, regexp_escape(setting || ' ') || '.*' AS gone, '' AS within
    FROM absent WHERE regexp_matches(setting, '^(client|user) ')
    UNION ALL
    SELECT observation, device, event_at, who, concat('partition ', regexp_escape(partition), ' .*|client .* partition ', regexp_escape(partition)), ''
    FROM absent WHERE setting = 'partition ' || partition
    UNION ALL
    SELECT observation, device, event_at, who, 'partition policy .*', partition
    FROM absent WHERE setting = 'partition ' || partition
),
all_of_it AS (
    SELECT device, setting, partition, value, event_at, 0::UBIGINT AS observation, record_id, who FROM one
    UNION
    SELECT device, known.setting, known.partition, several.value, several.event_at, 0, several.record_id, several.who
    FROM several
    JOIN known USING (device)
    WHERE known.since <= several.event_at AND (within = '' OR known.partition = within) AND regexp_full_match(known.setting, gone)
    UNION
    SELECT device, setting, partition, value, event_at, observation, NULL, who FROM shown
    UNION
    SELECT device, setting, partition, value, event_at, observation, NULL, who FROM absent
    UNION
    SELECT device, known.setting, known.partition, 'removed', gone_with.event_at, observation, NULL, gone_with.who
    FROM gone_with
    JOIN known USING (device)
    WHERE known.since <= gone_with.event_at AND (within = '' OR known.partition = within) AND regexp_full_match(known.setting, gone)
),
in_order AS (
    SELECT *, lag(value) OVER earlier AS before, row_number() OVER earlier AS nth
    FROM all_of_it
    WINDOW earlier AS (PARTITION BY device, setting, partition ORDER BY event_at, observation, record_id)
)
SELECT device, setting, partition, value, event_at, record_id, who,
       if(observation = 0, 'told', 'observed') AS source, observation, before
FROM in_order
WHERE observation = 0 OR nth = 1 OR meant(setting, value) IS DISTINCT FROM meant(setting, before);
